// SPDX-License-Identifier: BSD-3-Clause
#include "association.h"

#include <errno.h>
#include <stdlib.h>

#include <log/log.h>
#include <turnpike/segment.h>
#include <turnpike/stun.h>

#define HANDSHAKE_RECORD 22u

// ---- time ---------------------------------------------------------------------------------------

void association_time(struct association *a, struct ds_list *list)
{
	struct associations *all = a->all;

	if (a->shaking != (list == &all->shaking)) {
		a->shaking = !a->shaking;
		all->n_shaking += a->shaking ? 1u : UINT32_MAX;
	}
	ds_list_del(&a->timed);
	ds_list_add(list, &a->timed);
	a->since_ns = all->thread->now_ns;
}

// ---- birth and death ----------------------------------------------------------------------------

static bool admit(
	struct associations *all, const struct tp_addr *remote, const struct tp_addr *local)
{
	struct serve_thread *t = all->thread;
	enum admit_verdict v;

	pthread_mutex_lock(&t->serve->lock);
	v = admit_enter(t->serve->admit, t->now_ns, remote);
	pthread_mutex_unlock(&t->serve->lock);
	if (v == ADMIT_OK)
		return true;
	SERVE_COUNT(t, refused[v], 1);
	log_event(LOG_EV_CONNECTION_REFUSED,
		LOG_FIELDS(log_addr("client", remote), log_addr("listener", local),
			log_str("reason", admit_verdict_name(v))));
	return false;
}

static void limits_leave(struct associations *all, const struct tp_addr *remote)
{
	struct serve_thread *t = all->thread;

	pthread_mutex_lock(&t->serve->lock);
	admit_leave(t->serve->admit, t->now_ns, remote);
	pthread_mutex_unlock(&t->serve->lock);
}

void association_leave(struct association *a)
{
	struct associations *all = a->all;

	if (a->admitted)
		limits_leave(all, &a->key.remote);
	a->admitted = false;
	ds_map_del(&all->map, &a->node);
	atomic_fetch_sub_explicit(&all->thread->n_connections, 1, memory_order_relaxed);
}

void association_close(struct association *a, enum serve_close why)
{
	struct associations *all = a->all;
	struct serve_thread *t = all->thread;

	SERVE_COUNT(t, closed[why], 1);
	if (conn_is_limit(why))
		log_event(LOG_EV_CONNECTION_LIMITED,
			LOG_FIELDS(log_addr("client", &a->key.remote),
				log_addr("listener", &a->local),
				log_str("reason", serve_close_name(why))));
	log_event(LOG_EV_CONNECTION_CLOSED,
		LOG_FIELDS(log_addr("client", &a->key.remote), log_addr("listener", &a->local),
			log_str("reason", serve_close_name(why)), log_bool("dtls", true)));
	if (a->connection != 0)
		edge_link_close(t->link, a->connection);
	a->connection = 0;
	// A client that has begun anew would take the end for that of its new association.
	if (why != SERVE_CLOSE_replaced && a->dtls != NULL)
		dtls_end(a->dtls);
	association_leave(a);
	if (bridge_end(a, why))
		association_time(a, &all->parting);
	else
		association_drop(a);
}

struct association *association_find(struct associations *all, const struct association_key *key)
{
	uint64_t hash = ds_map_hash(&all->map, key, sizeof(*key));

	for (struct ds_map_node *n = ds_map_first(&all->map, hash); n != NULL; n = ds_map_next(n)) {
		struct association *a = DS_CONTAINER(n, struct association, node);

		if (memcmp(&a->key, key, sizeof(*key)) == 0)
			return a;
	}
	return NULL;
}

void association_send(struct association *a, const uint8_t *datagram, size_t len)
{
	struct serve_thread *t = a->all->thread;

	if (edge_link_send_datagram(
		    t->link, a->key.listener_id, &a->key.remote, &a->way, datagram, len) == 0)
		SERVE_COUNT(t, datagrams_out, 1);
	else
		SERVE_COUNT(t, datagrams_full, 1);
}

// ---- events of the association, while a datagram is read ----------------------------------------

static void on_send(void *ctx, const uint8_t *datagram, size_t len)
{
	struct association *a = ctx;
	static const struct takeover_packet head = {.kind = TAKEOVER_DATAGRAM};

	if (a->place == ASSOCIATION_SESSION)
		bridge_send(a, &head, datagram, len);
	else
		association_send(a, datagram, len);
}

