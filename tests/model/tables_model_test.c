// SPDX-License-Identifier: BSD-3-Clause
// Random operations on the tables' writer against a model so simple that it is plainly right:
// arrays of what should be there. Restarts, lost and new data planes, grace periods and route
// changes come in between.
//
//   tables_model_test [SEED [STEPS]]
#include <stdio.h>
#include <time.h>

#include "fixture.h"

#define ALLOCATIONS 24u
#define PEERS	    6u
#define NUMBERS	    8u

static const struct shm_tables_shape shape = {.n_entries = 320,
	.n_buckets = 8,
	.n_overflow = 40,
	.n_next_hops = 16,
	.n_port_indexes = 2,
	.n_allocations = 20};

struct model_channel {
	uint32_t ref; // 0: not bound
	uint32_t peer, expires_s, permission_expires_s;
	uint64_t to_peer, to_client; // packets of this life
};

struct model_permission {
	uint32_t ref;
	uint32_t expires_s;
	uint64_t to_peer;
};

struct model_allocation {
	uint32_t ref; // 0: not there
	uint32_t expires_s;
	struct turn_allocation_record rec;
	struct model_permission permissions[PEERS];
	struct model_channel channels[NUMBERS];
	struct tables_usage used; // octets are 100 times the packets
};

struct model {
	struct fixture *f;
	struct model_allocation allocations[ALLOCATIONS];
	uint64_t random;
	unsigned added, deleted, refused, taken_over;
	unsigned n_seen; // by the visitor
};

static uint32_t pick(struct model *m, uint32_t n)
{
	uint64_t z = (m->random += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ z >> 31) % n);
}

// Peer 0 is the relay's own address as seen from outside.
static struct tp_addr peer_of(uint32_t p)
{
	return p == 0 ? tp_addr_ipv4(0xcb007101, 50000) : fixture_peer(256 * p);
}

static uint32_t expiry(struct model *m)
{
	return 1000 + pick(m, 1000);
}

// An add was refused for want of space: there must be none. Records go with allocations, until the
// last packet of one that ended is counted.
static void refusal_is_right(struct model *m, uint32_t entries_needed, bool record_needed)
{
	struct tables_counts c = fixture_counts(m->f);
	unsigned records = c.allocations + m->deleted - m->f->n_ended;

	m->refused++;
	assert_true(c.entries_free < entries_needed || c.overflow_free == 0 ||
		    (record_needed && records == shape.n_allocations));
}

static uint32_t channel_of_peer(const struct model_allocation *a, uint32_t peer)
{
	for (uint32_t i = 0; i < NUMBERS; i++)
		if (a->channels[i].ref != 0 && a->channels[i].peer == peer)
			return i;
	return NUMBERS;
}

// ---- operations -------------------------------------------------------------------------------

static void allocation_add(struct model *m, uint32_t n)
{
	struct model_allocation *a = &m->allocations[n];
	struct turn_allocation_record rec = fixture_record(m->f, n);
	uint32_t ref = 0;
	int rc;

	rec.relay[0].expires_s = expiry(m);
	if (n % 5 == 0) {
		rec.username_len = (uint16_t)(1 + pick(m, TURN_USERNAME_MAX));
		memset(rec.username, 0, sizeof(rec.username));
		memset(rec.username, 'a' + (int)n % 26, rec.username_len);
	}
	rc = m->f->store.allocation_add(m->f->store.ctx, &rec, &ref);
	if (a->ref != 0) {
		assert_int_equal(rc, -EEXIST);
	} else if (rc == -ENOSPC) {
		refusal_is_right(m, 1, true);
	} else {
		assert_int_equal(rc, 0);
		memset(a, 0, sizeof(*a));
		a->ref = ref;
		a->rec = rec;
		a->expires_s = rec.relay[0].expires_s;
		m->added++;
	}
}

