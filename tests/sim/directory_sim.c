// SPDX-License-Identifier: BSD-3-Clause
// A TURN server between many clients and a directory that is honest, slow, lying or dying by turns,
// with a stream listener besides. Every request has to end once, in time; users of the
// configuration never wait; wrong passwords never pass; nothing stays behind.
//
//   directory_sim SEED REQUESTS
#include "directory_sim.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void sim_fail(const struct sim *s, const char *text)
{
	fprintf(stderr, "seed %llu, request %llu: %s\n", (unsigned long long)s->seed,
		(unsigned long long)s->n_requests, text);
	abort();
}

uint32_t sim_below(struct sim *s, uint32_t n)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (uint32_t)((s->random >> 16) % n);
}

static void random_fill(void *ctx, void *buf, size_t len)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)sim_below(ctx, 256);
}

// ---- time ---------------------------------------------------------------------------------------

static void deadlines_check(struct sim *s)
{
	unsigned n = 0;

	for (unsigned c = 0; c < CLIENTS; c++) {
		for (unsigned i = 0; i < TRANSACTIONS; i++) {
			const struct transaction *t = &s->clients[c].last[i];

			if (!t->waits)
				continue;
			n++;
			if (s->now_ns - t->since_ns > (TURN_LOOKUP_S + 1) * TP_NS_PER_S)
				sim_fail(s, "a request waits beyond its deadline");
		}
	}
	if (n != s->server->pending.requests.n_taken || n > TURN_PENDING_MAX)
		sim_fail(s, "the pool holds others than wait");
	if (n > s->max_waiting)
		s->max_waiting = n;
}

static void time_pass(struct sim *s, uint64_t ns)
{
	s->now_ns += ns;
	while (turn_deadline(s->server) <= s->now_ns)
		turn_advance(s->server, s->now_ns, 1 + sim_below(s, 8));
	sim_outputs_take(s, NULL);
	sim_directory_turn(s);
}

static void run(struct sim *s, uint64_t requests)
{
	char name[32];

	while (s->n_requests < requests) {
		unsigned client = sim_below(s, CLIENTS);

		time_pass(s, sim_below(s, 4) * TP_NS_PER_MS);
		if (sim_below(s, 500) == 0)
			sim_stream_turn(s, client);
		if (sim_below(s, 1000) == 0) {
			sim_name_of(STATICS + sim_below(s, USERS), name);
			if (turn_forget(s->server, 0, name, strlen(name)) != 0)
				sim_fail(s, "the realm is gone");
		}
		sim_request_send(s, client);
		if (s->n_requests % 64 == 0)
			deadlines_check(s);
	}
	// Without a directory all that waits ends by itself, and so do its timers.
	s->n_questions = 0;
	s->mode = MODE_DYING;
	s->mode_until_ns = UINT64_MAX;
	time_pass(s, (TURN_LOOKUP_S + 1) * TP_NS_PER_S);
	deadlines_check(s);
	if (s->server->pending.requests.n_taken != 0 || s->n_waits != s->n_ended)
		sim_fail(s, "a request was left behind");
	// Allocations, then their tombstones and accounts.
	time_pass(s, 4000 * TP_NS_PER_S);
	time_pass(s, 4000 * TP_NS_PER_S);
	if (turn_deadline(s->server) != UINT64_MAX || s->server->identities.n != 0 ||
		s->server->accounts.n != 0 || s->server->pending.lookups.n_taken != 0)
		sim_fail(s, "something stayed behind");
}

// ---- set-up -------------------------------------------------------------------------------------

