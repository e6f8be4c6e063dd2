// SPDX-License-Identifier: BSD-3-Clause
// One connection with a peer, until a client's connection has joined it.
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static uint64_t key_hash(const struct edge_relay *r, uint64_t key)
{
	return ds_map_hash(&r->peers, &key, sizeof(key));
}

struct peer *peer_find(const struct edge_relay *r, uint64_t key)
{
	struct ds_map_node *n = ds_map_first(&r->peers, key_hash(r, key));

	for (; n != NULL; n = ds_map_next(n)) {
		struct peer *p = DS_CONTAINER(n, struct peer, by_key);

		if (p->is.key == key)
			return p;
	}
	return NULL;
}

static bool peers_are_left(const struct edge_relay *r)
{
	return r->n_peers < r->settings.peers_max;
}

static struct peer *peer_make(struct edge_relay *r, struct listener *l, uint64_t key,
	const struct tp_addr *local, const struct tp_addr *remote)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->source = (struct source){.kind = SOURCE_PEER, .fd = -1};
	ds_list_init(&p->source.due);
	ds_list_init(&p->source.dead);
	ds_list_init(&p->timed);
	ds_list_init(&p->link);
	p->is.key = key;
	p->is.local = *local;
	p->is.peer = *remote;
	ds_map_add(&r->peers, &p->by_key, key_hash(r, key));
	p->listener = l;
	if (l != NULL)
		ds_list_add(&l->peers, &p->link);
	r->n_peers++;
	return p;
}

static void peer_free(struct edge_relay *r, struct peer *p)
{
	ds_map_del(&r->peers, &p->by_key);
	ds_list_del(&p->link);
	ds_list_del(&p->timed);
	r->n_peers--;
	relay_bury(r, &p->source);
}

static void timed_move(struct edge_relay *r, struct peer *p, struct ds_list *list)
{
	ds_list_del(&p->timed);
	ds_list_add(list, &p->timed);
	p->since_ns = r->now_ns;
}

static void state_set(struct edge_relay *r, struct peer *p, enum tp_peer_state state)
{
	p->is.state = (uint16_t)state;
	relay_due(r, &p->source);
}

void peer_end(struct edge_relay *r, struct peer *p, int failed)
{
	relay_unwatch(r, &p->source);
	if (p->source.fd >= 0)
		close(p->source.fd);
	p->source.fd = -1;
	ds_list_del(&p->timed);
	ds_list_del(&p->link);
	if (!p->known) {
		peer_free(r, p);
		return;
	}
	p->is.failed = (uint16_t)failed;
	p->is.connection = 0;
	r->counters.connects_failed += failed != 0;
	state_set(r, p, TP_PEER_GONE);
}

// ---- going out ----------------------------------------------------------------------------------

static void peer_wait(struct edge_relay *r, struct peer *p)
{
	// Its bytes stay in the socket; its end is seen by the kernel alone.
	if (!relay_watch(r, &p->source, 0)) {
		peer_end(r, p, ENOMEM);
		return;
	}
	timed_move(r, p, &r->waiting);
	state_set(r, p, TP_PEER_WAITS);
}

bool peer_connect(struct edge_relay *r, const struct tp_session_order *o)
{
	struct listener *l = listener_find(r, &o->local);
	struct peer *p;
	bool done = false;
	int fd;

	if (peer_find(r, o->key) != NULL)
		return false;
	// There is room to tell of those that do not fit.
	p = r->n_peers < 2 * r->settings.peers_max ? peer_make(r, l, o->key, &o->local, &o->peer)
						   : NULL;
	if (p == NULL)
		return true;
	p->known = true;
	memcpy(p->is.note, o->note, sizeof(p->is.note));
	r->counters.connects++;
	if (l == NULL || l->source.fd < 0)
		fd = -EADDRNOTAVAIL;
	else
		fd = r->n_peers <= r->settings.peers_max
			     ? socket_connect(&o->local, &o->peer, &done)
			     : -ENOBUFS;
	if (fd < 0) {
		peer_end(r, p, -fd);
		return true;
	}
	p->source.fd = fd;
	if (done) {
		peer_wait(r, p);
	} else if (!relay_watch(r, &p->source, EPOLLOUT)) {
		peer_end(r, p, ENOMEM);
	} else {
		timed_move(r, p, &r->connecting);
		state_set(r, p, TP_PEER_CONNECTS);
	}
	return true;
}

// ---- coming in ----------------------------------------------------------------------------------

void peer_accept(struct edge_relay *r, struct listener *l, int fd, const struct tp_addr *from)
{
	struct peer *p =
		peers_are_left(r) ? peer_make(r, l, r->next_key, &l->is.local, from) : NULL;

	r->counters.accepted++;
	if (p == NULL) {
		r->counters.accepted_full++;
		close(fd);
		return;
	}
	r->next_key++;
	p->source.fd = fd;
	if (!relay_watch(r, &p->source, 0)) {
		peer_end(r, p, 0);
		return;
	}
	timed_move(r, p, &r->waiting);
	state_set(r, p, TP_PEER_ARRIVED);
}

