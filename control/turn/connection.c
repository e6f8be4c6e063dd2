// SPDX-License-Identifier: BSD-3-Clause
#include "connection.h"

#include "timer.h"
#include "tuple.h"

int turn_connections_init(
	struct turn_connections *c, const uint8_t map_key[16], struct ds_wheel *wheel)
{
	ds_pool_init(&c->pool, sizeof(struct turn_connection));
	c->wheel = wheel;
	return ds_map_init(&c->map, map_key);
}

void turn_connections_fini(struct turn_connections *c)
{
	ds_map_fini(&c->map);
	ds_pool_fini(&c->pool);
}

struct turn_connection *turn_connection_find(
	const struct turn_connections *c, const struct turn_tuple *client)
{
	struct ds_map_node *n = ds_map_first(&c->map, turn_tuple_hash(&c->map, client, NULL));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_connection *connection = DS_CONTAINER(n, struct turn_connection, node);

		if (turn_tuple_equal(&connection->client, client))
			return connection;
	}
	return NULL;
}

struct turn_connection *turn_connection_add(
	struct turn_connections *c, const struct turn_tuple *client)
{
	struct turn_connection *connection;
	uint32_t index;

	if (c->pool.n_taken >= TURN_CONNECTIONS_MAX)
		return NULL;
	connection = ds_pool_take(&c->pool, &index);
	if (connection == NULL)
		return NULL;
	connection->client = *client;
	connection->index = index;
	ds_timer_init(&connection->timer, TURN_TIMER_CONNECTION);
	ds_map_add(&c->map, &connection->node, turn_tuple_hash(&c->map, client, NULL));
	return connection;
}

void turn_connection_confirm_by(
	struct turn_connections *c, struct turn_connection *connection, uint32_t expires_s)
{
	ds_wheel_set(c->wheel, &connection->timer, expires_s);
}

void turn_connection_confirm(struct turn_connections *c, struct turn_connection *connection)
{
	ds_wheel_stop(c->wheel, &connection->timer);
}

void turn_connection_del(struct turn_connections *c, struct turn_connection *connection)
{
	ds_wheel_stop(c->wheel, &connection->timer);
	ds_map_del(&c->map, &connection->node);
	ds_pool_return(&c->pool, connection->index);
}
