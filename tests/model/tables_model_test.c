// SPDX-License-Identifier: BSD-3-Clause
// Random operations on the tables' writer against a model so simple that it is plainly right:
// arrays of expected objects. Restarts, lost and new data planes, grace periods and route changes
// come in between.
//
//   tables_model_test [SEED [STEPS]]
#include <stdio.h>
#include <time.h>

#include "tables_model.h"

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
		struct tp_addr want = model_peer(p);

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
	struct tp_addr want = model_peer(c->peer);

	assert_int_equal(c->ref, ref);
	assert_true(tp_addr_equal(&want, peer));
	assert_int_equal(c->expires_s, expires_s);
	m->n_seen++;
	return 0;
}

static void take_over_as(struct model *m, bool moving)
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
	assert_int_equal(result.corrupt + result.rebuilt, 0);
	assert_true(moving || result.removed == 0);
	m->taken_over++;
}

static void take_over(struct model *m)
{
	take_over_as(m, false);
}

static void new_data_plane(struct model *m)
{
	struct shm_state old = m->f->state;

	fixture_state_make(m->f, 1 + model_pick(m, 3));
	shm_state_close(&old);
}

static uint32_t found(struct model *m, struct tp_key key, uint32_t ref)
{
	assert_int_equal(fixture_find(m->f, &key), ref);
	return ref;
}

// Number of the allocation's entries that leave by a next hop.
static uint32_t allocation_compare(struct model *m, uint32_t n)
{
	const struct model_allocation *a = &m->allocations[n];
	struct turn_allocation_record rec = a->ref != 0 ? a->rec : fixture_record(m->f, n);
	uint32_t hops = a->ref != 0;
	struct tables_usage want = a->used, have;

	found(m, tp_key_allocation(&rec.client.remote, rec.client.listener_id), a->ref);
	assert_int_equal(fixture_port(m->f, &rec.relay[0].local), a->ref);
	if (a->ref == 0)
		return 0;
	assert_int_equal(fixture_entry(m->f, a->ref)->expires_s, a->expires_s);
	for (uint32_t p = 0; p < PEERS; p++) {
		const struct model_permission *perm = &a->permissions[p];
		struct tp_addr peer = model_peer(p);
		uint32_t number = model_channel_of_peer(a, p), channel_peer;
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

// Another 5-tuple: at last it has it, or not, or a new writer that begins no move anew decides.
static void move(struct model *m, struct model_allocation *a)
{
	uint32_t end = model_pick(m, 4);

	if (model_move(m, a, end < 2) && end == 2)
		m->f->store.move_cancel(m->f->store.ctx, a->ref);
	else if (end == 3)
		take_over_as(m, true);
	// Records are free again, as the model counts them.
	fixture_grace(m->f);
}

static void step(struct model *m)
{
	struct model_allocation *a = &m->allocations[model_pick(m, ALLOCATIONS)];
	uint32_t n = (uint32_t)(a - m->allocations), p = model_pick(m, PEERS),
		 i = model_pick(m, NUMBERS);
	uint32_t what = model_pick(m, 1000);

	if (what < 120)
		model_allocation_add(m, n);
	else if (what < 370)
		model_permission_add(m, a, p);
	else if (what < 620)
		model_channel_add(m, a, i, p);
	else if (what < 700)
		model_permission_del(m, a, p);
	else if (what < 780)
		model_channel_del(m, a, i);
	else if (what < 800)
		model_allocation_del(m, a);
	else if (what < 870)
		model_refresh(m, a, p, i);
	else if (what < 960)
		model_count(m, a, p, i);
	else if (what < 975)
		move(m, a);
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
	m->f = fixture_make(&model_shape);
	for (unsigned long i = 0; i < steps; i++) {
		step(m);
		if (i % 50 == 0)
			compare(m);
	}
	compare(m);
	printf("%u added, %u refused for want of space, %u moved, %u restarts, %u ended\n",
		m->added, m->refused, m->moved, m->taken_over, m->f->n_ended);
	assert_true(m->refused > 0 && m->moved > 0 && m->taken_over > 0 && m->f->n_ended > 0);
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