// ChannelData over UDP may have padding behind it (RFC 8656 12.5).
static size_t without_padding(const uint8_t *data, size_t len)
{
	size_t whole =
		len < TP_CHANNEL_HEADER_LEN ? 0 : TP_CHANNEL_HEADER_LEN + tp_load_be16(data + 2);

	return len > 0 && data[0] >> 6 == 1 && whole != 0 && whole < len ? whole : len;
}

// The first message registers the client.
static bool register_client(struct association *a)
{
	struct serve_thread *t = a->all->thread;
	uint64_t connection;

	if (a->connection != 0)
		return true;
	connection = edge_link_open(t->link, a->key.listener_id, &a->key.remote, 0, &a->client);
	if (connection == 0) {
		a->fault = SERVE_CLOSE_limit;
		return false;
	}
	a->connection = connection;
	return true;
}

bool association_deliver(
	struct association *a, const struct edge_link_way *way, const uint8_t *data, size_t len)
{
	struct serve_thread *t = a->all->thread;
	int rc;

	// The record was authentic, so this is the client's way now.
	a->way = *way;
	if (!register_client(a))
		return false;
	association_time(a, &a->all->idle);
	len = without_padding(data, len);
	rc = edge_link_send(t->link, a->connection, data, len);
	if (rc == 0) {
		SERVE_COUNT(t, messages_in, 1);
		SERVE_COUNT(t, bytes_in, len);
	} else if (rc == -EMSGSIZE) {
		SERVE_COUNT(t, messages_oversize, 1);
	} else {
		SERVE_COUNT(t, messages_full, 1);
	}
	return true;
}

static void on_message(void *ctx, const uint8_t *data, size_t len)
{
	struct association *a = ctx;
	const struct takeover_packet head = {
		.kind = TAKEOVER_MESSAGE, .next_hop = a->fed->next_hop, .tag = a->fed->tag};

	if (a->place == ASSOCIATION_SESSION) {
		association_time(a, &a->all->idle);
		bridge_send(a, &head, data, len);
	} else {
		(void)association_deliver(a, a->fed, data, len);
	}
}

// ---- datagrams ----------------------------------------------------------------------------------

static struct serve_dtls_port *port_of(struct serve *s, uint16_t listener_id)
{
	for (size_t i = 0; i < s->n_dtls_served; i++) {
		struct serve_dtls_port *p = &s->dtls_ports[i];

		if (edge_link_listener(s->link, &p->addr, TP_TRANSPORT_DTLS) == listener_id)
			return p;
	}
	return NULL;
}

static struct dtls *session_make(
	struct serve *s, const struct serve_dtls_port *p, const struct dtls_events *events)
{
	struct dtls *d;

	pthread_mutex_lock(&s->lock);
	d = dtls_create(p->context, events);
	pthread_mutex_unlock(&s->lock);
	return d;
}

struct association *association_create(struct associations *all, const struct association_key *key,
	const struct tp_addr *local, struct ds_list *list)
{
	struct association *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->client.by_datagrams = true;
	a->all = all;
	a->key = *key;
	a->local = *local;
	a->pair_fd = -1;
	a->events = (struct dtls_events){a, on_send, on_message};
	ds_list_init(&a->timed);
	ds_map_add(&all->map, &a->node, ds_map_hash(&all->map, key, sizeof(*key)));
	atomic_fetch_add_explicit(&all->thread->n_connections, 1, memory_order_relaxed);
	association_time(a, list);
	return a;
}

// For a source that has shown a cookie. NULL: refused.
static struct association *association_begin(
	struct associations *all, const struct association_key *key, const struct dtls_judged *j)
{
	const struct serve_dtls_port *p = port_of(all->thread->serve, key->listener_id);
	struct association *a;

	if (p == NULL) {
		SERVE_COUNT(all->thread, datagrams_stray, 1);
		return NULL;
	}
	if (all->n_shaking >= ASSOCIATION_SHAKING_MAX)
		association_close(DS_CONTAINER(all->shaking.next, struct association, timed),
			SERVE_CLOSE_half_open);
	if (!admit(all, &key->remote, &p->addr))
		return NULL;
	SERVE_COUNT(all->thread, accepted, 1);
	a = association_create(all, key, &p->addr, &all->shaking);
	if (a == NULL) {
		SERVE_COUNT(all->thread, closed[SERVE_CLOSE_memory], 1);
		limits_leave(all, &key->remote);
		return NULL;
	}
	a->admitted = true;
	memcpy(a->random, j->random, sizeof(a->random));
	a->dtls = session_make(all->thread->serve, p, &a->events);
	if (a->dtls != NULL)
		return a;
	association_close(a, SERVE_CLOSE_memory);
	return NULL;
}