void peer_keep(struct edge_relay *r, struct peer *p, const struct tp_session_order *o)
{
	if (p->is.state != TP_PEER_ARRIVED)
		return;
	memcpy(p->is.note, o->note, sizeof(p->is.note));
	state_set(r, p, TP_PEER_WAITS);
}

// ---- joined -------------------------------------------------------------------------------------

void peer_join(
	struct edge_relay *r, struct peer *p, const struct tp_session_order *o, const uint8_t *data)
{
	const struct listener *l = listener_find(r, &p->is.local);
	int fd = p->source.fd;

	if (p->is.state != TP_PEER_WAITS || l == NULL)
		return;
	relay_unwatch(r, &p->source);
	p->source.fd = -1;
	ds_list_del(&p->timed);
	p->is.connection = o->connection;
	r->counters.joined++;
	state_set(r, p, TP_PEER_JOINED);
	r->settings.join(r->settings.ctx, p->is.key, o->connection, fd, meter_ref(l->meter), data,
		o->data_len);
}

void peer_ended(struct edge_relay *r, const struct ended *e)
{
	struct peer *p = peer_find(r, e->key);
	struct listener *l;

	if (p == NULL || p->is.state != TP_PEER_JOINED)
		return;
	l = p->listener;
	ds_list_del(&p->link);
	// The bytes are counted before their connection is gone.
	if (l != NULL)
		listener_peer_ended(r, l);
	p->is.to_peer = e->to_peer;
	p->is.to_client = e->to_client;
	r->counters.ended++;
	peer_end(r, p, 0);
}

void peer_close(struct edge_relay *r, struct peer *p)
{
	if (p->is.state == TP_PEER_JOINED)
		r->settings.part(r->settings.ctx, p->is.key, p->is.connection);
	else if (p->is.state != TP_PEER_GONE)
		peer_end(r, p, 0);
}

// ---- events and time ----------------------------------------------------------------------------

void peer_event(struct edge_relay *r, struct peer *p, uint32_t events)
{
	int error;

	if (p->source.fd < 0)
		return;
	error = socket_error(p->source.fd);
	if (p->is.state == TP_PEER_CONNECTS && error == 0 && (events & EPOLLOUT) != 0)
		peer_wait(r, p);
	else if (p->is.state == TP_PEER_CONNECTS)
		peer_end(r, p, error != 0 ? error : ECONNREFUSED);
	else if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		peer_end(r, p, 0);
}

static void list_expire(struct edge_relay *r, struct ds_list *list, uint64_t limit_s, int failed)
{
	while (!ds_list_is_empty(list)) {
		struct peer *p = DS_CONTAINER(list->next, struct peer, timed);

		if (p->since_ns + limit_s * TP_NS_PER_S > r->now_ns)
			return;
		r->counters.expired += failed == 0;
		peer_end(r, p, failed);
	}
}

void peers_expire(struct edge_relay *r)
{
	list_expire(r, &r->connecting, TP_SESSION_CONNECT_S, ETIMEDOUT);
	list_expire(r, &r->waiting, TP_SESSION_WAIT_S, 0);
}

void peer_told(struct edge_relay *r, struct peer *p)
{
	p->known = true;
	if (p->is.state == TP_PEER_GONE)
		peer_free(r, p);
}

// ---- from one process to the next ---------------------------------------------------------------

bool peer_adopt(struct edge_relay *r, const struct edge_relay_moved *m, int fd)
{
	struct listener *l = listener_find(r, &m->peer.local);
	bool connects = m->peer.state == TP_PEER_CONNECTS;
	bool joined = m->peer.state == TP_PEER_JOINED;
	struct peer *p;

	// An order to keep one that has arrived may be on its way.
	if (peer_find(r, m->peer.key) != NULL || joined != (fd < 0) ||
		(!connects && !joined && m->peer.state != TP_PEER_WAITS &&
			m->peer.state != TP_PEER_ARRIVED))
		return false;
	p = peer_make(r, l, m->peer.key, &m->peer.local, &m->peer.peer);
	if (p == NULL)
		return false;
	p->is = m->peer;
	p->known = m->known != 0;
	p->source.fd = fd;
	ds_list_add(connects ? &r->connecting : joined ? &r->awaited : &r->waiting, &p->timed);
	p->since_ns = m->since_ns;
	if (!joined && !relay_watch(r, &p->source, connects ? EPOLLOUT : 0))
		peer_end(r, p, ENOMEM);
	return true;
}

bool peer_claim(struct edge_relay *r, struct peer *p)
{
	if (p->is.state != TP_PEER_JOINED || ds_list_is_empty(&p->timed))
		return false;
	ds_list_del(&p->timed);
	r->counters.joined++;
	return true;
}

void peer_leave(struct edge_relay *r, struct peer *p)
{
	// An end is told still.
	if (p->is.state != TP_PEER_GONE)
		peer_free(r, p);
}
