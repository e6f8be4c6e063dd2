// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <load/sequence.h>

static void in_order_with_gaps(void **state)
{
	struct load_sequence s = {0};

	(void)state;
	for (uint32_t i = 0; i < 1000; i += 1 + i % 90)
		assert_int_equal(load_sequence_take(&s, i), LOAD_IN_ORDER);
}

static void late_and_twice(void **state)
{
	struct load_sequence s = {0};

	(void)state;
	assert_int_equal(load_sequence_take(&s, 0), LOAD_IN_ORDER);
	assert_int_equal(load_sequence_take(&s, 5), LOAD_IN_ORDER);
	assert_int_equal(load_sequence_take(&s, 3), LOAD_REORDERED);
	assert_int_equal(load_sequence_take(&s, 3), LOAD_DUPLICATE);
	assert_int_equal(load_sequence_take(&s, 5), LOAD_DUPLICATE);
	assert_int_equal(load_sequence_take(&s, 0), LOAD_DUPLICATE);
	assert_int_equal(load_sequence_take(&s, 4), LOAD_REORDERED);
	assert_int_equal(load_sequence_take(&s, 6), LOAD_IN_ORDER);
}

static void the_window_ends(void **state)
{
	struct load_sequence s = {0};

	(void)state;
	assert_int_equal(load_sequence_take(&s, 0), LOAD_IN_ORDER);
	assert_int_equal(load_sequence_take(&s, LOAD_SEQUENCE_WINDOW), LOAD_IN_ORDER);
	assert_int_equal(load_sequence_take(&s, 0), LOAD_ANCIENT);
	assert_int_equal(load_sequence_take(&s, 1), LOAD_REORDERED);
	assert_int_equal(load_sequence_take(&s, 1), LOAD_DUPLICATE);
}

static void numbers_wrap(void **state)
{
	struct load_sequence s = {.next = UINT32_MAX - 1};

	(void)state;
	assert_int_equal(load_sequence_take(&s, UINT32_MAX), LOAD_IN_ORDER);
	assert_int_equal(load_sequence_take(&s, 1), LOAD_IN_ORDER);
	assert_int_equal(load_sequence_take(&s, 0), LOAD_REORDERED);
	assert_int_equal(load_sequence_take(&s, UINT32_MAX), LOAD_DUPLICATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_with_gaps),
		cmocka_unit_test(late_and_twice),
		cmocka_unit_test(the_window_ends),
		cmocka_unit_test(numbers_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