static void answer(struct associations *all, const struct association_key *key,
	const struct edge_link_way *way, const struct dtls_judged *j)
{
	struct serve_thread *t = all->thread;

	if (edge_link_send_datagram(t->link, key->listener_id, &key->remote, way, j->answer,
		    sizeof(j->answer)) == 0)
		SERVE_COUNT(t, cookies, 1);
	else
		SERVE_COUNT(t, datagrams_full, 1);
}

// A ClientHello: NULL where the datagram has been dealt with, else the association that reads it.
// One with another random is that of a client that begins anew: only with a cookie does it end the
// association before, as anybody can send one with the client's address.
static struct association *hello_take(struct associations *all, const struct association_key *key,
	const struct edge_link_way *way, struct association *a, const struct dtls_judged *j)
{
	if (a != NULL && memcmp(a->random, j->random, sizeof(a->random)) == 0)
		return a;
	if (j->hello == DTLS_HELLO_BARE) {
		answer(all, key, way, j);
		return NULL;
	}
	if (a != NULL)
		association_close(a, SERVE_CLOSE_replaced);
	a = association_begin(all, key, j);
	if (a != NULL)
		a->way = *way;
	return a;
}

static void handshake_failed(struct association *a)
{
	char text[128];

	log_event(LOG_EV_HANDSHAKE_FAILED,
		LOG_FIELDS(log_addr("client", &a->key.remote), log_addr("listener", &a->local),
			log_str("problem", tls_fault_text(text, sizeof(text)))));
	association_close(a, SERVE_CLOSE_handshake);
}

void association_feed(
	struct association *a, const struct edge_link_way *way, const uint8_t *data, size_t len)
{
	struct serve_thread *t = a->all->thread;
	enum dtls_state state;

	a->fed = way;
	state = dtls_feed(a->dtls, data, len);
	if (state == DTLS_OPEN && !a->open) {
		a->open = true;
		SERVE_COUNT(t, handshakes, 1);
		SERVE_COUNT(t, resumed, dtls_resumed(a->dtls));
	}
	if (a->fault != SERVE_OPEN)
		association_close(a, a->fault);
	else if (state == DTLS_ENDED && a->open)
		association_close(a, SERVE_CLOSE_client);
	else if (state == DTLS_ENDED)
		handshake_failed(a);
}

void association_datagram(struct associations *all, uint16_t listener_id,
	const struct tp_addr *remote, const struct edge_link_way *way, const uint8_t *data,
	size_t len)
{
	struct serve_thread *t = all->thread;
	const struct association_key key = {.remote = *remote, .listener_id = listener_id};
	struct association *a = association_find(all, &key);
	struct dtls_judged j = {.hello = DTLS_HELLO_NONE};

	SERVE_COUNT(t, datagrams_in, 1);
	if (data[0] == HANDSHAKE_RECORD)
		j = dtls_judge(t->serve->cookies, t->now_ns, listener_id, remote, data, len);
	if (j.hello != DTLS_HELLO_NONE)
		a = hello_take(all, &key, way, a, &j);
	else if (a == NULL)
		SERVE_COUNT(t, datagrams_stray, 1);
	if (a == NULL)
		return;
	if (a->place == ASSOCIATION_CLIENT)
		bridge_send(a,
			&(struct takeover_packet){.kind = TAKEOVER_DATAGRAM,
				.next_hop = way->next_hop,
				.tag = way->tag},
			data, len);
	else
		association_feed(a, way, data, len);
}

void association_push(
	struct serve_client *client, uint64_t connection, const uint8_t *data, size_t len)
{
	struct association *a = DS_CONTAINER(client, struct association, client);
	struct serve_thread *t = a->all->thread;

	if (a->connection != connection)
		return;
	SERVE_COUNT(t, messages_out, 1);
	SERVE_COUNT(t, bytes_out, len);
	if (a->place == ASSOCIATION_CLIENT)
		bridge_send(a, &(struct takeover_packet){.kind = TAKEOVER_MESSAGE}, data, len);
	else if (dtls_send(a->dtls, data, len) < 0)
		SERVE_COUNT(t, datagrams_full, 1);
}
