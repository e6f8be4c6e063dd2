// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define EVENTS_MAX  64
#define METER_NS    (100 * TP_NS_PER_MS)
// Reports of bytes in that time: each costs the control process as much as a request.
#define METERED_MAX 256u // of allocations, and as many of buckets

// ---- common to listeners and peers --------------------------------------------------------------

void relay_due(struct edge_relay *r, struct source *s)
{
	if (ds_list_is_empty(&s->due))
		ds_list_add(&r->due, &s->due);
}

void relay_bury(struct edge_relay *r, struct source *s)
{
	relay_unwatch(r, s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	ds_list_del(&s->due);
	ds_list_add(&r->dead, &s->dead);
}

static void dead_free(struct edge_relay *r)
{
	while (!ds_list_is_empty(&r->dead)) {
		struct source *s = DS_CONTAINER(r->dead.next, struct source, dead);

		ds_list_del(&s->dead);
		// Both kinds begin with it.
		free(s);
	}
}

bool relay_watch(struct edge_relay *r, struct source *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, s->fd, &e) == 0 ||
	       (errno == EEXIST && epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, s->fd, &e) == 0);
}

void relay_unwatch(struct edge_relay *r, struct source *s)
{
	if (s->fd >= 0)
		(void)epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
}

// ---- birth and death ----------------------------------------------------------------------------

static int parts_init(struct edge_relay *r)
{
	struct epoll_event e = {.events = EPOLLIN};
	uint8_t key[16];

	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key) ||
		getrandom(&r->next_key, sizeof(r->next_key), 0) != (ssize_t)sizeof(r->next_key))
		return -EIO;
	// Not those of the process before this one.
	r->next_key = r->next_key >> 1 | KEY_FIRST;
	if (ds_map_init(&r->listeners, key) != 0 || ds_map_init(&r->peers, key) != 0)
		return -ENOMEM;
	r->meters = meters_create(key);
	if (r->meters == NULL)
		return -ENOMEM;
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->epoll_fd < 0 || r->ended_fd < 0 || tcp_spare_open(&r->spare) != 0 ||
		epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->ended_fd, &e) < 0)
		return -errno;
	return -pthread_mutex_init(&r->mutex, NULL);
}

