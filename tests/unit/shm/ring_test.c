// SPDX-License-Identifier: BSD-3-Clause
// The four rings between a worker and the control process: order, bounds, and a restart of either
// side, with the same files or with fresh ones.
#include <shm/segment.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "scratch_place.h"

static const struct shm_tables_shape shape = {
	.n_entries = 64, .n_next_hops = 4, .n_port_indexes = 1, .n_allocations = 8};

struct fixture {
	struct shm_place place;
	struct shm_tables tables;
	struct shm_punt punt;
	struct shm_inject inject;
	struct shm_error err;
};

static void make_punt(struct fixture *f)
{
	assert_int_equal(shm_punt_create(&f->punt, &f->place, &f->tables, 2, &f->err), 0);
	assert_int_equal(shm_file_publish(&f->punt.file, &f->place, &f->err), 0);
}

static void make_inject(struct fixture *f)
{
	assert_int_equal(shm_inject_create(&f->inject, &f->place, &f->tables, 2, &f->err), 0);
	assert_int_equal(shm_file_publish(&f->inject.file, &f->place, &f->err), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_place_make(&f->place);
	assert_int_equal(shm_tables_create(&f->tables, &f->place, &shape, &f->err), 0);
	assert_int_equal(shm_file_publish(&f->tables.file, &f->place, &f->err), 0);
	make_punt(f);
	make_inject(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	shm_punt_close(&f->punt);
	shm_inject_close(&f->inject);
	shm_tables_close(&f->tables);
	scratch_place_remove(&f->place);
	free(f);
	return 0;
}

static bool put(struct tp_ring_producer *r, uint32_t number)
{
	struct tp_ring_slot *slot = tp_ring_reserve(r);

	if (slot == NULL)
		return false;
	slot->len = sizeof(number);
	memcpy(slot->data, &number, sizeof(number));
	tp_ring_publish(r);
	return true;
}

// 0 when there is none.
static uint32_t get(struct tp_ring_consumer *r)
{
	const struct tp_ring_slot *slot = tp_ring_peek(r);
	uint32_t number;

	if (slot == NULL)
		return 0;
	memcpy(&number, slot->data, sizeof(number));
	tp_ring_release(r);
	return number;
}

static void each_ring_is_its_own(void **state)
{
	struct fixture *f = *state;

	for (uint32_t w = 0; w < 2; w++) {
		struct tp_ring_producer in = shm_inject_producer(&f->inject, &f->punt, w);

		for (uint32_t c = 0; c < TP_PUNT_CLASSES; c++) {
			struct tp_ring_producer p = shm_punt_producer(&f->punt, &f->inject, w, c);

			for (uint32_t i = 0; i < TP_RING_SLOTS; i++)
				assert_true(put(&p, 1000000 * (w + 1) + 10000 * c + i));
			assert_false(put(&p, 1));
		}
		for (uint32_t i = 0; i < TP_RING_SLOTS; i++)
			assert_true(put(&in, 5000000 * (w + 1) + i));
		assert_false(put(&in, 1));
	}
	for (uint32_t w = 0; w < 2; w++) {
		struct tp_ring_consumer in = shm_inject_consumer(&f->punt, &f->inject, w);

		for (uint32_t c = 0; c < TP_PUNT_CLASSES; c++) {
			struct tp_ring_consumer p = shm_punt_consumer(&f->inject, &f->punt, w, c);

			for (uint32_t i = 0; i < TP_RING_SLOTS; i++)
				assert_int_equal(get(&p), 1000000 * (w + 1) + 10000 * c + i);
			assert_int_equal(get(&p), 0);
		}
		for (uint32_t i = 0; i < TP_RING_SLOTS; i++)
			assert_int_equal(get(&in), 5000000 * (w + 1) + i);
		assert_int_equal(get(&in), 0);
	}
}

static void indexes_wrap(void **state)
{
	struct fixture *f = *state;
	struct tp_ring_producer p = shm_punt_producer(&f->punt, &f->inject, 0, TP_PUNT_FIRST);
	struct tp_ring_consumer c = shm_punt_consumer(&f->inject, &f->punt, 0, TP_PUNT_FIRST);

	atomic_store(p.head, 0xffffff00);
	atomic_store(c.tail, 0xffffff00);
	for (uint32_t i = 1; i <= 3 * TP_RING_SLOTS; i++) {
		assert_true(put(&p, i));
		assert_int_equal(get(&c), i);
	}
	for (uint32_t i = 1; i <= TP_RING_SLOTS; i++)
		assert_true(put(&p, i));
	assert_false(put(&p, 1));
	assert_int_equal(p.resets + c.resets, 0);
}

static void either_side_goes_on_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct tp_ring_producer p = shm_punt_producer(&f->punt, &f->inject, 1, TP_PUNT_LIVE);
	struct tp_ring_consumer c = shm_punt_consumer(&f->inject, &f->punt, 1, TP_PUNT_LIVE);

	for (uint32_t i = 1; i <= 10; i++)
		assert_true(put(&p, i));
	assert_int_equal(get(&c), 1);

	shm_inject_close(&f->inject); // control dies and comes back
	assert_int_equal(shm_inject_open(&f->inject, &f->place, &f->tables, 2, true, &f->err), 0);
	c = shm_punt_consumer(&f->inject, &f->punt, 1, TP_PUNT_LIVE);
	assert_int_equal(get(&c), 2);

	shm_punt_close(&f->punt); // the data plane too
	assert_int_equal(shm_punt_open(&f->punt, &f->place, &f->tables, 2, true, &f->err), 0);
	p = shm_punt_producer(&f->punt, &f->inject, 1, TP_PUNT_LIVE);
	c = shm_punt_consumer(&f->inject, &f->punt, 1, TP_PUNT_LIVE);
	assert_true(put(&p, 11));
	for (uint32_t i = 3; i <= 11; i++)
		assert_int_equal(get(&c), i);
	assert_int_equal(get(&c), 0);
	assert_int_equal(p.resets + c.resets, 0);
}

// One side begins with a fresh file: the distance is impossible, one message more and it flows.
static void fresh_files_meet_old_ones(void **state)
{
	struct fixture *f = *state;
	struct tp_ring_producer p = shm_punt_producer(&f->punt, &f->inject, 0, 0);
	struct tp_ring_consumer c = shm_punt_consumer(&f->inject, &f->punt, 0, 0);

	for (uint32_t i = 1; i <= 1000; i++) {
		assert_true(put(&p, i));
		assert_int_equal(get(&c), i);
	}
	shm_inject_close(&f->inject); // the consumer's tail starts at 0 again
	make_inject(f);
	p = shm_punt_producer(&f->punt, &f->inject, 0, 0);
	c = shm_punt_consumer(&f->inject, &f->punt, 0, 0);
	assert_false(put(&p, 7));
	assert_int_equal(p.resets, 1);
	assert_int_equal(get(&c), 0);
	assert_int_equal(c.resets, 1);
	assert_true(put(&p, 8));
	assert_int_equal(get(&c), 8);

	shm_punt_close(&f->punt); // the producer's head starts at 0 again
	make_punt(f);
	p = shm_punt_producer(&f->punt, &f->inject, 0, 0);
	c = shm_punt_consumer(&f->inject, &f->punt, 0, 0);
	assert_int_equal(get(&c), 0);
	assert_int_equal(c.resets, 1);
	assert_true(put(&p, 9));
	assert_int_equal(get(&c), 9);
	assert_int_equal(c.resets, 1);
}

#define STREAM 200000u

static void *stream_produce(void *arg)
{
	struct tp_ring_producer *p = arg;

	for (uint32_t i = 1; i <= STREAM;) {
		if (put(p, i))
			i++;
		else
			sched_yield();
	}
	return NULL;
}

static void order_holds_across_threads(void **state)
{
	struct fixture *f = *state;
	struct tp_ring_producer p = shm_inject_producer(&f->inject, &f->punt, 0);
	struct tp_ring_consumer c = shm_inject_consumer(&f->punt, &f->inject, 0);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, stream_produce, &p), 0);
	for (uint32_t i = 1; i <= STREAM;) {
		uint32_t n = get(&c);

		if (n == 0) {
			sched_yield();
			continue;
		}
		assert_int_equal(n, i);
		i++;
	}
	pthread_join(thread, NULL);
	assert_int_equal(p.resets + c.resets, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_ring_is_its_own),
		TEST(indexes_wrap),
		TEST(either_side_goes_on_after_a_restart),
		TEST(fresh_files_meet_old_ones),
		TEST(order_holds_across_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