static void permission_add(struct model *m, struct model_allocation *a, uint32_t p)
{
	struct tp_addr peer = peer_of(p);
	uint32_t ref = 0, expires_s = expiry(m);
	int rc = m->f->store.permission_add(m->f->store.ctx, a->ref, &peer, expires_s, &ref);

	if (a->ref == 0) {
		assert_int_equal(rc, -EINVAL);
	} else if (a->permissions[p].ref != 0) {
		assert_int_equal(rc, -EEXIST);
	} else if (rc == -ENOSPC) {
		refusal_is_right(m, 1, false);
	} else {
		assert_int_equal(rc, 0);
		a->permissions[p] = (struct model_permission){.ref = ref, .expires_s = expires_s};
		m->added++;
	}
}

static void channel_add(struct model *m, struct model_allocation *a, uint32_t number, uint32_t p)
{
	struct tp_addr peer = peer_of(p);
	uint32_t ref = 0, e1 = expiry(m), e2 = expiry(m);
	int rc = m->f->store.channel_add(
		m->f->store.ctx, a->ref, (uint16_t)(0x4000 + number), &peer, e1, e2, &ref);

	if (a->ref == 0) {
		assert_int_equal(rc, -EINVAL);
	} else if (a->channels[number].ref != 0 || channel_of_peer(a, p) != NUMBERS) {
		assert_int_equal(rc, -EEXIST);
	} else if (rc == -ENOSPC) {
		refusal_is_right(m, 2, false);
	} else {
		assert_int_equal(rc, 0);
		a->channels[number] = (struct model_channel){
			.ref = ref, .peer = p, .expires_s = e1, .permission_expires_s = e2};
		m->added++;
	}
}

static void refresh(struct model *m, struct model_allocation *a, uint32_t p, uint32_t number)
{
	const struct turn_store *s = &m->f->store;
	uint32_t e1 = expiry(m), e2 = expiry(m);

	s->allocation_refresh(s->ctx, a->ref, 0, e1);
	a->expires_s = e1;
	s->permission_refresh(s->ctx, a->permissions[p].ref, e2);
	a->permissions[p].expires_s = e2;
	s->channel_refresh(s->ctx, a->channels[number].ref, e1, e2);
	a->channels[number].expires_s = e1;
	a->channels[number].permission_expires_s = e2;
}

static void permission_del(struct model *m, struct model_allocation *a, uint32_t p)
{
	m->f->store.permission_del(m->f->store.ctx, a->permissions[p].ref);
	a->used.to_peer_packets += a->permissions[p].to_peer;
	memset(&a->permissions[p], 0, sizeof(a->permissions[p]));
}

static void channel_del(struct model *m, struct model_allocation *a, uint32_t number)
{
	struct model_channel *c = &a->channels[number];

	m->f->store.channel_del(m->f->store.ctx, c->ref);
	a->used.to_peer_packets += c->to_peer;
	a->used.to_client_packets += c->to_client;
	memset(c, 0, sizeof(*c));
}

static void allocation_del(struct model *m, struct model_allocation *a)
{
	m->f->store.allocation_del(m->f->store.ctx, a->ref);
	m->deleted += a->ref != 0;
	memset(a, 0, sizeof(*a));
}

static void cell_count(struct model *m, uint32_t entry, uint64_t *model)
{
	struct tp_cell *cell = shm_state_cell(&m->f->state, pick(m, m->f->state.n_workers), entry);
	uint64_t n = 1 + pick(m, 9);

	if (entry == 0)
		return;
	tp_count(&cell->packets, n);
	tp_count(&cell->octets, 100 * n);
	*model += n;
}

static void count(struct model *m, struct model_allocation *a, uint32_t p, uint32_t number)
{
	struct model_channel *c = &a->channels[number];

	cell_count(m, a->ref, &a->used.to_client_packets);
	cell_count(m, a->permissions[p].ref, &a->permissions[p].to_peer);
	cell_count(m, c->ref, &c->to_peer);
	if (c->ref != 0)
		cell_count(m, fixture_entry(m->f, c->ref)->partner, &c->to_client);
}

// ---- restarts ---------------------------------------------------------------------------------

static struct model_allocation *allocation_by_port(struct model *m, uint16_t port_be)
{
	return &m->allocations[tp_ntohs(port_be) - 49152];
}

