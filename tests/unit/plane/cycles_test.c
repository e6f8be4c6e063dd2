// SPDX-License-Identifier: BSD-3-Clause
// The cycle counter's frequency, and the sleep in which DPDK would measure it.
#include <io/cycles.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define SLEEP_NS 100000000u // DPDK's
#define TRIES	 50u

static void moments_have_a_frequency(void **state)
{
	const struct io_cycles_moment from = {.cycles = UINT64_MAX - 999, .ns = 5},
				      until = {.cycles = 2300000000 - 1000, .ns = 1000000005};

	(void)state;
	assert_int_equal(io_cycles_between(&from, &until), 2300000000);
	assert_int_equal(io_cycles_between(&from, &from), 0);
}

static uint64_t slept_ns(void)
{
	const struct timespec sleep = {.tv_nsec = SLEEP_NS};
	struct io_cycles_moment from = io_cycles_now(), until;

	assert_int_equal(nanosleep(&sleep, NULL), 0);
	until = io_cycles_now();
	assert_true(io_cycles_between(&from, &until) > 1000000);
	return until.ns - from.ns;
}

// On a busy machine each sleep takes longer.
static void the_sleep_is_cut_short_where_asked(void **state)
{
	bool shorter = false;

	(void)state;
	assert_true(slept_ns() >= SLEEP_NS);
	io_cycles_hurry(true);
	for (unsigned i = 0; i < TRIES && !shorter; i++)
		shorter = slept_ns() < SLEEP_NS;
	assert_true(shorter);
	io_cycles_hurry(false);
	assert_true(slept_ns() >= SLEEP_NS);
}

static void the_measured_one_counts(void **state)
{
	(void)state;
	io_cycles_hz_set(2300000000);
	assert_int_equal(io_cycles_hz(), 2300000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_have_a_frequency),
		cmocka_unit_test(the_sleep_is_cut_short_where_asked),
		cmocka_unit_test(the_measured_one_counts),
	};

	return cmocka_run_group_tests_name("io cycles", tests, NULL, NULL);
}
