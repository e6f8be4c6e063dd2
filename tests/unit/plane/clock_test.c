// SPDX-License-Identifier: BSD-3-Clause
#include <worker/clock.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HZ 2300000000ull

static void test_read(void **state)
{
	struct clock c;

	(void)state;
	clock_init(&c, HZ, 1000, 5 * TP_NS_PER_S);
	assert_int_equal(clock_read_ns(&c, 1000), 5 * TP_NS_PER_S);
	assert_in_range(clock_read_ns(&c, 1000 + HZ / 2), 5499999990, 5500000010);
	assert_false(clock_stale(&c, 1000 + HZ - 1));
	assert_true(clock_stale(&c, 1000 + HZ));
}

// The counter drifts against the clock and passes its own end: readings follow the clock.
static void test_drift(void **state)
{
	uint64_t start = UINT64_MAX - 3 * HZ, cycles = start, last = 0;
	struct clock c;

	(void)state;
	clock_init(&c, HZ, start, TP_NS_PER_S);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t now_ns;

		cycles += HZ / 97;
		// In truth the counter runs 100 ppm fast.
		now_ns = TP_NS_PER_S + (uint64_t)((double)(cycles - start) / HZ * 0.9999 * 1e9);
		if (clock_stale(&c, cycles))
			clock_anchor(&c, cycles, now_ns);
		assert_true(clock_read_ns(&c, cycles) >= last);
		last = clock_read_ns(&c, cycles);
		assert_in_range(last, now_ns - 150 * TP_NS_PER_US, now_ns + 150 * TP_NS_PER_US);
	}
}

static void test_never_back(void **state)
{
	struct clock c;
	uint64_t last;

	(void)state;
	clock_init(&c, HZ, 0, TP_NS_PER_S);
	last = clock_read_ns(&c, HZ - 1);
	clock_anchor(&c, HZ, 2 * TP_NS_PER_S - 100 * TP_NS_PER_US);
	assert_true(clock_read_ns(&c, HZ) >= last);
}

// A worker that the kernel kept off its core for minutes.
static void test_long_pause(void **state)
{
	struct clock c;

	(void)state;
	clock_init(&c, HZ, 0, TP_NS_PER_S);
	assert_true(clock_stale(&c, 600 * HZ));
	clock_anchor(&c, 600 * HZ, 601 * TP_NS_PER_S);
	assert_int_equal(clock_read_ns(&c, 600 * HZ), 601 * TP_NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_drift),
		cmocka_unit_test(test_never_back),
		cmocka_unit_test(test_long_pause),
	};

	return cmocka_run_group_tests_name("plane clock", tests, NULL, NULL);
}
