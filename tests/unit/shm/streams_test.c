// SPDX-License-Identifier: BSD-3-Clause
// The rings between workers and edge threads: each pair its own, order, bounds, files of different
// shapes, and a restart of either side with the same file or a fresh one.
#include <shm/segment.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "scratch_place.h"

#define PAIR 0x1234u

struct fixture {
	struct shm_place place;
	struct shm_streams edge;
	struct shm_streams stream;
	struct shm_error err;
};

static void make(struct fixture *f, struct shm_streams *r, enum shm_kind kind, uint32_t n_workers,
	uint32_t n_threads)
{
	assert_int_equal(
		shm_streams_create(r, &f->place, kind, PAIR, n_workers, n_threads, &f->err), 0);
	assert_int_equal(shm_file_publish(&r->file, &f->place, &f->err), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_place_make(&f->place);
	make(f, &f->edge, SHM_EDGE, 2, 3);
	make(f, &f->stream, SHM_STREAM, 3, 2);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	shm_streams_close(&f->edge);
	shm_streams_close(&f->stream);
	scratch_place_remove(&f->place);
	free(f);
	return 0;
}

static bool put(struct tp_ring_producer *r, uint32_t number)
{
	struct tp_ring_slot *slot = tp_ring_reserve(r);

	if (slot == NULL)
		return false;
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

static void each_pair_has_its_own_rings(void **state)
{
	struct fixture *f = *state;

	for (uint32_t w = 0; w < 2; w++) {
		for (uint32_t t = 0; t < 2; t++) {
			struct tp_ring_producer up =
				shm_streams_producer(&f->edge, &f->stream, w, t);
			struct tp_ring_producer down =
				shm_streams_producer(&f->stream, &f->edge, w, t);

			for (uint32_t i = 1; i <= TP_RING_SLOTS; i++)
				assert_true(put(&up, w << 20 | t << 16 | i));
			for (uint32_t i = 1; i <= TP_STREAM_SLOTS; i++)
				assert_true(put(&down, 1u << 30 | w << 20 | t << 16 | i));
			assert_false(put(&up, 1));
			assert_false(put(&down, 1));
		}
	}
	for (uint32_t w = 0; w < 2; w++) {
		for (uint32_t t = 0; t < 2; t++) {
			struct tp_ring_consumer up =
				shm_streams_consumer(&f->stream, &f->edge, w, t);
			struct tp_ring_consumer down =
				shm_streams_consumer(&f->edge, &f->stream, w, t);

			for (uint32_t i = 1; i <= TP_RING_SLOTS; i++)
				assert_int_equal(get(&up), w << 20 | t << 16 | i);
			for (uint32_t i = 1; i <= TP_STREAM_SLOTS; i++)
				assert_int_equal(get(&down), 1u << 30 | w << 20 | t << 16 | i);
			assert_int_equal(get(&up), 0);
			assert_int_equal(get(&down), 0);
		}
	}
}

static void many_rings_are_shorter(void **state)
{
	const uint64_t slots = (uint64_t)TP_WORKERS_MAX * TP_EDGE_THREADS_MAX * TP_RING_SLOTS;

	(void)state;
	assert_int_equal(shm_streams_slots(SHM_EDGE, 1, 1), TP_RING_SLOTS);
	assert_int_equal(shm_streams_slots(SHM_STREAM, 1, 1), TP_STREAM_SLOTS);
	assert_int_equal(shm_streams_slots(SHM_STREAM, 4, 4), TP_STREAM_SLOTS);
	assert_int_equal(shm_streams_slots(SHM_STREAM, 4, 5), TP_STREAM_SLOTS / 2);
	assert_int_equal(shm_streams_slots(SHM_STREAM, 64, 64), TP_RING_SLOTS);
	assert_in_range(shm_streams_size(SHM_STREAM, TP_WORKERS_MAX, TP_EDGE_THREADS_MAX),
		slots * TP_RING_SLOT_SIZE, slots * TP_RING_SLOT_SIZE + (1u << 20));
}

// The edge comes back to its own words; with a fresh file the other side counts a reset and goes
// on.
static void edge_restarts(void **state)
{
	struct fixture *f = *state;
	struct tp_ring_producer up = shm_streams_producer(&f->edge, &f->stream, 1, 1);
	struct tp_ring_consumer worker = shm_streams_consumer(&f->stream, &f->edge, 1, 1);
	uint32_t generation = atomic_load(&f->edge.header->file.writer_generation);

	for (uint32_t i = 1; i <= 700; i++) {
		assert_true(put(&up, i));
		assert_int_equal(get(&worker), i);
	}
	assert_true(put(&up, 701));
	shm_streams_close(&f->edge);
	assert_int_equal(
		shm_streams_open(&f->edge, &f->place, SHM_EDGE, PAIR, 2, 3, true, &f->err), 0);
	assert_int_equal(atomic_load(&f->edge.header->file.writer_generation), generation + 1);
	up = shm_streams_producer(&f->edge, &f->stream, 1, 1);
	worker = shm_streams_consumer(&f->stream, &f->edge, 1, 1);
	assert_true(put(&up, 702));
	assert_int_equal(get(&worker), 701);
	assert_int_equal(get(&worker), 702);

	shm_streams_close(&f->edge);
	make(f, &f->edge, SHM_EDGE, 2, 3);
	up = shm_streams_producer(&f->edge, &f->stream, 1, 1);
	worker = shm_streams_consumer(&f->stream, &f->edge, 1, 1);
	assert_false(put(&up, 1));
	assert_int_equal(up.resets, 1);
	assert_int_equal(get(&worker), 0);
	assert_int_equal(worker.resets, 1);
	assert_true(put(&up, 2));
	assert_int_equal(get(&worker), 2);
}

static void other_files_are_refused(void **state)
{
	struct fixture *f = *state;
	struct shm_streams r;

	assert_int_equal(
		shm_streams_open(&r, &f->place, SHM_STREAM, PAIR + 1, 0, 0, false, &f->err),
		-ESTALE);
	assert_int_equal(f->err.cause, SHM_OTHER_PAIR);
	assert_int_equal(
		shm_streams_open(&r, &f->place, SHM_STREAM, PAIR, 3, 3, false, &f->err), -ESTALE);
	assert_int_equal(f->err.cause, SHM_OTHER_SHAPE);
	assert_int_equal(
		shm_streams_open(&r, &f->place, SHM_STREAM, PAIR, 0, 0, false, &f->err), 0);
	assert_true(r.n_workers == 3 && r.n_threads == 2);
	shm_streams_close(&r);
	f->stream.header->file.n_edge_threads = TP_EDGE_THREADS_MAX + 1;
	assert_int_equal(
		shm_streams_open(&r, &f->place, SHM_STREAM, PAIR, 0, 0, false, &f->err), -EPROTO);
	f->stream.header->file.n_edge_threads = 3;
	assert_int_equal(
		shm_streams_open(&r, &f->place, SHM_STREAM, PAIR, 0, 0, false, &f->err), -EPROTO);
	f->stream.header->file.n_edge_threads = 2;
	assert_int_equal(shm_streams_create(&r, &f->place, SHM_EDGE, PAIR, 1,
				 TP_EDGE_THREADS_MAX + 1, &f->err),
		-EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_pair_has_its_own_rings, setup, teardown),
		cmocka_unit_test(many_rings_are_shorter),
		cmocka_unit_test_setup_teardown(edge_restarts, setup, teardown),
		cmocka_unit_test_setup_teardown(other_files_are_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
