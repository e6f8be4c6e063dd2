// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ACCEPTS 32u // of one listener in a turn

static uint64_t local_hash(const struct edge_relay *r, const struct tp_addr *local)
{
	return ds_map_hash(&r->listeners, local, sizeof(*local));
}

struct listener *listener_find(const struct edge_relay *r, const struct tp_addr *local)
{
	struct ds_map_node *n = ds_map_first(&r->listeners, local_hash(r, local));

	for (; n != NULL; n = ds_map_next(n)) {
		struct listener *l = DS_CONTAINER(n, struct listener, by_local);

		if (tp_addr_equal(&l->is.local, local))
			return l;
	}
	return NULL;
}

static struct listener *listener_make(struct edge_relay *r, const struct tp_addr *local)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->meter = meter_create(r->meters);
	if (l->meter == NULL) {
		free(l);
		return NULL;
	}
	l->source = (struct source){.kind = SOURCE_LISTENER, .fd = -1};
	ds_list_init(&l->source.due);
	ds_list_init(&l->source.dead);
	ds_list_init(&l->peers);
	l->is.local = *local;
	ds_map_add(&r->listeners, &l->by_local, local_hash(r, local));
	ds_list_add(&r->all, &l->link);
	r->n_listeners++;
	return l;
}

static void listener_begin(struct edge_relay *r, struct listener *l)
{
	const struct tp_addr *local = &l->is.local;
	int fd;

	// The control process may know relay addresses from a reload that came after our start.
	if (!relay_local_right(r, local))
		fd = -EADDRNOTAVAIL;
	else
		fd = r->n_listeners <= r->settings.listeners_max ? socket_listen(local) : -EMFILE;
	l->source.fd = fd < 0 ? -1 : fd;
	if (fd >= 0 && !relay_watch(r, &l->source, EPOLLIN))
		fd = -ENOMEM;
	l->is.state = fd < 0 ? TP_RELAY_FAILED : TP_RELAY_LISTENS;
	l->is.failed = fd < 0 ? (uint16_t)-fd : 0;
	if (fd < 0)
		r->counters.listeners_failed++;
	else
		r->counters.listeners++;
	relay_due(r, &l->source);
}

void listener_open(struct edge_relay *r, const struct tp_session_order *o)
{
	struct listener *l = listener_find(r, &o->local);
	bool fresh = l == NULL;

	if (fresh)
		l = listener_make(r, &o->local);
	// Without memory the allocation has nobody that comes, and its connects fail.
	if (l == NULL)
		return;
	l->is.key = o->key;
	meter_caps_set(l->meter, o->caps, r->now_ns);
	if (fresh)
		listener_begin(r, l);
}

// Joined ones end in their threads, later.
static void peers_close(struct edge_relay *r, struct listener *l)
{
	for (struct ds_list *k = l->peers.next, *next; k != &l->peers; k = next) {
		next = k->next;
		peer_close(r, DS_CONTAINER(k, struct peer, link));
	}
}

static void listener_bury(struct edge_relay *r, struct listener *l)
{
	while (!ds_list_is_empty(&l->peers)) {
		DS_CONTAINER(l->peers.next, struct peer, link)->listener = NULL;
		ds_list_del(l->peers.next);
	}
	ds_list_del(&l->link);
	r->n_listeners--;
	meter_unref(l->meter);
	relay_bury(r, &l->source);
}

void listener_forget(struct edge_relay *r, struct listener *l)
{
	if (l->is.state != TP_RELAY_ENDED) {
		peers_close(r, l);
		ds_map_del(&r->listeners, &l->by_local);
	}
	listener_bury(r, l);
}

void listener_close(struct edge_relay *r, struct listener *l)
{
	peers_close(r, l);
	ds_map_del(&r->listeners, &l->by_local);
	ds_list_del(&l->link);
	ds_list_add(&r->ending, &l->link);
	relay_unwatch(r, &l->source);
	if (l->source.fd >= 0)
		close(l->source.fd);
	l->source.fd = -1;
	l->is.state = TP_RELAY_ENDED;
	l->is.failed = 0;
	// Not before the last byte is counted.
	ds_list_del(&l->source.due);
	listener_peer_ended(r, l);
}

void listener_peer_ended(struct edge_relay *r, struct listener *l)
{
	listener_meter(r, l);
	if (l->is.state == TP_RELAY_ENDED && ds_list_is_empty(&l->peers))
		relay_due(r, &l->source);
}

void listener_event(struct edge_relay *r, struct listener *l)
{
	for (unsigned i = 0; i < ACCEPTS; i++) {
		struct tp_addr from;
		int fd = socket_accept(l->source.fd, &from);

		if (fd < 0) {
			if (tcp_spare_refuse(&r->spare, l->source.fd, fd, &from)) {
				r->counters.accepted++;
				r->counters.accepted_full++;
			}
			return;
		}
		tcp_spare_refill(&r->spare);
		peer_accept(r, l, fd, &from);
	}
}

void listener_told(struct edge_relay *r, struct listener *l)
{
	if (l->is.state == TP_RELAY_FAILED || l->is.state == TP_RELAY_ENDED)
		listener_forget(r, l);
}

void listener_meter(struct edge_relay *r, struct listener *l)
{
	struct meter_total total = meter_total(l->meter);

	if (total.to_peer == l->is.to_peer && total.to_client == l->is.to_client)
		return;
	l->is.to_peer = total.to_peer;
	l->is.to_client = total.to_client;
	if (l->is.state != TP_RELAY_ENDED)
		relay_due(r, &l->source);
}

bool listener_adopt(struct edge_relay *r, const struct edge_relay_moved *m, int fd)
{
	const struct tp_session_relay *is = &m->relay;
	struct listener *l =
		listener_find(r, &is->local) == NULL ? listener_make(r, &is->local) : NULL;

	if (l == NULL)
		return false;
	l->is = *is;
	// Its bytes so far go on, and are not paid for again.
	meter_count(l->meter, r->now_ns, true, is->to_peer);
	meter_count(l->meter, r->now_ns, false, is->to_client);
	meter_caps_set(l->meter, m->caps, r->now_ns);
	l->source.fd = fd;
	if (relay_watch(r, &l->source, EPOLLIN))
		return true;
	l->is.state = TP_RELAY_FAILED;
	relay_due(r, &l->source);
	return true;
}
