// SPDX-License-Identifier: BSD-3-Clause
// The distribution of a port's packets is judged by what arrives.
#include <plane/spread.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void packets_on_all_queues_are_silent(void **state)
{
	struct plane_spread s = {.told = false};
	uint64_t received[2] = {0, 0};

	(void)state;
	// As seen on virtio, whose driver says nothing of its distribution.
	for (unsigned i = 0; i < 100; i++) {
		received[0] += 1765;
		received[1] += 1741;
		assert_false(plane_spread_judge(&s, received, 2));
	}
}

static void packets_on_one_queue_are_told_once(void **state)
{
	struct plane_spread s = {.told = false};
	uint64_t received[4] = {0, 9000, 0, 0};

	(void)state;
	assert_false(plane_spread_judge(&s, received, 4));
	received[1] = 10500;
	received[2] = 400;
	assert_true(plane_spread_judge(&s, received, 4));
	received[1] += 20000;
	assert_false(plane_spread_judge(&s, received, 4));
	received[0] += 10000;
	received[1] += 10000;
	assert_false(plane_spread_judge(&s, received, 4));
	received[3] += 10000;
	assert_true(plane_spread_judge(&s, received, 4));
}

static void one_queue_is_no_question(void **state)
{
	struct plane_spread s = {.told = false};
	uint64_t received[1] = {1000000};

	(void)state;
	assert_false(plane_spread_judge(&s, received, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_on_all_queues_are_silent),
		cmocka_unit_test(packets_on_one_queue_are_told_once),
		cmocka_unit_test(one_queue_is_no_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
