// SPDX-License-Identifier: BSD-3-Clause
// Slots and grace periods: nothing is reused before a data plane says so, and nobody waits.
#include "fixture.h"

// Few buckets: chains grow and shrink.
static const struct shm_tables_shape shape = {.n_entries = 128,
	.n_buckets = 2,
	.n_overflow = 20,
	.n_next_hops = 256,
	.n_port_indexes = 2,
	.n_allocations = 60};

static int setup(void **state)
{
	*state = fixture_make(&shape);
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static _Atomic uint32_t *gp_req(struct fixture *f)
{
	return &tables_shm(f->t)->header->gp_req;
}

static void retired_slots_rest(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0), generation = fixture_entry(f, a)->generation;

	f->store.allocation_del(f->store.ctx, a);
	assert_int_equal(fixture_counts(f).entries_retired, 1);
	tables_advance(f->t, f->now_ns += 20 * TP_NS_PER_MS);
	assert_int_equal(atomic_load(gp_req(f)), 0xfffffff1);
	tables_advance(f->t, f->now_ns += 20 * TP_NS_PER_MS);
	assert_int_equal(atomic_load(gp_req(f)), 0xfffffff1); // one request at a time
	assert_int_equal(fixture_counts(f).entries_retired, 1);
	assert_int_equal(fixture_counts(f).grace_open_ns, 20 * TP_NS_PER_MS);
	for (uint32_t i = 1; i < 60; i++)
		assert_int_not_equal(fixture_allocate(f, i), a);
	atomic_store(&f->state.header->gp_done, 0xfffffff1);
	tables_advance(f->t, f->now_ns);
	assert_int_equal(fixture_counts(f).entries_retired, 0);
	assert_int_equal(fixture_counts(f).grace_open_ns, 0);
	assert_int_equal(fixture_allocate(f, 60), a); // the slot given up last comes first
	assert_int_equal(fixture_entry(f, a)->generation, generation + 1);
}

// A slot retired while a request is open may have been seen by readers it does not wait for.
static void an_open_request_covers_only_what_was_before(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0), b = fixture_allocate(f, 1);

	f->store.allocation_del(f->store.ctx, a);
	tables_advance(f->t, f->now_ns += 20 * TP_NS_PER_MS);
	f->store.allocation_del(f->store.ctx, b);
	atomic_store(&f->state.header->gp_done, atomic_load(gp_req(f)));
	tables_advance(f->t, f->now_ns);
	assert_int_equal(fixture_counts(f).entries_retired, 1);
	fixture_grace(f);
	assert_int_equal(fixture_counts(f).entries_retired, 0);
}

static void tags_wrap(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 40; i++) {
		uint32_t a = fixture_allocate(f, i);

		f->store.allocation_del(f->store.ctx, a);
		assert_int_equal(fixture_counts(f).entries_retired, 1);
		fixture_grace(f);
		assert_int_equal(fixture_counts(f).entries_retired, 0);
	}
	assert_int_equal(atomic_load(gp_req(f)), 0xfffffff0u + 40);
}

static void requests_are_rare_unless_slots_are_few(void **state)
{
	struct fixture *f = *state;
	uint32_t asked = atomic_load(gp_req(f)), n = 0;

	for (uint32_t i = 0; i < 1000; i++) { // 100 ms, with something to retire all the time
		f->store.allocation_del(f->store.ctx, fixture_allocate(f, i % 60));
		tables_advance(f->t, f->now_ns += TP_NS_PER_MS / 10);
		atomic_store(&f->state.header->gp_done, atomic_load(gp_req(f)));
		n += tables_deadline(f->t, f->now_ns) <= f->now_ns + TP_NS_PER_MS;
	}
	// Waiting slots drain the pool: then it asks every millisecond.
	assert_true(n > 0);
	assert_in_range(atomic_load(gp_req(f)) - asked, 10, 100);

	fixture_grace(f);
	asked = atomic_load(gp_req(f));
	for (uint32_t i = 0; i < 100; i++) { // 100 ms, one a millisecond
		f->store.allocation_del(f->store.ctx, fixture_allocate(f, i % 60));
		tables_advance(f->t, f->now_ns += TP_NS_PER_MS);
		atomic_store(&f->state.header->gp_done, atomic_load(gp_req(f)));
	}
	assert_in_range(atomic_load(gp_req(f)) - asked, 9, 11);
	tables_advance(f->t, f->now_ns);
	asked = atomic_load(gp_req(f));
	fixture_grace(f);
	asked = atomic_load(gp_req(f));
	tables_advance(f->t, f->now_ns += TP_NS_PER_S); // nothing to wait for
	assert_int_equal(atomic_load(gp_req(f)), asked);
}

static void deadlines_follow_what_is_under_way(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(tables_deadline(f->t, f->now_ns), UINT64_MAX);
	tables_advance(f->t, f->now_ns);
	f->store.allocation_del(f->store.ctx, fixture_allocate(f, 0));
	assert_true(tables_deadline(f->t, f->now_ns) <= f->now_ns + 10 * TP_NS_PER_MS);
	tables_attach_state(f->t, NULL);
	assert_int_equal(tables_deadline(f->t, f->now_ns), UINT64_MAX);
}

