// SPDX-License-Identifier: BSD-3-Clause
// TCP allocations: between the link to the control process, the sockets of peers and the threads
// that serve clients.
#include "edge.h"

#include <relay/relay.h>

static bool on_order(void *ctx, const struct tp_session_order *order, const uint8_t *data)
{
	struct edge *e = ctx;

	return edge_relay_order(e->relay, e->now_ns, order, data);
}

static void on_begin(void *ctx)
{
	edge_relay_begin(((struct edge *)ctx)->relay);
}

static bool on_due(void *ctx, struct edge_link_report *report)
{
	struct edge *e = ctx;
	struct edge_relay_report r;

	if (!edge_relay_due(e->relay, &r))
		return false;
	report->kind = r.kind;
	if (r.kind == TP_SESSION_RELAY)
		report->relay = r.relay;
	else if (r.kind == TP_SESSION_PEER)
		report->peer = r.peer;
	else
		report->used = r.used;
	return true;
}

static void on_told(void *ctx)
{
	edge_relay_told(((struct edge *)ctx)->relay);
}

static void on_join(void *ctx, uint64_t key, uint64_t connection, int fd, struct meter *meter,
	const uint8_t *data, size_t len)
{
	serve_join(((struct edge *)ctx)->serve, key, connection, fd, meter, data, len);
}

static void on_part(void *ctx, uint64_t key, uint64_t connection)
{
	serve_part(((struct edge *)ctx)->serve, key, connection);
}

static void on_ended(void *ctx, uint64_t key, uint64_t to_peer, uint64_t to_client)
{
	edge_relay_ended(((struct edge *)ctx)->relay, key, to_peer, to_client);
}

static bool on_claim(void *ctx, uint64_t key, struct meter **meter)
{
	return edge_relay_claim(((struct edge *)ctx)->relay, key, meter);
}

int edge_relays_open(struct edge *e)
{
	const struct conf_relay *conf = &e->conf->relay;
	const struct edge_relay_settings settings = {
		.addresses = conf->addresses,
		.n_addresses = conf->n_addresses,
		.port_min = conf->port_min,
		.port_max = conf->port_max,
		.listeners_max = e->relay_sockets / 2,
		.peers_max = e->relay_sockets / 2,
		.ctx = e,
		.join = on_join,
		.part = on_part,
	};

	e->relaying = (struct edge_link_relay){.ctx = e,
		.order = on_order,
		.begin = on_begin,
		.due = on_due,
		.told = on_told,
		.peers_max = settings.peers_max};
	e->relay = edge_relay_create(&settings);
	if (e->relay == NULL)
		return -1;
	serve_on_joined(
		e->serve, &(struct serve_joined){.ctx = e, .ended = on_ended, .claim = on_claim});
	return 0;
}
