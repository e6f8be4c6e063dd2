// SPDX-License-Identifier: BSD-3-Clause
// When a worker sleeps: soon beside other programs, later alone, and for a part of every window.
#include <worker/pace.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HZ TP_NS_PER_S // a cycle is a nanosecond
#define US TP_NS_PER_US
#define MS TP_NS_PER_MS

static void sleeps_after_a_while(void **state)
{
	struct worker_pace p;

	(void)state;
	worker_pace_init(&p, HZ, 1 * MS);
	assert_false(worker_pace_sleeps(&p, 1 * MS, false));
	assert_false(worker_pace_sleeps(&p, 1 * MS + 99 * US, false));
	assert_true(worker_pace_sleeps(&p, 1 * MS + 100 * US, false));
	// A packet begins it anew.
	worker_pace_busy(&p);
	assert_false(worker_pace_sleeps(&p, 1 * MS + 150 * US, false));
	assert_false(worker_pace_sleeps(&p, 1 * MS + 249 * US, false));
	assert_true(worker_pace_sleeps(&p, 1 * MS + 250 * US, false));
}

static void sleeps_sooner_beside_others(void **state)
{
	struct worker_pace p;

	(void)state;
	worker_pace_init(&p, HZ, 1 * MS);
	assert_false(worker_pace_sleeps(&p, 1 * MS, true));
	assert_false(worker_pace_sleeps(&p, 1 * MS + 19 * US, true));
	assert_true(worker_pace_sleeps(&p, 1 * MS + 20 * US, true));
}

// A packet every 50 µs never lets it be idle for long: a quarter of each window is the others' all
// the same.
static void leaves_a_part_of_each_window(void **state)
{
	struct worker_pace p;
	uint64_t now = 1 * MS, slept = 0;

	(void)state;
	worker_pace_init(&p, HZ, now);
	while (now < 101 * MS) {
		if (worker_pace_sleeps(&p, now, false)) {
			worker_pace_slept(&p, now, now + 50 * US);
			slept += 50 * US;
		}
		now += 50 * US;
		worker_pace_busy(&p);
	}
	assert_in_range(slept, 20 * MS, 30 * MS);
}

static void too_busy_to_sleep(void **state)
{
	struct worker_pace p;

	(void)state;
	worker_pace_init(&p, HZ, 1 * MS);
	assert_false(worker_pace_worn(&p, 101 * MS));
	assert_true(worker_pace_worn(&p, 101 * MS + 1));
	worker_pace_slept(&p, 150 * MS, 151 * MS);
	assert_false(worker_pace_worn(&p, 251 * MS));
	assert_true(worker_pace_worn(&p, 251 * MS + 1));
	// The loop's point is from before the sleep.
	worker_pace_slept(&p, 260 * MS, 261 * MS);
	assert_false(worker_pace_worn(&p, 260 * MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleeps_after_a_while),
		cmocka_unit_test(sleeps_sooner_beside_others),
		cmocka_unit_test(leaves_a_part_of_each_window),
		cmocka_unit_test(too_busy_to_sleep),
	};

	return cmocka_run_group_tests_name("plane pace", tests, NULL, NULL);
}