// All entries are in use but the first, whose grace period has passed untold.
static void fill_but_one(struct fixture *f, uint32_t refs[60])
{
	for (uint32_t i = 0; i < 60; i++)
		refs[i] = fixture_allocate(f, i);
	f->store.allocation_del(f->store.ctx, refs[0]);
	tables_advance(f->t, f->now_ns += 20 * TP_NS_PER_MS);
	shm_state_adopt(&f->state, tables_shm(f->t));
}

// Without a data plane nothing passes; a full pool is found out by asking once more.
static void an_add_sees_a_grace_period_that_passed(void **state)
{
	struct fixture *f = *state;
	uint32_t refs[60];

	fill_but_one(f, refs);
	fixture_allocate(f, 60); // without tables_advance
}

// Fault: after a request that made no entry ripe (an add had taken them already, or only next hops
// were retired, as after a restart) no other one was ever asked for: no slot became free, and no
// allocation's end was told.
static void a_request_that_frees_nothing_is_followed_by_another(void **state)
{
	struct fixture *f = *state;
	uint32_t refs[60];

	fill_but_one(f, refs);
	fixture_allocate(f, 60); // takes the slot that is ripe
	f->store.allocation_del(f->store.ctx, refs[1]);
	f->now_ns += TP_NS_PER_S;
	assert_true(tables_deadline(f->t, f->now_ns) <= f->now_ns);
	tables_advance(f->t, f->now_ns);
	assert_true(tables_deadline(f->t, f->now_ns) > f->now_ns);
	fixture_grace(f);
	assert_int_equal(f->n_ended, 2);
}

static void chains_grow_and_shrink(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 0), refs[100], overflow;

	for (uint32_t i = 0; i < 100; i++)
		refs[i] = fixture_permit(f, a, 256 * i);
	overflow = fixture_counts(f).overflow_free;
	assert_in_range(overflow, 1, 9); // 101 keys in two chains of eight
	for (uint32_t i = 0; i < 100; i += 2)
		f->store.permission_del(f->store.ctx, refs[i]);
	for (uint32_t i = 0; i < 100; i++) {
		struct tp_addr peer = fixture_peer(256 * i);
		struct tp_key key = tp_key_permission(&peer, a);

		assert_int_equal(fixture_find(f, &key), i % 2 ? refs[i] : 0);
	}
	fixture_grace(f);
	for (uint32_t i = 0; i < 100; i += 2)
		refs[i] = fixture_permit(f, a, 256 * i);
	for (uint32_t i = 0; i < 100; i++)
		f->store.permission_del(f->store.ctx, refs[i]);
	assert_true(fixture_counts(f).overflow_free < 20); // empty ones rest too
	fixture_grace(f);
	assert_int_equal(fixture_counts(f).overflow_free, 20);
}

static void a_full_chain_is_no_space(void **state)
{
	static const struct shm_tables_shape narrow = {.n_entries = 128,
		.n_buckets = 1,
		.n_overflow = 3,
		.n_next_hops = 8,
		.n_port_indexes = 2,
		.n_allocations = 4};
	struct fixture *f = fixture_make(&narrow);
	uint32_t a = fixture_allocate(f, 0), ref, n = 0;
	struct tp_addr peer;
	struct tables_counts before, after;

	(void)state;
	for (;; n++) {
		peer = fixture_peer(256 * n);
		before = fixture_counts(f);
		if (f->store.permission_add(f->store.ctx, a, &peer, 1, &ref) < 0)
			break;
	}
	assert_int_equal(n, 4 * TP_BUCKET_SLOTS - 1);
	after = fixture_counts(f);
	assert_int_equal(after.entries_free, before.entries_free);
	assert_int_equal(after.next_hops_used, before.next_hops_used);
	assert_int_equal(after.full, 1);
	fixture_free(f);
}

// The last writer's request is open, and nothing of this one's waits: it is watched until it has
// passed, and no alarm grows out of it.
static void a_request_of_the_last_writer_is_watched(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(tables_deadline(f->t, f->now_ns), UINT64_MAX);
	atomic_fetch_add(gp_req(f), 1);
	tables_advance(f->t, f->now_ns += 20 * TP_NS_PER_MS);
	assert_in_range(tables_deadline(f->t, f->now_ns) - f->now_ns, 1, 10 * TP_NS_PER_MS);
	f->now_ns += 5 * TP_NS_PER_S;
	assert_int_equal(fixture_counts(f).grace_open_ns, 5 * TP_NS_PER_S);
	atomic_store(&f->state.header->gp_done, atomic_load(gp_req(f)));
	assert_int_equal(fixture_counts(f).grace_open_ns, 0);
	tables_advance(f->t, f->now_ns);
	assert_int_equal(tables_deadline(f->t, f->now_ns), UINT64_MAX);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(retired_slots_rest),
		TEST(an_open_request_covers_only_what_was_before),
		TEST(tags_wrap),
		TEST(requests_are_rare_unless_slots_are_few),
		TEST(deadlines_follow_what_is_under_way),
		TEST(an_add_sees_a_grace_period_that_passed),
		TEST(a_request_that_frees_nothing_is_followed_by_another),
		TEST(chains_grow_and_shrink),
		TEST(a_full_chain_is_no_space),
		TEST(a_request_of_the_last_writer_is_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
