// SPDX-License-Identifier: BSD-3-Clause
// Sockets pass from one process to the next. Those of joined connections are in threads, which hand
// them over with the client's: here the next process learns whose they are.
#include "state.h"

static bool peer_show(const struct peer *p, edge_relay_show_fn *show, void *ctx)
{
	const struct edge_relay_moved m = {
		.kind = TP_SESSION_PEER, .known = p->known, .since_ns = p->since_ns, .peer = p->is};

	return (p->source.fd < 0 && p->is.state != TP_PEER_JOINED) || show(ctx, &m, p->source.fd);
}

static bool listener_show(const struct listener *l, edge_relay_show_fn *show, void *ctx)
{
	struct edge_relay_moved m = {.kind = TP_SESSION_RELAY, .relay = l->is};
	struct meter_total total = meter_total(l->meter);
	bool shown;

	m.relay.to_peer = total.to_peer;
	m.relay.to_client = total.to_client;
	meter_caps_get(l->meter, m.caps);
	shown = l->source.fd < 0 || show(ctx, &m, l->source.fd);

	for (struct ds_list *k = l->peers.next; k != &l->peers && shown; k = k->next)
		shown = peer_show(DS_CONTAINER(k, struct peer, link), show, ctx);
	return shown;
}

bool edge_relay_show(struct edge_relay *r, edge_relay_show_fn *show, void *ctx)
{
	bool shown = true;

	for (struct ds_list *k = r->all.next; k != &r->all && shown; k = k->next)
		shown = listener_show(DS_CONTAINER(k, struct listener, link), show, ctx);
	return shown;
}

void edge_relay_leave(struct edge_relay *r)
{
	while (!ds_list_is_empty(&r->all)) {
		struct listener *l = DS_CONTAINER(r->all.next, struct listener, link);

		for (struct ds_list *k = l->peers.next, *next; k != &l->peers; k = next) {
			next = k->next;
			peer_leave(r, DS_CONTAINER(k, struct peer, link));
		}
		listener_forget(r, l);
	}
}

bool edge_relay_adopt(struct edge_relay *r, const struct edge_relay_moved *m, int fd)
{
	if (m->kind == TP_SESSION_RELAY)
		return fd >= 0 && listener_adopt(r, m, fd);
	return m->kind == TP_SESSION_PEER && peer_adopt(r, m, fd);
}

bool edge_relay_claim(struct edge_relay *r, uint64_t key, struct meter **meter)
{
	struct peer *p = peer_find(r, key);

	if (p == NULL || !peer_claim(r, p))
		return false;
	*meter = p->listener != NULL ? meter_ref(p->listener->meter) : NULL;
	return true;
}

void edge_relay_taken(struct edge_relay *r)
{
	while (!ds_list_is_empty(&r->awaited))
		peer_end(r, DS_CONTAINER(r->awaited.next, struct peer, timed), 0);
}
