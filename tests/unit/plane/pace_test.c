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

// Packets with gaps of so much. Returns the time awake and without packets.
static uint64_t awake_between(struct worker_pace *p, uint64_t *now, uint64_t gap, unsigned packets)
{
	uint64_t awake = 0;

	for (unsigned i = 0; i < packets; i++) {
		uint64_t next = *now + gap, begin = *now;

		while (*now < next && !worker_pace_sleeps(p, *now, true))
			*now += US;
		awake += *now - begin;
		if (*now < next)
			worker_pace_slept(p, *now, next);
		*now = next;
		worker_pace_busy(p);
		*now += US;
	}
	return awake;
}

// A client on the worker's core sends its next packet when it has the core.
static void polls_no_longer_where_it_is_in_vain(void **state)
{
	uint64_t now = 1 * MS;
	struct worker_pace p;

	(void)state;
	worker_pace_init(&p, HZ, now);
	// 10 ms: four times at the start, and one more in the next window.
	assert_in_range(awake_between(&p, &now, 100 * US, 100), 4 * 20 * US, 6 * 20 * US);
	// Packets follow each other sooner: it sleeps once, and then looks for each.
	assert_in_range(awake_between(&p, &now, 10 * US, 100), 99 * 10 * US, 100 * 10 * US);
	// And where a sleep's length says nothing, in the next window.
	(void)awake_between(&p, &now, 100 * US, 4);
	now += 10 * MS;
	assert_false(worker_pace_sleeps(&p, now, true));
	worker_pace_busy(&p);
	assert_false(worker_pace_sleeps(&p, now + 10 * US, true));
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
		cmocka_unit_test(polls_no_longer_where_it_is_in_vain),
		cmocka_unit_test(leaves_a_part_of_each_window),
		cmocka_unit_test(too_busy_to_sleep),
	};

	return cmocka_run_group_tests_name("plane pace", tests, NULL, NULL);
}
