// SPDX-License-Identifier: BSD-3-Clause
// Stream clients: their connections open and close, and an allocation ends with its connection,
// unless it has a mobility ticket.
#include "stream.h"

#include <errno.h>

#include "allocation.h"
#include "cap.h"
#include "data.h"
#include "mobility.h"
#include "tuple.h"

// Ends the objects that depend on a connection, then the connection.
static void connection_end(
	struct turn_server *s, uint64_t now_ns, struct turn_connection *connection)
{
	struct turn_allocation *a = turn_allocation_by_tuple(s, &connection->client);

	s->counters.pending_dropped += turn_pending_drop(&s->pending, &connection->client);
	if (a != NULL && s->conf.mobility && (a->flags & TURN_RECORD_MOBILE) != 0)
		turn_mobility_hold(s, a, &connection->client);
	// Only its move, where mobility was switched off since.
	else if (a != NULL && !turn_tuple_equal(&a->client, &connection->client))
		turn_move_abandon(s, a);
	else if (a != NULL)
		turn_allocation_close(s, now_ns, a, TURN_CLOSE_CONNECTION);
	turn_connection_del(&s->connections, connection);
}

int turn_stream_opened(
	struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client, bool framed)
{
	const struct turn_listener *listener =
		turn_locals_listener(&s->locals, client->listener_id);
	struct turn_connection *connection;

	if (listener == NULL || !turn_listener_is_stream(listener) || client->connection == 0)
		return -EINVAL;
	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	connection = turn_connection_find(&s->connections, client);
	if (connection != NULL && connection->client.connection == client->connection) {
		turn_connection_confirm(&s->connections, connection);
		// One that was restored is not known to be one.
		connection->framed = framed;
		return 0;
	}
	// Another connection of the same 5-tuple: the report of the old one's end was lost.
	if (connection != NULL)
		connection_end(s, now_ns, connection);
	connection = turn_connection_add(&s->connections, client);
	if (connection == NULL)
		return -ENOSPC;
	connection->framed = framed;
	s->counters.streams_opened++;
	return 0;
}

int turn_stream_closed(struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client)
{
	struct turn_connection *connection = turn_connection_find(&s->connections, client);

	if (connection == NULL || connection->client.connection != client->connection) {
		s->counters.streams_unknown++;
		return -ENOENT;
	}
	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	connection_end(s, now_ns, connection);
	s->counters.streams_closed++;
	return 0;
}

void turn_stream_expire(struct turn_server *s, uint64_t now_ns, struct turn_connection *connection)
{
	connection_end(s, now_ns, connection);
	s->counters.streams_closed++;
}

bool turn_stream_is_open(const struct turn_server *s, const struct turn_tuple *from)
{
	const struct turn_connection *connection = turn_connection_find(&s->connections, from);

	return connection != NULL && connection->client.connection == from->connection;
}

int turn_stream_restore(struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client)
{
	struct turn_connection *connection;

	if (client->connection == 0 || turn_connection_find(&s->connections, client) != NULL)
		return -EINVAL;
	connection = turn_connection_add(&s->connections, client);
	if (connection == NULL)
		return -ENOMEM;
	turn_connection_confirm_by(
		&s->connections, connection, tp_expiry_s(now_ns, TURN_CONNECTION_CONFIRM_S));
	return 0;
}

static void confirm_all(struct turn_server *s, uint64_t now_ns, uint32_t by_s)
{
	struct turn_connections *c = &s->connections;

	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	for (uint32_t i = 0; i < ds_pool_end(&c->pool); i++) {
		struct turn_connection *connection = ds_pool_at(&c->pool, i);

		// A free one is all zero.
		if (connection->client.connection != 0)
			turn_connection_confirm_by(c, connection, by_s);
	}
	for (uint32_t i = 0; i < ds_pool_end(&s->data_pool); i++) {
		struct turn_data *d = ds_pool_at(&s->data_pool, i);

		if (d->allocation != NULL)
			d->stale = true;
	}
}

void turn_streams_lost(struct turn_server *s, uint64_t now_ns)
{
	confirm_all(s, now_ns, turn_seconds(now_ns));
	turn_caps_streams_lost(s);
}

void turn_streams_again(struct turn_server *s, uint64_t now_ns)
{
	confirm_all(s, now_ns, tp_expiry_s(now_ns, TURN_CONNECTION_CONFIRM_S));
}
