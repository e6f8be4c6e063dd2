// SPDX-License-Identifier: BSD-3-Clause
// Which rounds count: those whose core kept its speed between their two sides.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <result.h>

static double relay_of(const struct bench_round *r)
{
	return r->relay;
}

static void round_add(struct bench_cell *c, double least, double most, double relay)
{
	struct bench_round *r = bench_cell_round(c);

	r->spin_least = least;
	r->spin = most;
	r->relay = relay;
}

static const struct bench_options options = {.channels = {2, 4},
	.n_channels = 2,
	.directions = {0},
	.n_directions = 1,
	.payloads = {160},
	.n_payloads = 1,
	.families = {BENCH_IPV4},
	.n_families = 1,
	.sources = BENCH_SOURCE_MEMORY,
	.rounds = 4};

static void test_uneven_rounds_are_left_out(void **state)
{
	struct bench_result r;
	struct bench_cell *a, *b;
	struct bench_spread s;

	(void)state;
	assert_int_equal(bench_result_init(&r, &options), 0);
	a = bench_result_cell(&r);
	b = bench_result_cell(&r);
	round_add(a, 10.0, 11.4, 100);
	round_add(a, 10.0, 11.6, 900); // its sides had different cores
	round_add(a, 15.0, 16.0, 200); // slower than the others, but even
	round_add(a, 20.1, 20.2, 900); // next to no core
	round_add(b, 10.0, 10.0, 100);
	bench_result_settle(&r);
	assert_int_equal(bench_cell_kept(a), 2);
	s = bench_cell_spread(a, relay_of);
	assert_true(s.low == 100 && s.high == 200 && s.median == 150);
	assert_true(r.best_spin == 10.0);
	bench_result_fini(&r);
}

// Then the figures are of all rounds, and it is said that none was left.
static void test_none_is_left(void **state)
{
	struct bench_result r;
	struct bench_cell *a;
	struct bench_spread s;

	(void)state;
	assert_int_equal(bench_result_init(&r, &options), 0);
	a = bench_result_cell(&r);
	round_add(a, 10.0, 12.0, 300);
	round_add(a, 10.0, 14.0, 500);
	bench_result_settle(&r);
	assert_int_equal(bench_cell_kept(a), 0);
	s = bench_cell_spread(a, relay_of);
	assert_true(s.low == 300 && s.high == 500);
	bench_result_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uneven_rounds_are_left_out),
		cmocka_unit_test(test_none_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
