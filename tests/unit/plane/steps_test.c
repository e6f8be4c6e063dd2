// SPDX-License-Identifier: BSD-3-Clause
// A start that hangs is named, and ends when asked.
#include <plane/steps.h>

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND TP_NS_PER_S

static void a_long_step_is_named_once(void **state)
{
	struct plane_steps s = {.step = NULL};

	(void)state;
	assert_int_equal(plane_steps_judge(&s, 100 * SECOND, false), PLANE_STEP_WAIT);
	plane_steps_next(&s, "DPDK", 100 * SECOND);
	assert_int_equal(plane_steps_judge(&s, 102 * SECOND - 1, false), PLANE_STEP_WAIT);
	assert_int_equal(plane_steps_judge(&s, 102 * SECOND, false), PLANE_STEP_NAME);
	assert_string_equal(s.named, "DPDK");
	assert_int_equal(plane_steps_judge(&s, 110 * SECOND, false), PLANE_STEP_WAIT);
	plane_steps_next(&s, "ports", 111 * SECOND);
	assert_int_equal(plane_steps_judge(&s, 112 * SECOND, false), PLANE_STEP_WAIT);
	assert_int_equal(plane_steps_judge(&s, 113 * SECOND, false), PLANE_STEP_NAME);
}

static void a_step_has_a_second_to_end(void **state)
{
	struct plane_steps s = {.step = NULL};

	(void)state;
	plane_steps_next(&s, "DPDK", 100 * SECOND);
	assert_int_equal(plane_steps_judge(&s, 101 * SECOND, true), PLANE_STEP_WAIT);
	assert_int_equal(plane_steps_judge(&s, 102 * SECOND - 1, true), PLANE_STEP_WAIT);
	assert_int_equal(plane_steps_judge(&s, 102 * SECOND, true), PLANE_STEP_END);
	// Each step that follows has one of its own.
	plane_steps_next(&s, "ports", 102 * SECOND);
	assert_int_equal(plane_steps_judge(&s, 103 * SECOND - 1, true), PLANE_STEP_WAIT);
	assert_int_equal(plane_steps_judge(&s, 103 * SECOND, true), PLANE_STEP_END);
}

static sem_t ended;

static void end(void *ctx, const char *step)
{
	*(const char **)ctx = step;
	sem_post(&ended);
	pthread_exit(NULL);
}

// The thread itself: a step of long ago that does not end.
static void the_watch_ends_it(void **state)
{
	static volatile int stop = 0;
	const char *step = NULL;
	struct plane_steps s;

	(void)state;
	assert_int_equal(sem_init(&ended, 0, 0), 0);
	plane_steps_begin(&s, &stop, end, &step);
	assert_true(s.runs);
	plane_steps_next(&s, "DPDK", 0);
	stop = 1;
	assert_int_equal(sem_wait(&ended), 0);
	assert_string_equal(step, "DPDK");
	plane_steps_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_step_is_named_once),
		cmocka_unit_test(a_step_has_a_second_to_end),
		cmocka_unit_test(the_watch_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
