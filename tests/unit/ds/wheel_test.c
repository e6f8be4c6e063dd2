// SPDX-License-Identifier: BSD-3-Clause
#include <ds/wheel.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIMERS 3000u
#define KIND   2u

static struct ds_wheel wheel;

static struct ds_timer *pop(uint32_t now_s)
{
	unsigned budget = 1000000;

	return ds_wheel_pop(&wheel, now_s, &budget);
}

struct expiry_row {
	uint32_t start_s;
	uint32_t expires_s;
};

// Near, far, at and beyond one turn, several turns, in the past.
static const struct expiry_row expiry_rows[] = {
	{0, 1},
	{1000, 1600},
	{1000, 1000 + DS_WHEEL_SLOTS - 1},
	{1000, 1000 + DS_WHEEL_SLOTS},
	{1000, 1000 + DS_WHEEL_SLOTS + 1},
	{5, 86400},
	{4000, 100000},
	{1000, 1000},
	{1000, 10},
};

static void fires_at_its_second(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(expiry_rows); i++) {
		const struct expiry_row *row = &expiry_rows[i];
		uint32_t due_s = row->expires_s > row->start_s ? row->expires_s : row->start_s;
		struct ds_timer t;

		ds_wheel_init(&wheel);
		ds_timer_init(&t, KIND);
		ds_wheel_start(&wheel, row->start_s);
		ds_wheel_set(&wheel, &t, row->expires_s);
		for (uint32_t now_s = row->start_s; now_s < due_s; now_s++) {
			assert_null(pop(now_s));
			assert_true(ds_wheel_next_s(&wheel) > now_s);
			assert_true(ds_wheel_next_s(&wheel) <= due_s);
		}
		assert_ptr_equal(pop(due_s), &t);
		assert_null(pop(due_s));
		assert_int_equal(ds_wheel_next_s(&wheel), UINT32_MAX);
	}
}

// Asked only at the seconds it names, and late at random, it pops each timer when it is due.
static void follows_its_own_deadlines(void **state)
{
	struct ds_timer *timers = calloc(TIMERS, sizeof(*timers));
	uint32_t x = 7, now_s = 100;
	size_t fired = 0, moved = 0;

	(void)state;
	assert_non_null(timers);
	ds_wheel_init(&wheel);
	ds_wheel_start(&wheel, now_s);
	for (unsigned i = 0; i < TIMERS; i++) {
		x = x * 1664525 + 1013904223;
		ds_timer_init(&timers[i], KIND);
		ds_wheel_set(&wheel, &timers[i], now_s + (x >> 8) % 20000);
	}
	while (wheel.n > 0) {
		uint32_t next_s = ds_wheel_next_s(&wheel);
		struct ds_timer *t;

		x = x * 1664525 + 1013904223;
		if (next_s > now_s)
			now_s = next_s + ((x >> 28) == 0 ? (x >> 8) % 9000 : 0);
		while ((t = pop(now_s)) != NULL) {
			assert_true(t->expires_s <= now_s);
			if ((x >> 20) % 8 == 0 && moved < TIMERS) {
				ds_wheel_set(&wheel, t, now_s + 600);
				moved++;
			} else {
				fired++;
			}
			x = x * 1664525 + 1013904223;
		}
		for (unsigned i = 0; i < TIMERS && now_s % 16 == 0; i++)
			assert_true(
				ds_list_is_empty(&timers[i].link) || timers[i].expires_s > now_s);
	}
	assert_int_equal(fired, TIMERS);
	assert_true(moved > 0);
	free(timers);
}

static void moved_and_stopped(void **state)
{
	struct ds_timer a, b;

	(void)state;
	ds_wheel_init(&wheel);
	ds_timer_init(&a, KIND);
	ds_timer_init(&b, KIND);
	ds_wheel_set(&wheel, &a, 10);
	ds_wheel_set(&wheel, &b, 10);
	ds_wheel_set(&wheel, &a, 20);
	ds_wheel_stop(&wheel, &b);
	ds_wheel_stop(&wheel, &b);
	assert_int_equal(wheel.n, 1);
	assert_null(pop(19));
	assert_ptr_equal(pop(20), &a);
}

static void budget_bounds_a_call(void **state)
{
	struct ds_timer timers[10];
	unsigned budget = 4, n = 0;

	(void)state;
	ds_wheel_init(&wheel);
	for (unsigned i = 0; i < 10; i++) {
		ds_timer_init(&timers[i], KIND);
		ds_wheel_set(&wheel, &timers[i], 5);
	}
	while (ds_wheel_pop(&wheel, 5, &budget) != NULL)
		n++;
	assert_int_equal(n, 4);
	assert_int_equal(ds_wheel_next_s(&wheel), 5);
	while (pop(5) != NULL)
		n++;
	assert_int_equal(n, 10);
}

// Idle for a day, then a timer: it is not taken for one that is late.
static void idle_wheel_keeps_up(void **state)
{
	struct ds_timer t;

	(void)state;
	ds_wheel_init(&wheel);
	ds_timer_init(&t, KIND);
	ds_wheel_set(&wheel, &t, 5);
	assert_ptr_equal(pop(5), &t);
	ds_wheel_start(&wheel, 86400);
	ds_wheel_set(&wheel, &t, 86400 + 600);
	assert_int_equal(ds_wheel_next_s(&wheel), 86400 + 600);
	assert_null(pop(86400 + 599));
	assert_ptr_equal(pop(86400 + 600), &t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_at_its_second),
		cmocka_unit_test(follows_its_own_deadlines),
		cmocka_unit_test(moved_and_stopped),
		cmocka_unit_test(budget_bounds_a_call),
		cmocka_unit_test(idle_wheel_keeps_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
