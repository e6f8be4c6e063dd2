// SPDX-License-Identifier: BSD-3-Clause
// Many clients, one server and a bad network in virtual time: datagrams are lost, doubled and
// overtake each other, clients repeat unanswered requests and send nonsense now and then, the
// operator kills and drains, the server process dies and starts again on the tables it left. Every
// answer and the tables are compared with the model's.
//
//   turn_sim [SEED [HOURS]]
#include <fake_store.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "model.h"
#include "world.h"

#define HOUR_NS (3600 * TP_NS_PER_S)

struct sim {
	struct world w;
	struct model model;
	struct model_user users[WORLD_USERS];
	uint64_t now_ns;
	uint64_t end_ns;
	uint64_t late_until_ns; // the server's timers stand still
	uint64_t n_delivered;
	uint64_t n_codes[700];
};

static void fail(const struct sim *s, const char *what, unsigned client)
{
	fprintf(stderr, "seed %llu, %.9f s, client %u: %s\n", (unsigned long long)s->w.seed,
		(double)s->now_ns / (double)TP_NS_PER_S, client, what);
	abort();
}

static uint64_t wall_s(const struct sim *s)
{
	return WORLD_WALL_START_S + s->now_ns / TP_NS_PER_S;
}

static uint32_t now_s(const struct sim *s)
{
	return (uint32_t)(s->now_ns / TP_NS_PER_S);
}

static void permissions_compare(
	const struct sim *s, unsigned client, const struct fake_allocation *in_store)
{
	const struct model_allocation *a = &s->model.allocations[client];
	size_t n = 0;

	for (unsigned i = 0; i < MODEL_PERMISSIONS; i++) {
		const struct model_permission *p = &a->permissions[i];
		const struct fake_permission *found;

		if (p->expires_s <= now_s(s))
			continue;
		n++;
		found = fake_store_permission(&s->w.store, in_store->ref, &p->ip);
		if (found == NULL || found->expires_s != p->expires_s)
			fail(s, "a permission is not as it must be", client);
	}
	for (size_t i = 0; i < s->w.store.n_permissions; i++) {
		const struct fake_permission *p = &s->w.store.permissions[i];

		n -= p->live && p->allocation == in_store->ref && p->expires_s > now_s(s);
	}
	if (n != 0)
		fail(s, "permissions nobody asked for", client);
}

static uint32_t permission_expires_s(
	const struct sim *s, const struct model_allocation *a, const struct tp_addr *peer)
{
	for (unsigned i = 0; i < MODEL_PERMISSIONS; i++) {
		if (a->permissions[i].expires_s > now_s(s) &&
			tp_addr_same_ip(&a->permissions[i].ip, peer))
			return a->permissions[i].expires_s;
	}
	return 0;
}

static void channels_compare(
	const struct sim *s, unsigned client, const struct fake_allocation *in_store)
{
	const struct model_allocation *a = &s->model.allocations[client];
	size_t n = 0;

	for (unsigned i = 0; i < MODEL_CHANNELS; i++) {
		const struct model_channel *c = &a->channels[i];
		const struct fake_channel *found;
		uint32_t expires_s;

		if (c->expires_s <= now_s(s))
			continue;
		n++;
		found = fake_store_channel(&s->w.store, in_store->ref, c->number);
		if (found == NULL || found->expires_s != c->expires_s ||
			!tp_addr_equal(&found->peer, &c->peer))
			fail(s, "a channel is not as it must be", client);
		expires_s = permission_expires_s(s, a, &c->peer);
		if (expires_s != 0 ? found->permission_expires_s != expires_s
				   : found->permission_expires_s > now_s(s))
			fail(s, "a channel's permission is not as it must be", client);
	}
	for (size_t i = 0; i < s->w.store.n_channels; i++) {
		const struct fake_channel *c = &s->w.store.channels[i];

		n -= c->live && c->allocation == in_store->ref && c->expires_s > now_s(s);
	}
	if (n != 0)
		fail(s, "channels nobody asked for", client);
}

// All unexpired state must be the same on both sides, to the second.
static void client_compare(const struct sim *s, unsigned client)
{
	const struct model_allocation *a = &s->model.allocations[client];
	const struct fake_allocation *in_store =
		fake_store_allocation(&s->w.store, &s->w.clients[client].tuple);

	if (in_store != NULL && in_store->rec.relay[0].expires_s <= now_s(s))
		in_store = NULL;
	if ((in_store != NULL) != (a->expires_s > now_s(s)))
		fail(s, "there is an allocation on one side only", client);
	if (in_store == NULL)
		return;
	if (in_store->rec.relay[0].expires_s != a->expires_s)
		fail(s, "the allocation ends at another time", client);
	permissions_compare(s, client, in_store);
	channels_compare(s, client, in_store);
}

// A relayed address is new to the model when the Allocate succeeded for the first time.
static void relayed_note(struct sim *s, unsigned client)
{
	struct model_allocation *a = &s->model.allocations[client];
	const struct fake_allocation *in_store =
		fake_store_allocation(&s->w.store, &s->w.clients[client].tuple);
	struct tp_addr relayed;

	if (in_store == NULL)
		fail(s, "a success without an allocation", client);
	relayed = in_store->rec.relay[0].local;
	if (a->relayed.family == TP_FAMILY_NONE && !model_port_give(&s->model, client, &relayed))
		fail(s, "a port that cools down was given away", client);
	if (!tp_addr_equal(&a->relayed, &relayed))
		fail(s, "a repeated Allocate got another address", client);
}

