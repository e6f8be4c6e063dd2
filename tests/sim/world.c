// SPDX-License-Identifier: BSD-3-Clause
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "client.h"

#define PORT_MIN 50000u

static void random_fill(void *ctx, void *buf, size_t len)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)world_below(ctx, 256);
}

uint32_t world_below(struct world *w, uint32_t n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)((w->random >> 16) % n);
}

static bool event_before(const struct event *a, const struct event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static uint64_t event_add(struct world *w, struct event e)
{
	size_t i = w->n_events++;

	if (i == WORLD_EVENTS)
		abort();
	e.order = w->order++;
	for (; i > 0 && event_before(&e, &w->events[(i - 1) / 2]); i = (i - 1) / 2)
		w->events[i] = w->events[(i - 1) / 2];
	w->events[i] = e;
	return e.order;
}

bool world_event_next(struct world *w, struct event *e)
{
	struct event last;
	size_t i = 0, child;

	if (w->n_events == 0)
		return false;
	*e = w->events[0];
	last = w->events[--w->n_events];
	for (;;) {
		child = 2 * i + 1;
		if (child >= w->n_events)
			break;
		if (child + 1 < w->n_events &&
			event_before(&w->events[child + 1], &w->events[child]))
			child++;
		if (!event_before(&w->events[child], &last))
			break;
		w->events[i] = w->events[child];
		i = child;
	}
	w->events[i] = last;
	return true;
}

uint64_t world_later(
	struct world *w, uint64_t now_ns, enum event_kind kind, unsigned client, uint32_t within_s)
{
	uint64_t delay_ns = (uint64_t)world_below(w, within_s * 1000 + 1) * TP_NS_PER_MS +
			    world_below(w, TP_NS_PER_MS);

	return event_add(
		w, (struct event){.at_ns = now_ns + delay_ns, .kind = kind, .client = client});
}

static void transmit(
	struct world *w, uint64_t now_ns, const struct datagram *d, enum event_kind kind)
{
	static const uint32_t delays_ms[] = {40, 40, 40, 40, 40, 40, 3000, 35000};
	uint32_t delay_ms = delays_ms[world_below(w, TP_ARRAY_LEN(delays_ms))];
	struct datagram *copy = malloc(sizeof(*copy));

	if (copy == NULL)
		abort();
	*copy = *d;
	event_add(w, (struct event){.at_ns = now_ns + (2 + world_below(w, delay_ms)) * TP_NS_PER_MS,
			     .kind = kind,
			     .client = d->client,
			     .datagram = copy});
}

void world_send(struct world *w, uint64_t now_ns, const struct datagram *d, enum event_kind kind)
{
	unsigned copies = 1;

	switch (world_below(w, 16)) {
	case 0:
	case 1:
		copies = 0;
		break;
	case 2:
		copies = 2;
		break;
	}
	while (copies-- > 0)
		transmit(w, now_ns, d, kind);
}

bool world_reply_take(struct world *w, struct datagram *reply)
{
	struct turn_out out;
	bool found = false;

	while (turn_next(w->server, &out)) {
		if (out.kind != TURN_OUT_SEND)
			continue;
		if (found || out.len > sizeof(reply->msg.octets))
			abort();
		memcpy(reply->msg.octets, out.data, out.len);
		reply->msg.len = out.len;
		found = true;
	}
	return found;
}

void world_outputs_skip(struct world *w)
{
	struct turn_out out;

	while (turn_next(w->server, &out)) {
		if (out.kind == TURN_OUT_SEND)
			abort();
	}
}

static void server_start(struct world *w)
{
	struct turn_store ops = fake_store_ops(&w->store);
	const struct turn_env env = {.ctx = w, .random = random_fill};

	w->server = turn_create(&env, &ops, &w->conf);
	if (w->server == NULL)
		abort();
}

void world_server_restart(struct world *w, uint64_t now_ns)
{
	turn_destroy(w->server);
	server_start(w);
	fake_store_restore(&w->store, w->server, now_ns);
}

bool world_peer_denied(const struct tp_addr *peer, bool with_port)
{
	uint16_t port = tp_addr_port(peer);

	if (peer->family == TP_FAMILY_IPV6)
		return with_port && port == 0;
	switch (peer->ip[0]) {
	case 5: // ours: .1 listens, .2 relays, .9 is .2's external name
		return peer->ip[3] == 1 ||
		       (with_port && (port < PORT_MIN || port >= PORT_MIN + WORLD_PORTS));
	case 10:
		return true;
	default:
		return with_port && port == 0;
	}
}

struct tp_addr world_peer_canonical(const struct tp_addr *peer)
{
	struct tp_addr out = *peer;

	if (peer->family == TP_FAMILY_IPV4 && peer->ip[0] == 5 && peer->ip[3] == 2)
		out.ip[3] = 9;
	return out;
}

static void users_init(struct world *w)
{
	static const char *const names[WORLD_USERS] = {
		"alice", "bob", "carol", "carol", "dave", "erin", "frank"};

	w->secret =
		(struct turn_secret){.id = "s", .octets = (const uint8_t *)"simulated", .len = 9};
	w->realm.secrets = &w->secret;
	w->realm.n_secrets = 1;
	for (unsigned i = 0; i < WORLD_USERS; i++) {
		struct world_user *u = &w->users[i];
		char password[64] = "a password";

		u->quota_name = names[i];
		u->expires_wall_s = UINT64_MAX;
		if (i < 2) {
			strcpy(u->name, names[i]);
		} else {
			// Some of them end during the run.
			u->expires_wall_s = WORLD_WALL_START_S + 5000 + 3600 * (i + 1);
			if (turn_mint_credential(&w->realm, names[i], u->expires_wall_s, u->name,
				    sizeof(u->name), password, sizeof(password)) != 0)
				abort();
		}
		msg_key(u->name, WORLD_REALM, password, u->key);
		if (i < 2) {
			w->static_users[i].name = u->name;
			w->static_users[i].key = turn_key_md5(u->key);
		}
	}
	w->realm.users = w->static_users;
	w->realm.n_users = TP_ARRAY_LEN(w->static_users);
}

static void addresses_init(struct world *w)
{
	static const uint8_t listener6[16] = {0x2a, 5, [15] = 1};
	static const uint8_t relay6[16] = {0x2a, 5, [15] = 2};

	w->listeners[0].local = w->listeners[0].advertised = tp_addr_ipv4(0x05050501, 3478);
	w->listeners[1].local = w->listeners[1].advertised = tp_addr_ipv6(listener6, 3478);
	w->listeners[0].id = 1;
	w->listeners[1].id = 2;
	w->relays[0].local = tp_addr_ipv4(0x05050502, 0);
	w->relays[0].advertised = tp_addr_ipv4(0x05050509, 0);
	w->relays[1].local = w->relays[1].advertised = tp_addr_ipv6(relay6, 0);
	w->relays[0].id = 3;
	w->relays[1].id = 4;
	w->conf.listeners = w->listeners;
	w->conf.n_listeners = 2;
	w->conf.relays = w->relays;
	w->conf.n_relays = 2;
}

static void policy_init(struct world *w)
{
	const struct tp_addr own[] = {w->listeners[0].local, w->listeners[1].local,
		w->relays[0].local, w->relays[0].advertised, w->relays[1].local};
	const struct policy_config config = {.own = own, .n_own = TP_ARRAY_LEN(own)};

	w->policy = policy_create(&config);
	if (w->policy == NULL)
		abort();
	w->realm.policy = w->policy;
}

void world_init(struct world *w, uint64_t seed, uint64_t now_ns)
{
	w->seed = seed;
	w->random = seed * 2 + 1;
	for (unsigned i = 0; i < 16; i++)
		world_below(w, 2);
	fake_store_init(&w->store);
	w->conf = (struct turn_conf){
		.realms = &w->realm,
		.n_realms = 1,
		.port_min = PORT_MIN,
		.port_max = PORT_MIN + WORLD_PORTS - 1,
		.channel_max = 0x4fff,
		.default_family = TP_FAMILY_IPV4,
		.permission_follows_channel = world_below(w, 2) != 0,
		.max_allocations = WORLD_MAX_ALLOCATIONS,
		.default_lifetime_s = 600,
		.max_lifetime_s = 3600,
		.permission_lifetime_s = 300,
		.channel_lifetime_s = 600,
		.nonce_lifetime_s = 600,
		.nonce_key = {42},
		.punt_key = {43},
	};
	w->realm.name = WORLD_REALM;
	w->realm.user_quota = WORLD_USER_QUOTA;
	users_init(w);
	addresses_init(w);
	policy_init(w);
	server_start(w);
	for (unsigned c = 0; c < MODEL_CLIENTS; c++) {
		client_init(w, c);
		w->clients[c].timer = world_later(w, now_ns, EVENT_CLIENT_TIMER, c, 60);
	}
	world_later(w, now_ns, EVENT_OPERATOR, 0, 120);
	world_later(w, now_ns, EVENT_RESTART, 0, 1200);
}

void world_fini(struct world *w)
{
	for (size_t i = 0; i < w->n_events; i++)
		free(w->events[i].datagram);
	for (unsigned c = 0; c < MODEL_CLIENTS; c++)
		free(w->clients[c].pending);
	turn_destroy(w->server);
	policy_destroy(w->policy);
	fake_store_fini(&w->store);
}