static int seen_allocation(void *ctx, const struct turn_allocation_record *rec, uint32_t ref)
{
	struct model *m = ctx;
	struct model_allocation *a = allocation_by_port(m, rec->relay[0].local.port_be);
	struct turn_allocation_record want = a->rec;

	want.relay[0].expires_s = a->expires_s;
	assert_memory_equal(rec, &want, sizeof(want));
	assert_int_equal(ref, a->ref);
	m->n_seen++;
	return 0;
}

static struct model_allocation *allocation_by_ref(struct model *m, uint32_t ref)
{
	for (uint32_t n = 0; n < ALLOCATIONS; n++)
		if (m->allocations[n].ref == ref)
			return &m->allocations[n];
	fail_msg("no allocation %u", ref);
	return NULL;
}

static int seen_permission(void *ctx, uint32_t allocation, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	struct model *m = ctx;
	struct model_allocation *a = allocation_by_ref(m, allocation);

	for (uint32_t p = 0; p < PEERS; p++) {
		struct tp_addr want = peer_of(p);

		if (!tp_addr_same_ip(&want, peer))
			continue;
		assert_int_equal(a->permissions[p].ref, ref);
		assert_int_equal(a->permissions[p].expires_s, expires_s);
		m->n_seen++;
	}
	return 0;
}

static int seen_channel(void *ctx, uint32_t allocation, uint16_t number, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	struct model *m = ctx;
	struct model_channel *c = &allocation_by_ref(m, allocation)->channels[number - 0x4000];
	struct tp_addr want = peer_of(c->peer);

	assert_int_equal(c->ref, ref);
	assert_true(tp_addr_equal(&want, peer));
	assert_int_equal(c->expires_s, expires_s);
	m->n_seen++;
	return 0;
}

static void take_over(struct model *m)
{
	struct tables_visitor v = {.ctx = m,
		.allocation = seen_allocation,
		.permission = seen_permission,
		.channel = seen_channel};
	struct tables_recovery result;
	unsigned there = 0;

	for (uint32_t n = 0; n < ALLOCATIONS; n++) {
		struct model_allocation *a = &m->allocations[n];

		there += a->ref != 0;
		for (uint32_t p = 0; p < PEERS; p++)
			there += a->permissions[p].ref != 0;
		for (uint32_t i = 0; i < NUMBERS; i++)
			there += a->channels[i].ref != 0;
	}
	m->n_seen = 0;
	fixture_take_over(m->f);
	assert_int_equal(tables_recover(m->f->t, &v, &result), 0);
	assert_int_equal(m->n_seen, there);
	assert_int_equal(result.removed + result.corrupt + result.rebuilt, 0);
	m->taken_over++;
}

static void new_data_plane(struct model *m)
{
	struct shm_state old = m->f->state;

	fixture_state_make(m->f, 1 + pick(m, 3));
	shm_state_close(&old);
}

// ---- the whole --------------------------------------------------------------------------------

static uint32_t found(struct model *m, struct tp_key key, uint32_t ref)
{
	assert_int_equal(fixture_find(m->f, &key), ref);
	return ref;
}

