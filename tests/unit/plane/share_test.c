// SPDX-License-Identifier: BSD-3-Clause
// Whether others want a worker's core is told by the work that is not the worker's.
#include <plane/share.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MS TP_NS_PER_MS

static void alone_and_beside_others(void **state)
{
	struct plane_share s = {0};

	(void)state;
	assert_false(plane_share_judge(&s, 500 * MS, 100 * MS, 1000 * MS));
	// All of the core's work is the worker's.
	assert_false(plane_share_judge(&s, 1400 * MS, 1000 * MS, 2000 * MS));
	// 130 of 1,000 ms are not.
	assert_true(plane_share_judge(&s, 1580 * MS, 1050 * MS, 3000 * MS));
	// 70 are still too many, 60 are not.
	assert_true(plane_share_judge(&s, 1650 * MS, 1050 * MS, 4000 * MS));
	assert_false(plane_share_judge(&s, 1710 * MS, 1050 * MS, 5000 * MS));
	assert_false(plane_share_judge(&s, 1830 * MS, 1050 * MS, 6000 * MS));
}

// A worker alone that runs half of the time, and 125 ticks in each span that find it there or not.
static void errors_of_ticks_are_nobody(void **state)
{
	enum { TICK_MS = 4, TICKS = 125 };
	struct plane_share s = {0};
	uint32_t random = 1;
	uint64_t core_ns = 0, worker_ns = 0;
	unsigned shared = 0;

	(void)state;
	for (unsigned span = 1; span <= 2000; span++) {
		for (unsigned tick = 0; tick < TICKS; tick++) {
			random = random * 1103515245u + 12345u;
			if ((random >> 16 & 1) != 0)
				core_ns += TICK_MS * MS;
		}
		worker_ns += TICKS * TICK_MS * MS / 2;
		shared += plane_share_judge(&s, core_ns, worker_ns, span * 500 * MS);
	}
	assert_true(shared < 2000 / 50);
}

static void short_spans_tell_nothing(void **state)
{
	struct plane_share s = {0};

	(void)state;
	assert_false(plane_share_judge(&s, 0, 0, 1000 * MS));
	assert_false(plane_share_judge(&s, 400 * MS, 0, 1400 * MS));
	assert_true(plane_share_judge(&s, 500 * MS, 0, 1500 * MS));
	assert_true(plane_share_judge(&s, 500 * MS, 0, 1900 * MS));
}

// A worker that is measured more finely than its core seems to have run longer.
static void never_below_nothing(void **state)
{
	struct plane_share s = {0};

	(void)state;
	assert_false(plane_share_judge(&s, 100 * MS, 100 * MS, 1000 * MS));
	assert_false(plane_share_judge(&s, 90 * MS, 500 * MS, 2000 * MS));
}

static void words_of_the_kernel(void **state)
{
	static const char stat[] = "cpu  9 9 9 9 9 9 9 0 0 0\n"
				   "cpu0 1 2 3 4 5 6 7 0 0 0\n"
				   "cpu1 100 20 3 77 0 0 0 0 0 0\n"
				   "cpu10 5 5 5 5 5 5 5 0 0 0\n"
				   "intr 5\n";

	(void)state;
	assert_int_equal(plane_share_core_ns(stat, 1, 100), 1230 * MS);
	assert_int_equal(plane_share_core_ns(stat, 10, 100), 150 * MS);
	assert_int_equal(plane_share_core_ns(stat, 2, 100), 0);
	assert_int_equal(plane_share_core_ns("", 1, 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone_and_beside_others),
		cmocka_unit_test(errors_of_ticks_are_nobody),
		cmocka_unit_test(short_spans_tell_nothing),
		cmocka_unit_test(never_below_nothing),
		cmocka_unit_test(words_of_the_kernel),
	};

	return cmocka_run_group_tests_name("plane share", tests, NULL, NULL);
}