int edge_relay_addresses(struct edge_relay *r, const struct tp_addr *addresses, size_t n)
{
	struct tp_addr *copy = calloc(n + 1, sizeof(*copy));

	if (copy == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(copy, addresses, n * sizeof(*copy));
	free(r->addresses);
	r->addresses = copy;
	r->settings.addresses = copy;
	r->settings.n_addresses = n;
	return 0;
}

struct edge_relay *edge_relay_create(const struct edge_relay_settings *s)
{
	struct edge_relay *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return NULL;
	r->settings = *s;
	r->epoll_fd = r->ended_fd = r->spare.fd = -1;
	ds_list_init(&r->all);
	ds_list_init(&r->ending);
	ds_list_init(&r->due);
	ds_list_init(&r->dead);
	ds_list_init(&r->connecting);
	ds_list_init(&r->waiting);
	ds_list_init(&r->awaited);
	r->settings.n_addresses = 0;
	rc = edge_relay_addresses(r, s->addresses, s->n_addresses);
	if (rc == 0)
		rc = parts_init(r);
	if (rc == 0)
		return r;
	edge_relay_destroy(r);
	errno = -rc;
	return NULL;
}

static struct ended *ended_take(struct edge_relay *r)
{
	struct ended *list;

	pthread_mutex_lock(&r->mutex);
	list = r->ended;
	r->ended = NULL;
	pthread_mutex_unlock(&r->mutex);
	return list;
}

void relay_ended(struct edge_relay *r, bool counts)
{
	struct ended *e = ended_take(r);

	while (e != NULL) {
		struct ended *next = e->next;

		if (counts)
			peer_ended(r, e);
		free(e);
		e = next;
	}
}

void edge_relay_destroy(struct edge_relay *r)
{
	if (r == NULL)
		return;
	// First, so that nobody is ordered to end them.
	relay_ended(r, true);
	edge_relay_taken(r);
	while (!ds_list_is_empty(&r->all))
		listener_forget(r, DS_CONTAINER(r->all.next, struct listener, link));
	relay_ended(r, true);
	while (!ds_list_is_empty(&r->ending))
		listener_forget(r, DS_CONTAINER(r->ending.next, struct listener, link));
	// Peers whose end nobody was told.
	while (!ds_list_is_empty(&r->due)) {
		struct source *s = DS_CONTAINER(r->due.next, struct source, due);

		ds_list_del(&s->due);
		ds_list_add(&r->dead, &s->dead);
	}
	dead_free(r);
	ds_map_fini(&r->listeners);
	ds_map_fini(&r->peers);
	meters_destroy(r->meters);
	pthread_mutex_destroy(&r->mutex);
	free(r->addresses);
	if (r->ended_fd >= 0)
		close(r->ended_fd);
	tcp_spare_close(&r->spare);
	if (r->epoll_fd >= 0)
		close(r->epoll_fd);
	free(r);
}

// ---- events -------------------------------------------------------------------------------------

int edge_relay_fd(const struct edge_relay *r)
{
	return r->epoll_fd;
}

static void source_event(struct edge_relay *r, struct source *s, uint32_t events)
{
	if (s == NULL || s->fd < 0)
		return;
	if (s->kind == SOURCE_LISTENER)
		listener_event(r, (struct listener *)(void *)s);
	else
		peer_event(r, (struct peer *)(void *)s, events);
}

// Those whose bytes have been reported go to the end, so that all have their turn.
static void meters_look(struct edge_relay *r)
{
	uint32_t room = METERED_MAX;

	if (r->now_ns < r->metered_ns + METER_NS)
		return;
	r->metered_ns = r->now_ns;
	r->n_used = meters_watched(r->meters);
	if (r->n_used > METERED_MAX)
		r->n_used = METERED_MAX;
	for (struct ds_list *k = r->all.next, *next; k != &r->all && room > 0; k = next) {
		struct listener *l = DS_CONTAINER(k, struct listener, link);

		next = k->next;
		if (!ds_list_is_empty(&l->source.due))
			continue;
		listener_meter(r, l);
		if (ds_list_is_empty(&l->source.due))
			continue;
		ds_list_del(&l->link);
		ds_list_add(&r->all, &l->link);
		room--;
	}
}

void edge_relay_poll(struct edge_relay *r, uint64_t now_ns)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t count;
	int n;

	r->now_ns = now_ns;
	n = epoll_wait(r->epoll_fd, events, EVENTS_MAX, 0);
	for (int i = 0; i < n; i++)
		source_event(r, events[i].data.ptr, events[i].events);
	if (read(r->ended_fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		relay_ended(r, true);
	peers_expire(r);
	meters_look(r);
	dead_free(r);
}

void edge_relay_ended(struct edge_relay *r, uint64_t key, uint64_t to_peer, uint64_t to_client)
{
	static const uint64_t one = 1;
	struct ended *e = malloc(sizeof(*e));

	// Without memory its record stays until the process ends.
	if (e == NULL)
		return;
	*e = (struct ended){.key = key, .to_peer = to_peer, .to_client = to_client};
	pthread_mutex_lock(&r->mutex);
	e->next = r->ended;
	r->ended = e;
	pthread_mutex_unlock(&r->mutex);
	(void)!write(r->ended_fd, &one, sizeof(one));
}

// ---- orders -------------------------------------------------------------------------------------

bool relay_local_right(const struct edge_relay *r, const struct tp_addr *local)
{
	const struct edge_relay_settings *s = &r->settings;
	uint16_t port = tp_addr_port(local);

	if (port < s->port_min || port > s->port_max)
		return false;
	for (size_t i = 0; i < s->n_addresses; i++) {
		if (tp_addr_same_ip(&s->addresses[i], local))
			return true;
	}
	return false;
}

static bool caps_right(const struct tp_session_order *o)
{
	for (unsigned i = 0; i < TP_SESSION_CAPS_MAX && o->caps[i].id != 0; i++) {
		if (o->caps[i].bits_per_s == 0)
			return false;
	}
	return true;
}

static bool order_right(const struct tp_session_order *o)
{
	switch ((enum tp_order_kind)o->kind) {
	case TP_ORDER_LISTEN:
		return o->local.port_be != 0 && caps_right(o);
	case TP_ORDER_UNLISTEN:
		return o->local.port_be != 0;
	case TP_ORDER_CAPS:
		return o->caps[0].id != 0 && caps_right(o);
	case TP_ORDER_CONNECT:
		return o->local.port_be != 0 && o->key > 0 && o->key < KEY_FIRST &&
		       o->peer.family == o->local.family && o->peer.port_be != 0;
	case TP_ORDER_KEEP:
	case TP_ORDER_CLOSE:
		return o->key != 0;
	case TP_ORDER_JOIN:
		return o->key != 0 && o->connection != 0 && o->data_len > 0;
	}
	return false;
}

static bool order_obey(struct edge_relay *r, const struct tp_session_order *o, const uint8_t *data)
{
	struct listener *l = listener_find(r, &o->local);
	struct peer *p = o->key != 0 ? peer_find(r, o->key) : NULL;

	switch ((enum tp_order_kind)o->kind) {
	case TP_ORDER_LISTEN:
		listener_open(r, o);
		break;
	case TP_ORDER_UNLISTEN:
		if (l != NULL)
			listener_close(r, l);
		break;
	case TP_ORDER_CONNECT:
		return peer_connect(r, o);
	case TP_ORDER_KEEP:
		if (p != NULL)
			peer_keep(r, p, o);
		break;
	case TP_ORDER_JOIN:
		if (p != NULL)
			peer_join(r, p, o, data);
		break;
	case TP_ORDER_CLOSE:
		if (p != NULL)
			peer_close(r, p);
		break;
	case TP_ORDER_CAPS:
		meters_caps_change(r->meters, o->caps, r->now_ns);
		break;
	}
	return true;
}

bool edge_relay_order(struct edge_relay *r, uint64_t now_ns, const struct tp_session_order *o,
	const uint8_t *data)
{
	bool right = order_right(o);

	r->now_ns = now_ns;
	if (right)
		right = order_obey(r, o, data);
	r->counters.orders_bad += !right;
	return right;
}

// ---- reports ------------------------------------------------------------------------------------

void edge_relay_begin(struct edge_relay *r)
{
	for (struct ds_list *k = r->all.next; k != &r->all; k = k->next) {
		struct listener *l = DS_CONTAINER(k, struct listener, link);

		relay_due(r, &l->source);
		for (struct ds_list *m = l->peers.next; m != &l->peers; m = m->next)
			relay_due(r, &DS_CONTAINER(m, struct peer, link)->source);
	}
}

bool edge_relay_due(struct edge_relay *r, struct edge_relay_report *out)
{
	const struct source *s;

	if (ds_list_is_empty(&r->due)) {
		*out = (struct edge_relay_report){.kind = TP_SESSION_USED};
		if (r->n_used == 0 || !meters_used(r->meters, &out->used))
			return false;
		out->used.at_ns = r->now_ns;
		r->used_id = out->used.id;
		return true;
	}
	s = DS_CONTAINER(r->due.next, struct source, due);
	if (s->kind == SOURCE_LISTENER)
		*out = (struct edge_relay_report){.kind = TP_SESSION_RELAY,
			.relay = ((const struct listener *)(const void *)s)->is};
	else
		*out = (struct edge_relay_report){.kind = TP_SESSION_PEER,
			.peer = ((const struct peer *)(const void *)s)->is};
	return true;
}

void edge_relay_told(struct edge_relay *r)
{
	struct source *s;

	if (ds_list_is_empty(&r->due)) {
		meters_used_told(r->meters, r->used_id);
		r->n_used--;
		return;
	}
	s = DS_CONTAINER(r->due.next, struct source, due);
	ds_list_del(&s->due);
	if (s->kind == SOURCE_LISTENER)
		listener_told(r, (struct listener *)(void *)s);
	else
		peer_told(r, (struct peer *)(void *)s);
}

void edge_relay_counters_read(const struct edge_relay *r, struct edge_relay_counters *out)
{
	*out = r->counters;
}

uint32_t edge_relay_peers(const struct edge_relay *r)
{
	return r->n_peers;
}
