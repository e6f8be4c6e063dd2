// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <load/histogram.h>

static void slots_follow_one_another(void **state)
{
	(void)state;
	for (unsigned i = 0; i + 1 < LOAD_HISTOGRAM_SLOTS; i++) {
		struct load_histogram h;

		assert_true(load_histogram_floor(i) < load_histogram_floor(i + 1));
		// A value at a slot's floor and one just below the next lie in that slot.
		load_histogram_reset(&h);
		load_histogram_add(&h, load_histogram_floor(i));
		load_histogram_add(&h, load_histogram_floor(i + 1) - 1);
		assert_int_equal(h.slots[i], 2);
	}
}

static void parts_are_within_a_slot(void **state)
{
	struct load_histogram h;

	(void)state;
	load_histogram_reset(&h);
	for (uint64_t ns = 1; ns <= 100000; ns++)
		load_histogram_add(&h, ns);
	assert_in_range(load_histogram_part(&h, 0.5), 48400, 51600);
	assert_in_range(load_histogram_part(&h, 0.99), 95900, 102100);
	assert_in_range(load_histogram_part(&h, 0.999), 96700, 100000);
	assert_in_range(load_histogram_part(&h, 1), 98300, 100000);
	assert_int_equal(h.least_ns, 1);
	assert_int_equal(h.n, 100000);
}

static void extremes(void **state)
{
	struct load_histogram h;

	(void)state;
	load_histogram_reset(&h);
	assert_int_equal(load_histogram_part(&h, 0.5), 0);
	load_histogram_add(&h, 7);
	assert_int_equal(load_histogram_part(&h, 0.001), 7);
	load_histogram_add(&h, UINT64_MAX);
	assert_int_equal(h.slots[LOAD_HISTOGRAM_SLOTS - 1], 1);
	assert_int_equal(h.most_ns, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_follow_one_another),
		cmocka_unit_test(parts_are_within_a_slot),
		cmocka_unit_test(extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
