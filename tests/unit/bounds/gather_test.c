// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <bounds/gather.h>

#define MS 1000000u

// A thread as its rounds see it.
struct world {
	struct gather g;
	uint64_t now_ns;
	struct gather_count count;
	unsigned connections;
};

// Rounds for `ms`, each of which finds the messages since the one before, of as many connections as
// there are: a call for each that has one.
static void run(struct world *w, unsigned ms, unsigned messages_per_ms)
{
	uint64_t end_ns = w->now_ns + (uint64_t)ms * MS, came_ns = w->now_ns;

	while (w->now_ns < end_ns) {
		uint64_t n;

		w->now_ns += gather_wait_ns(&w->g, w->now_ns);
		gather_begin(&w->g, w->now_ns, &w->count);
		n = (w->now_ns - came_ns) * messages_per_ms / MS;
		came_ns += n * MS / messages_per_ms;
		w->count.messages += n;
		w->count.calls += n < w->connections ? n : w->connections;
		w->now_ns += 20000;
	}
}

// One in which nothing is done.
static void silence(struct world *w, unsigned ms)
{
	w->now_ns += (uint64_t)ms * MS;
	gather_begin(&w->g, w->now_ns, &w->count);
}

static void few_calls_wait_for_nothing(void **state)
{
	struct world w = {.connections = 100};

	(void)state;
	run(&w, 500, 10);
	assert_int_equal(w.g.gap_ns, 0);
	assert_int_equal(gather_wait_ns(&w.g, w.now_ns), 0);
}

static void many_calls_become_fewer(void **state)
{
	struct world w = {.connections = 100};
	struct gather_count before;

	(void)state;
	run(&w, 100, 200);
	assert_int_equal(w.g.gap_ns, GATHER_GAP_MAX_NS);
	before = w.count;
	run(&w, 1000, 200);
	assert_int_equal(w.g.gap_ns, GATHER_GAP_MAX_NS);
	assert_true(w.count.messages - before.messages > 3 * (w.count.calls - before.calls));
}

static void a_round_waits_for_its_time_only(void **state)
{
	struct world w = {.connections = 100};

	(void)state;
	run(&w, 100, 200);
	gather_begin(&w.g, w.now_ns, &w.count);
	assert_int_equal(gather_wait_ns(&w.g, w.now_ns), GATHER_GAP_MAX_NS);
	assert_int_equal(gather_wait_ns(&w.g, w.now_ns + GATHER_GAP_MAX_NS - 1), 1);
	assert_int_equal(gather_wait_ns(&w.g, w.now_ns + GATHER_GAP_MAX_NS), 0);
	assert_int_equal(gather_wait_ns(&w.g, w.now_ns + 1000 * GATHER_GAP_MAX_NS), 0);
}

static void the_gap_goes_with_the_calls(void **state)
{
	struct world w = {.connections = 100};

	(void)state;
	run(&w, 100, 200);
	run(&w, 100, 10);
	assert_int_equal(w.g.gap_ns, 0);
	run(&w, 100, 200);
	assert_int_equal(w.g.gap_ns, GATHER_GAP_MAX_NS);
	silence(&w, 1000);
	assert_int_equal(w.g.gap_ns, 0);
}

// So many connections have one message each: a wait would delay it, and gather nothing.
static void no_gap_where_nothing_gathers(void **state)
{
	struct world w = {.connections = 100000};
	uint64_t waits = 0;

	(void)state;
	run(&w, 300, 200);
	for (unsigned i = 0; i < 800; i++) {
		run(&w, 1, 200);
		waits += w.g.gap_ns;
	}
	assert_int_equal(waits, 0);
	// It is tried again.
	w.connections = 100;
	run(&w, 1000, 200);
	assert_int_equal(w.g.gap_ns, GATHER_GAP_MAX_NS);
}

// A storm of new clients: each handshake has four calls and two messages.
static void handshakes_wait_for_others(void **state)
{
	struct world w = {.now_ns = MS};
	unsigned without_gap = 0;

	(void)state;
	while (w.now_ns < 3000ull * MS) {
		w.now_ns += gather_wait_ns(&w.g, w.now_ns);
		gather_begin(&w.g, w.now_ns, &w.count);
		w.count.handshakes += 32;
		w.count.messages += 2 * 32;
		w.count.calls += 4 * 32;
		w.now_ns += MS;
		without_gap += w.g.gap_ns == 0;
	}
	assert_true(without_gap < 10);
}

// A turn that came late has many calls; that says nothing about the gap.
static void one_bad_period_changes_nothing(void **state)
{
	struct world w = {.connections = 100};

	(void)state;
	run(&w, 200, 200);
	w.count.calls += 700;
	w.count.messages += 700;
	w.now_ns += 4 * MS;
	run(&w, 4, 200);
	assert_int_equal(w.g.gap_ns, GATHER_GAP_MAX_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_calls_wait_for_nothing),
		cmocka_unit_test(many_calls_become_fewer),
		cmocka_unit_test(a_round_waits_for_its_time_only),
		cmocka_unit_test(the_gap_goes_with_the_calls),
		cmocka_unit_test(no_gap_where_nothing_gathers),
		cmocka_unit_test(handshakes_wait_for_others),
		cmocka_unit_test(one_bad_period_changes_nothing),
	};

	return cmocka_run_group_tests_name("gather", tests, NULL, NULL);
}