static void sim_init(struct sim *s, struct policy *policy)
{
	const struct turn_env env = {.ctx = s, .random = random_fill};
	struct turn_store ops;

	s->random = s->seed * 2 + 1;
	s->now_ns = 5000 * TP_NS_PER_S;
	fake_store_init(&s->store);
	ops = fake_store_ops(&s->store);
	for (unsigned i = 0; i < STATICS; i++) {
		uint8_t key[16];
		char name[32];

		sim_name_of(i, name);
		memcpy(s->static_names[i], name, sizeof(s->static_names[i]));
		msg_key(name, REALM, name, key);
		s->statics[i] =
			(struct turn_user){.name = s->static_names[i], .key = turn_key_md5(key)};
	}
	s->listeners[0] = (struct turn_listener){.id = UDP_LISTENER};
	s->listeners[1] =
		(struct turn_listener){.id = STREAM_LISTENER, .transport = TP_TRANSPORT_UDP + 1};
	s->listeners[0].local = s->listeners[0].advertised = tp_addr_ipv4(0x05050501, 3478);
	s->listeners[1].local = s->listeners[1].advertised = tp_addr_ipv4(0x05050501, 5349);
	s->relay = (struct turn_relay_address){.id = 3};
	s->relay.local = s->relay.advertised = tp_addr_ipv4(0x05050502, 0);
	s->realm = (struct turn_realm_conf){
		.name = REALM,
		.users = s->statics,
		.n_users = STATICS,
		.directory = true,
		.policy = policy,
	};
	s->conf = (struct turn_conf){
		.realms = &s->realm,
		.n_realms = 1,
		.listeners = s->listeners,
		.n_listeners = 2,
		.relays = &s->relay,
		.n_relays = 1,
		.port_min = 49152,
		.port_max = 65535,
		.channel_max = 0x4fff,
		.default_family = TP_FAMILY_IPV4,
		.default_lifetime_s = 600,
		.max_lifetime_s = 3600,
		.permission_lifetime_s = 300,
		.channel_lifetime_s = 600,
		.nonce_lifetime_s = 600,
	};
	s->server = turn_create(&env, &ops, &s->conf);
	if (s->server == NULL)
		sim_fail(s, "no server");
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *c = &s->clients[i];

		c->is_stream = i % 3 == 0;
		c->tuple.listener_id = c->is_stream ? STREAM_LISTENER : UDP_LISTENER;
		c->tuple.remote = tp_addr_ipv4(0x09090000 + (i << 8), (uint16_t)(1000 + i));
	}
}

// A run in which something never happened would prove nothing about it.
static void coverage_check(const struct sim *s)
{
	const struct turn_counters *c = turn_get_counters(s->server);
	const struct {
		const char *name;
		uint64_t n;
	} rows[] = {
		{"answered", s->n_replies},
		{"waited", s->n_waits},
		{"joined", c->pending_joined},
		{"beyond their share", c->pending_share},
		{"dropped with their connection", c->pending_dropped},
		{"questions", c->lookups},
		{"questions without an answer", c->lookups_expired},
		{"stale answers", c->answers_stale},
		{"senseless answers", c->answers_bad},
		{"cached", c->directory_cached},
		{"successes", s->n_codes[0]},
		{"401", s->n_codes[401]},
		{"500", s->n_codes[500]},
	};

	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		printf("%s: %llu\n", rows[i].name, (unsigned long long)rows[i].n);
		if (rows[i].n == 0)
			sim_fail(s, "the run is too tame");
	}
	printf("at most %u waited at once\n", s->max_waiting);
}

int main(int argc, char **argv)
{
	const struct tp_addr own = tp_addr_ipv4(0x05050501, 3478);
	const struct policy_config config = {.own = &own, .n_own = 1};
	struct policy *policy = policy_create(&config);
	struct sim *s = calloc(1, sizeof(*s));

	if (s == NULL || policy == NULL || argc != 3)
		return 1;
	s->seed = strtoull(argv[1], NULL, 10);
	sim_init(s, policy);
	run(s, strtoull(argv[2], NULL, 10));
	coverage_check(s);
	turn_destroy(s->server);
	policy_destroy(policy);
	fake_store_fini(&s->store);
	free(s);
	return 0;
}
