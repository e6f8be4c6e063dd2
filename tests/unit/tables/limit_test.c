// SPDX-License-Identifier: BSD-3-Clause
// The limits array, and the entries that name its slots.
#include "fixture.h"

static const struct shm_tables_shape shape = {.n_entries = 256,
	.n_next_hops = 32,
	.n_port_indexes = 2,
	.n_allocations = 40,
	.n_limits = 6};

static const struct turn_limit wide = {.cap = {.bits_per_s = 7, .burst_bits = 8},
	.sessions = 9,
	.realm_id = 3,
	.kind = TP_LIMIT_REALM};

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

static uint32_t add(struct fixture *f, uint32_t parent)
{
	struct turn_limit limit = {.cap = {.packets_per_s = 50, .burst_packets = 4},
		.parent = parent,
		.sessions = 1,
		.kind = TP_LIMIT_ALLOCATION};

	return f->store.limit_add(f->store.ctx, &limit);
}

static void slots_hold_the_given_values(void **state)
{
	struct fixture *f = *state;
	uint32_t parent = f->store.limit_add(f->store.ctx, &wide), number = add(f, parent);
	const struct tp_limit *limits = tables_shm(f->t)->limits;
	uint32_t seq = tables_shm(f->t)->header->limit_seq;

	assert_in_range(number, 1, 6);
	assert_int_equal(limits[parent - 1].bits_per_s, 7);
	assert_int_equal(limits[parent - 1].burst_bits, 8);
	assert_int_equal(limits[parent - 1].sessions, 9);
	assert_int_equal(limits[parent - 1].realm_id, 3);
	assert_int_equal(limits[parent - 1].kind, TP_LIMIT_REALM);
	assert_int_equal(limits[number - 1].packets_per_s, 50);
	assert_int_equal(limits[number - 1].burst_packets, 4);
	assert_int_equal(limits[number - 1].parent, parent);
	f->store.limit_set(f->store.ctx, number, &wide);
	assert_int_equal(limits[number - 1].packets_per_s, 0);
	assert_int_equal(limits[number - 1].bits_per_s, 7);
	assert_true(tables_shm(f->t)->header->limit_seq != seq);
	// Numbers without a slot do nothing.
	f->store.limit_set(f->store.ctx, 0, &wide);
	f->store.limit_set(f->store.ctx, 7, &wide);
	f->store.limit_del(f->store.ctx, 7);
}

static void slots_come_back(void **state)
{
	struct fixture *f = *state;
	uint32_t first = add(f, 0);

	for (unsigned i = 1; i < 6; i++)
		assert_int_not_equal(add(f, 0), 0);
	assert_int_equal(add(f, 0), 0);
	f->store.limit_del(f->store.ctx, first);
	assert_int_equal(tables_shm(f->t)->limits[first - 1].packets_per_s, 0);
	assert_int_equal(add(f, 0), first);
}

// All entries of an allocation, and those it gets later.
static void assert_limit(const struct fixture *f, uint32_t i, uint32_t number)
{
	const struct tp_entry *e = fixture_entry(f, i);

	assert_int_equal(e->limit, number);
	assert_int_equal(e->flags & TP_ENTRY_LIMITED, number != 0 ? TP_ENTRY_LIMITED : 0);
}

static void entries_name_the_limit(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 1), other = fixture_allocate(f, 2), number = add(f, 0);
	uint32_t p = fixture_permit(f, a, 1), c = fixture_bind(f, a, 0x4000, 1), p2, c2;
	uint32_t stays = fixture_permit(f, other, 1);

	assert_limit(f, a, 0);
	f->store.allocation_limit(f->store.ctx, a, number);
	p2 = fixture_permit(f, a, 300);
	c2 = fixture_bind(f, a, 0x4001, 300);
	assert_limit(f, a, number);
	assert_limit(f, p, number);
	assert_limit(f, c, number);
	assert_limit(f, fixture_entry(f, c)->partner, number);
	assert_limit(f, p2, number);
	assert_limit(f, c2, number);
	assert_limit(f, fixture_entry(f, c2)->partner, number);
	assert_limit(f, other, 0);
	assert_limit(f, stays, 0);
	f->store.allocation_limit(f->store.ctx, a, 0);
	assert_limit(f, a, 0);
	assert_limit(f, fixture_entry(f, c2)->partner, 0);
}

static void counters_are_the_allocations_own(void **state)
{
	struct fixture *f = *state;
	uint32_t a = fixture_allocate(f, 1), number;
	struct tp_limit_cell *cells = f->state.limit_cells;
	struct tables_limit_usage usage;

	assert_int_equal(tables_limit_usage(f->t, a, &usage), -ENOENT);
	cells[0].dropped = 100;
	number = add(f, 0);
	assert_int_equal(number, 1);
	f->store.allocation_limit(f->store.ctx, a, number);
	cells[0].packets = 2;
	cells[0].bits = 80;
	cells[0].dropped = 101;
	cells[6].packets = 3;
	cells[6].marked = 1;
	assert_int_equal(tables_limit_usage(f->t, a, &usage), 0);
	assert_int_equal(usage.packets, 5);
	assert_int_equal(usage.octets, 10);
	assert_int_equal(usage.marked, 1);
	assert_int_equal(usage.dropped, 1);
	// A wider one is not its own.
	number = f->store.limit_add(f->store.ctx, &(struct turn_limit){.kind = TP_LIMIT_REALM});
	f->store.allocation_limit(f->store.ctx, a, number);
	assert_int_equal(tables_limit_usage(f->t, a, &usage), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(slots_hold_the_given_values, setup, teardown),
		cmocka_unit_test_setup_teardown(slots_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(entries_name_the_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(counters_are_the_allocations_own, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