static void request_deliver(struct sim *s, const struct datagram *d)
{
	const struct model_request *r = &d->request;
	struct datagram reply = {.client = r->client, .server_s = now_s(s)};
	unsigned expected, code;

	turn_input(s->w.server, s->now_ns, wall_s(s), &s->w.clients[r->client].tuple, d->msg.octets,
		d->msg.len);
	if (!world_reply_take(&s->w, &reply))
		fail(s, "no answer", r->client);
	code = reply_code(reply.msg.octets, reply.msg.len);
	expected = model_handle(&s->model, s->now_ns, wall_s(s), r);
	if (code != expected) {
		fprintf(stderr, "method %u: %u, expected %u\n", r->method, code, expected);
		fail(s, "another answer than the model's", r->client);
	}
	s->n_codes[code]++;
	s->n_delivered++;
	if (code == 0 && r->method == MSG_ALLOCATE)
		relayed_note(s, r->client);
	client_compare(s, r->client);
	world_send(&s->w, s->now_ns, &reply, EVENT_TO_CLIENT);
}

static void operator_acts(struct sim *s)
{
	unsigned client = world_below(&s->w, MODEL_CLIENTS);
	const struct fake_allocation *a =
		fake_store_allocation(&s->w.store, &s->w.clients[client].tuple);

	if (world_below(&s->w, 4) == 0) {
		if (a != NULL)
			turn_kill(s->w.server, s->now_ns, a->ref);
		model_kill(&s->model, s->now_ns, client);
	}
	world_outputs_skip(&s->w);
}

static void timers_run(struct sim *s)
{
	unsigned budget = 1 + world_below(&s->w, 8);

	while (turn_deadline(s->w.server) <= s->now_ns)
		turn_advance(s->w.server, s->now_ns, budget);
	world_outputs_skip(&s->w);
	model_expire(&s->model, s->now_ns);
}

static void event_handle(struct sim *s, struct event *e)
{
	struct datagram *d = e->datagram;

	switch (e->kind) {
	case EVENT_TO_SERVER:
		request_deliver(s, d);
		break;
	case EVENT_TO_CLIENT:
		world_reply_handle(&s->w, s->now_ns, d);
		break;
	case EVENT_CLIENT_TIMER:
		world_client_act(&s->w, s->now_ns, e);
		break;
	case EVENT_OPERATOR:
		operator_acts(s);
		world_later(&s->w, s->now_ns, EVENT_OPERATOR, 0, 120);
		break;
	case EVENT_RESTART:
		world_server_restart(&s->w, s->now_ns);
		model_restart(&s->model, s->now_ns);
		for (unsigned c = 0; c < MODEL_CLIENTS; c++)
			client_compare(s, c);
		world_later(&s->w, s->now_ns, EVENT_RESTART, 0, 1200);
		break;
	}
	free(d);
}

static void run(struct sim *s)
{
	struct event e;

	while (world_event_next(&s->w, &e)) {
		if (e.at_ns > s->end_ns) {
			free(e.datagram);
			return;
		}
		s->now_ns = e.at_ns;
		// Now and then the server is busy, and requests come before due timers.
		if (s->now_ns >= s->late_until_ns)
			timers_run(s);
		if (world_below(&s->w, 256) == 0)
			s->late_until_ns = s->now_ns + world_below(&s->w, 60) * TP_NS_PER_S;
		event_handle(s, &e);
		if (s->n_delivered % 64 == 0) {
			for (unsigned c = 0; c < MODEL_CLIENTS; c++)
				client_compare(s, c);
		}
	}
}

static void sim_init(struct sim *s, uint64_t seed, uint64_t hours)
{
	s->now_ns = 5000 * TP_NS_PER_S + 123456789;
	s->end_ns = s->now_ns + hours * HOUR_NS;
	world_init(&s->w, seed, s->now_ns);
	s->model.users = s->users;
	s->model.user_quota = WORLD_USER_QUOTA;
	s->model.max_allocations = WORLD_MAX_ALLOCATIONS;
	s->model.ports_per_family = WORLD_PORTS;
	s->model.permission_follows_channel = s->w.conf.permission_follows_channel;
	s->model.denied = world_peer_denied;
	s->model.canonical = world_peer_canonical;
	for (unsigned i = 0; i < WORLD_USERS; i++) {
		s->users[i].quota_name = s->w.users[i].quota_name;
		s->users[i].expires_wall_s = s->w.users[i].expires_wall_s;
	}
}

// A run in which something never happened would prove nothing about it. A random one may be tame.
static void coverage_check(const struct sim *s, bool must_be_whole)
{
	static const unsigned codes[] = {
		0, 400, 401, 403, 420, 437, 438, 440, 441, 442, 443, 486, 508};

	for (size_t i = 0; i < TP_ARRAY_LEN(codes); i++)
		printf("%u: %llu\n", codes[i], (unsigned long long)s->n_codes[codes[i]]);
	fflush(stdout);
	for (size_t i = 0; i < TP_ARRAY_LEN(codes); i++) {
		if (must_be_whole && s->n_codes[codes[i]] == 0)
			fail(s, "the run is too tame: a code never came", codes[i]);
	}
}

int main(int argc, char **argv)
{
	struct sim *s = calloc(1, sizeof(*s));
	uint64_t seed, hours = argc > 2 ? strtoull(argv[2], NULL, 10) : 6;

	if (s == NULL)
		return 1;
	if (argc > 1)
		seed = strtoull(argv[1], NULL, 10);
	else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 1;
	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	sim_init(s, seed, hours);
	run(s);
	printf("%llu requests, %llu virtual hours\n", (unsigned long long)s->n_delivered,
		(unsigned long long)hours);
	coverage_check(s, argc > 1);
	world_fini(&s->w);
	free(s);
	return 0;
}
