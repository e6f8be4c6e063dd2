// SPDX-License-Identifier: BSD-3-Clause
// The busiest allocations out of counters that a test moves.
#include <operator/hot.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ENTRIES 150000u // more than two parts
#define WORKERS 2u
#define TICK_NS (100 * TP_NS_PER_MS)

struct world {
	struct tp_state_header header;
	struct shm_state state;
	struct shm_tables tables;
	struct operator_hot hot;
	uint64_t now_ns;
	uint32_t ended; // this allocation is no more
	unsigned asked; // for totals
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->header.file.created_ns = 7;
	w->header.cells_ready = ENTRIES;
	w->state = (struct shm_state){.header = &w->header,
		.cells = calloc((size_t)WORKERS * ENTRIES, sizeof(struct tp_cell)),
		.n_workers = WORKERS,
		.n_entries = ENTRIES};
	w->tables.entries = calloc(ENTRIES, sizeof(struct tp_entry));
	// Groups of three: the allocation and two more.
	for (uint32_t i = 1; i < ENTRIES; i++)
		w->tables.entries[i].allocation = (i - 1) / 3 * 3 + 1;
	w->now_ns = 1000 * TP_NS_PER_S;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	operator_hot_fini(&w->hot);
	free(w->state.cells);
	free(w->tables.entries);
	free(w);
	return 0;
}

static bool total(void *ctx, uint32_t ref, uint64_t *packets, uint64_t *octets)
{
	struct world *w = ctx;

	w->asked++;
	if (ref == w->ended)
		return false;
	*packets = *octets = 0;
	for (uint32_t k = 0; k < WORKERS; k++) {
		for (uint32_t i = ref; i < ref + 3 && i < ENTRIES; i++) {
			*packets += shm_state_cell(&w->state, k, i)->packets;
			*octets += shm_state_cell(&w->state, k, i)->octets;
		}
	}
	return true;
}

static void relay(struct world *w, uint32_t worker, uint32_t entry, uint32_t packets)
{
	shm_state_cell(&w->state, worker, entry)->packets += packets;
	shm_state_cell(&w->state, worker, entry)->octets += 100ull * packets;
}

static void tick(struct world *w)
{
	w->now_ns += TICK_NS;
	operator_hot_tick(&w->hot, &w->state, &w->tables, total, w, w->now_ns);
}

// Twenty ticks: one packet in each for 300, two for 100,000 on the other worker and in two of its
// entries, ten for 149,998.
static void traffic(struct world *w)
{
	for (unsigned i = 0; i < 20; i++) {
		relay(w, 0, 300, 1);
		relay(w, 1, 100000, 1);
		relay(w, 0, 100001, 1);
		relay(w, 0, 149998, 10);
		tick(w);
		if (i % 10 == 0)
			assert_int_equal(operator_hot_ask(&w->hot, w->now_ns), 0);
	}
}

static void the_busiest_come_first(void **state)
{
	struct world *w = *state;
	struct operator_hot_one ones[OPERATOR_HOT_MAX];

	assert_int_equal(operator_hot_ask(&w->hot, w->now_ns), 0);
	traffic(w);
	assert_int_equal(operator_hot_list(&w->hot, ones, OPERATOR_HOT_MAX), 3);
	assert_int_equal(ones[0].ref, 149998);
	assert_int_equal(ones[0].packets_per_s, 100);
	assert_int_equal(ones[0].octets_per_s, 10000);
	assert_true(ones[0].measured);
	assert_int_equal(ones[1].ref, 100000);
	assert_int_equal(ones[1].packets_per_s, 20);
	assert_int_equal(ones[2].ref, 298);
	assert_int_equal(ones[2].packets_per_s, 10);
	assert_true(w->hot.pass_ns >= 3 * TICK_NS);
	assert_int_equal(operator_hot_list(&w->hot, ones, 1), 1);

	// Silence.
	for (unsigned i = 0; i < 25; i++)
		tick(w);
	assert_int_equal(operator_hot_list(&w->hot, ones, OPERATOR_HOT_MAX), 0);
}

static void the_ended_go(void **state)
{
	struct world *w = *state;
	struct operator_hot_one ones[OPERATOR_HOT_MAX];

	operator_hot_ask(&w->hot, w->now_ns);
	traffic(w);
	w->ended = 149998;
	traffic(w);
	assert_int_equal(operator_hot_list(&w->hot, ones, OPERATOR_HOT_MAX), 2);
	assert_int_equal(ones[0].ref, 100000);
}

// A busy one comes in when all places are taken by slower ones.
static void the_slowest_gives_way(void **state)
{
	struct world *w = *state;
	struct operator_hot_one ones[OPERATOR_HOT_MAX];
	const uint32_t late = 1 + 3 * 2000;

	operator_hot_ask(&w->hot, w->now_ns);
	for (unsigned i = 0; i < 60; i++) {
		for (uint32_t k = 0; k < 200; k++)
			relay(w, 0, 1 + 3 * k, 1);
		if (i >= 20)
			relay(w, 1, late, 5);
		tick(w);
		operator_hot_ask(&w->hot, w->now_ns);
	}
	assert_int_equal(operator_hot_list(&w->hot, ones, OPERATOR_HOT_MAX), OPERATOR_HOT_MAX);
	assert_int_equal(ones[0].ref, late);
	assert_int_equal(ones[0].packets_per_s, 50);
	// Those that are as slow as the slowest do not ask for their totals again and again.
	assert_true(w->asked < 20 * OPERATOR_HOT_MAX);
}

static void nobody_looks_nothing_is_done(void **state)
{
	struct world *w = *state;

	traffic(w); // asks in its first tick
	assert_true(w->asked > 0);
	for (unsigned i = 0; i < 60; i++)
		tick(w);
	assert_null(w->hot.last);
	w->asked = 0;
	relay(w, 0, 300, 100);
	tick(w);
	assert_int_equal(w->asked, 0);
}

static void other_counters_start_anew(void **state)
{
	struct world *w = *state;
	struct operator_hot_one ones[OPERATOR_HOT_MAX];

	operator_hot_ask(&w->hot, w->now_ns);
	traffic(w);
	w->header.file.created_ns = 8;
	for (uint32_t i = 0; i < WORKERS * ENTRIES; i++)
		w->state.cells[i].packets = 0;
	tick(w);
	assert_int_equal(operator_hot_list(&w->hot, ones, OPERATOR_HOT_MAX), 0);
	// An entry that names no allocation is passed over.
	w->tables.entries[300].allocation = UINT32_MAX;
	traffic(w);
	assert_int_equal(operator_hot_list(&w->hot, ones, OPERATOR_HOT_MAX), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_busiest_come_first, setup, teardown),
		cmocka_unit_test_setup_teardown(the_ended_go, setup, teardown),
		cmocka_unit_test_setup_teardown(the_slowest_gives_way, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_looks_nothing_is_done, setup, teardown),
		cmocka_unit_test_setup_teardown(other_counters_start_anew, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