// Number of the allocation's entries that leave by a next hop.
static uint32_t allocation_compare(struct model *m, uint32_t n)
{
	const struct model_allocation *a = &m->allocations[n];
	struct turn_allocation_record rec = fixture_record(m->f, n);
	uint32_t hops = a->ref != 0;
	struct tables_usage want = a->used, have;

	found(m, tp_key_allocation(&rec.client.remote, rec.client.listener_id), a->ref);
	assert_int_equal(fixture_port(m->f, &rec.relay[0].local), a->ref);
	if (a->ref == 0)
		return 0;
	assert_int_equal(fixture_entry(m->f, a->ref)->expires_s, a->expires_s);
	for (uint32_t p = 0; p < PEERS; p++) {
		const struct model_permission *perm = &a->permissions[p];
		struct tp_addr peer = peer_of(p);
		uint32_t number = channel_of_peer(a, p), channel_peer;
		struct tp_key key =
			tp_key_peer(&peer, rec.relay[0].relay_id, rec.relay[0].local.port_be);

		if (found(m, tp_key_permission(&peer, a->ref), perm->ref) != 0) {
			assert_int_equal(
				fixture_entry(m->f, perm->ref)->expires_s, perm->expires_s);
			hops += p != 0;
			want.to_peer_packets += perm->to_peer;
		}
		channel_peer = number == NUMBERS
				       ? 0
				       : fixture_entry(m->f, a->channels[number].ref)->partner;
		found(m, key, channel_peer);
	}
	for (uint32_t i = 0; i < NUMBERS; i++) {
		const struct model_channel *c = &a->channels[i];
		const struct tp_entry *e;

		if (found(m,
			    tp_key_channel(&rec.client.remote, rec.client.listener_id,
				    (uint16_t)(0x4000 + i)),
			    c->ref) == 0)
			continue;
		e = fixture_entry(m->f, c->ref);
		assert_int_equal(e->expires_s, c->expires_s);
		assert_int_equal(
			fixture_entry(m->f, e->partner)->expires_s, c->permission_expires_s);
		assert_int_equal(e->allocation, a->ref);
		hops += 1 + (c->peer != 0);
		want.to_peer_packets += c->to_peer;
		want.to_client_packets += c->to_client;
	}
	want.to_peer_octets = 100 * want.to_peer_packets;
	want.to_client_octets = 100 * want.to_client_packets;
	assert_int_equal(tables_allocation_usage(m->f->t, a->ref, &have), 0);
	assert_memory_equal(&have, &want, sizeof(want));
	return hops;
}

static void compare(struct model *m)
{
	struct tables_next_hop hop;
	uint32_t cursor = 0, have = 0, want = 0;
	struct tables_counts c = fixture_counts(m->f);
	unsigned allocations = 0;

	for (uint32_t n = 0; n < ALLOCATIONS; n++) {
		want += allocation_compare(m, n);
		allocations += m->allocations[n].ref != 0;
	}
	while (tables_next_hop_next(m->f->t, &cursor, &hop))
		have += hop.references;
	assert_int_equal(have, want);
	assert_int_equal(c.allocations, allocations);
	assert_int_equal(
		c.entries_free + c.entries_retired + c.allocations + c.permissions + 2 * c.channels,
		c.entries);
}

static void step(struct model *m)
{
	struct model_allocation *a = &m->allocations[pick(m, ALLOCATIONS)];
	uint32_t n = (uint32_t)(a - m->allocations), p = pick(m, PEERS), i = pick(m, NUMBERS);
	uint32_t what = pick(m, 1000);

	if (what < 120)
		allocation_add(m, n);
	else if (what < 370)
		permission_add(m, a, p);
	else if (what < 620)
		channel_add(m, a, i, p);
	else if (what < 700)
		permission_del(m, a, p);
	else if (what < 780)
		channel_del(m, a, i);
	else if (what < 800)
		allocation_del(m, a);
	else if (what < 870)
		refresh(m, a, p, i);
	else if (what < 960)
		count(m, a, p, i);
	else if (what < 990)
		fixture_grace(m->f);
	else if (what < 994)
		take_over(m);
	else if (what < 997)
		new_data_plane(m);
	else
		tables_routes_changed(m->f->t);
}

static uint64_t seed;
static unsigned long steps = 20000;

static void tables_agree_with_model(void **state)
{
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	m->random = seed;
	m->f = fixture_make(&shape);
	for (unsigned long i = 0; i < steps; i++) {
		step(m);
		if (i % 50 == 0)
			compare(m);
	}
	compare(m);
	printf("%u added, %u refused for want of space, %u restarts, %u ended\n", m->added,
		m->refused, m->taken_over, m->f->n_ended);
	assert_true(m->refused > 0 && m->taken_over > 0 && m->f->n_ended > 0);
	fixture_free(m->f);
	free(m);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(tables_agree_with_model)};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = argc > 1 ? strtoull(argv[1], NULL, 0)
			: (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	if (argc > 2)
		steps = strtoul(argv[2], NULL, 10);
	printf("seed %llu, %lu steps\n", (unsigned long long)seed, steps);
	fflush(stdout);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
