// SPDX-License-Identifier: BSD-3-Clause
// The files beside the tables: state, punt, inject; and the exchange through the tables' header.
#include <shm/futex.h>
#include <shm/segment.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "scratch_place.h"

static const struct shm_tables_shape shape = {
	.n_entries = 500, .n_next_hops = 4, .n_port_indexes = 1, .n_allocations = 50};

struct fixture {
	struct shm_place place;
	struct shm_tables tables;
	struct shm_error err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_place_make(&f->place);
	assert_int_equal(shm_tables_create(&f->tables, &f->place, &shape, &f->err), 0);
	assert_int_equal(shm_file_publish(&f->tables.file, &f->place, &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	shm_tables_close(&f->tables);
	scratch_place_remove(&f->place);
	free(f);
	return 0;
}

static void make_state(struct fixture *f, uint32_t n_workers)
{
	struct shm_state s;

	assert_int_equal(shm_state_create(&s, &f->place, &f->tables, n_workers, &f->err), 0);
	s.header->n_ports = 2;
	shm_state_adopt(&s, &f->tables);
	assert_int_equal(shm_file_publish(&s.file, &f->place, &f->err), 0);
	shm_state_close(&s);
}

static void state_is_shared(void **state)
{
	struct fixture *f = *state;
	struct shm_state w, r;

	atomic_store(&f->tables.header->gp_req, 0xfffffff0);
	make_state(f, 3);
	assert_int_equal(shm_state_open(&w, &f->place, &f->tables, 3, true, &f->err), 0);
	assert_int_equal(shm_state_open(&r, &f->place, &f->tables, 0, false, &f->err), 0);
	assert_int_equal(r.n_workers, 3);
	assert_int_equal(r.n_ports, 2);
	assert_int_equal(atomic_load(&r.header->gp_done), 0xfffffff0);

	tp_count(&shm_state_cell(&w, 2, 499)->octets, 160);
	assert_int_equal(atomic_load(&shm_state_cell(&r, 2, 499)->octets), 160);
	assert_int_equal(atomic_load(&shm_state_cell(&r, 1, 499)->octets), 0);
	tp_count(&w.workers[2].residence[31], 1);
	assert_int_equal(atomic_load(&r.workers[2].residence[31]), 1);
	assert_int_equal(atomic_load(&shm_state_cell(&r, 0, 0)->packets), 0);
	shm_state_close(&w);
	shm_state_close(&r);
}

static void state_keeps_its_counters(void **state)
{
	struct fixture *f = *state;
	struct shm_state w;

	make_state(f, 1);
	assert_int_equal(shm_state_open(&w, &f->place, &f->tables, 1, true, &f->err), 0);
	tp_count(&shm_state_cell(&w, 0, 1)->packets, 5);
	shm_state_close(&w);
	atomic_store(&f->tables.header->gp_req, 77);
	assert_int_equal(shm_state_open(&w, &f->place, &f->tables, 1, true, &f->err), 0);
	shm_state_adopt(&w, &f->tables);
	assert_int_equal(atomic_load(&shm_state_cell(&w, 0, 1)->packets), 5);
	assert_int_equal(atomic_load(&w.header->gp_done), 77);
	shm_state_close(&w);
}

static uint64_t memory_of(const struct shm_file *file)
{
	struct stat st;

	assert_int_equal(fstat(file->fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

// Cells of entries that nobody uses take no memory, not by being mapped or read either.
static void cells_get_memory_by_steps(void **state)
{
	static const struct shm_tables_shape wide = {.n_entries = 4 * SHM_CELLS_STEP + 10,
		.n_next_hops = 4,
		.n_port_indexes = 1,
		.n_allocations = 50};
	const uint64_t step = 3ull * SHM_CELLS_STEP * sizeof(struct tp_cell), slack = 3 * 2 * 4096;
	struct fixture *f = *state;
	struct shm_tables t;
	struct shm_state w, r;
	uint64_t first;

	assert_int_equal(shm_tables_create(&t, &f->place, &wide, &f->err), 0);
	assert_int_equal(shm_state_create(&w, &f->place, &t, 3, &f->err), 0);
	assert_int_equal(shm_file_publish(&w.file, &f->place, &f->err), 0);
	assert_int_equal(shm_state_ready(&w), SHM_CELLS_STEP);
	first = memory_of(&w.file);
	assert_in_range(first, step, step + slack + 3 * sizeof(struct tp_worker_stats) + 8192);
	assert_true(shm_state_used(3, wide.n_entries, 0, 1) <= first);
	assert_true(first <= shm_state_used(3, wide.n_entries, 0, 1) + slack);
	tp_count(&shm_state_cell(&w, 2, SHM_CELLS_STEP - 1)->packets, 7);

	assert_int_equal(shm_state_reserve(&w, &f->place, SHM_CELLS_STEP + 1, &f->err), 0);
	assert_int_equal(w.n_ready, 2 * SHM_CELLS_STEP);
	assert_int_equal(shm_state_ready(&w), SHM_CELLS_STEP); // not told yet
	shm_state_tell(&w);
	assert_in_range(memory_of(&w.file), first + step, first + step + slack);

	assert_int_equal(shm_state_open(&r, &f->place, &t, 0, false, &f->err), 0);
	assert_int_equal(shm_state_ready(&r), 2 * SHM_CELLS_STEP);
	assert_int_equal(atomic_load(&shm_state_cell(&r, 2, SHM_CELLS_STEP - 1)->packets), 7);
	assert_int_equal(atomic_load(&shm_state_cell(&r, 1, 2 * SHM_CELLS_STEP - 1)->packets), 0);
	shm_state_close(&r);
	shm_state_close(&w);
	assert_int_equal(shm_state_open(&w, &f->place, &t, 3, true, &f->err), 0);
	assert_int_equal(w.n_ready, 2 * SHM_CELLS_STEP);
	assert_in_range(memory_of(&w.file), first + step, first + step + slack);

	assert_int_equal(shm_state_reserve(&w, &f->place, UINT32_MAX, &f->err), 0);
	assert_int_equal(w.n_ready, wide.n_entries);
	assert_true(memory_of(&w.file) >= shm_state_size(3, wide.n_entries, 0));
	shm_state_close(&w);
	shm_tables_close(&t);
}

// A later data plane has cells for what an earlier one was asked for.
static void a_new_state_has_the_cells_that_are_wanted(void **state)
{
	static const struct shm_tables_shape wide = {.n_entries = 4 * SHM_CELLS_STEP,
		.n_next_hops = 4,
		.n_port_indexes = 1,
		.n_allocations = 50};
	struct fixture *f = *state;
	struct shm_tables t;
	struct shm_state w;

	assert_int_equal(shm_tables_create(&t, &f->place, &wide, &f->err), 0);
	atomic_store(&t.header->cells_wanted, 2 * SHM_CELLS_STEP + 1);
	assert_int_equal(shm_state_create(&w, &f->place, &t, 2, &f->err), 0);
	assert_int_equal(shm_state_ready(&w), 3 * SHM_CELLS_STEP);
	// A file that says more than it can hold.
	atomic_store(&w.header->cells_ready, UINT32_MAX);
	assert_int_equal(shm_state_ready(&w), 4 * SHM_CELLS_STEP);
	shm_state_close(&w);
	shm_tables_close(&t);
}

static void state_of_other_tables_is_refused(void **state)
{
	struct fixture *f = *state;
	struct shm_tables other;
	struct shm_state s;

	make_state(f, 1);
	assert_int_equal(shm_tables_create(&other, &f->place, &shape, &f->err), 0);
	assert_true(other.pair_id != f->tables.pair_id);
	assert_true(shm_state_open(&s, &f->place, &other, 1, true, &f->err) < 0);
	assert_int_equal(f->err.cause, SHM_OTHER_PAIR);
	shm_tables_close(&other);
}

static void state_of_another_shape_is_refused(void **state)
{
	struct fixture *f = *state;
	struct shm_state s, w;

	make_state(f, 2);
	assert_true(shm_state_open(&s, &f->place, &f->tables, 1, true, &f->err) < 0);
	assert_int_equal(f->err.cause, SHM_OTHER_SHAPE);
	assert_true(shm_cause_is_stale(f->err.cause));

	assert_int_equal(shm_state_open(&w, &f->place, &f->tables, 2, true, &f->err), 0);
	w.header->n_ports = TP_PORTS_MAX + 1;
	assert_true(shm_state_open(&s, &f->place, &f->tables, 0, false, &f->err) < 0);
	assert_int_equal(f->err.cause, SHM_CORRUPT);
	w.header->n_ports = 0;
	w.header->file.n_workers = 64;
	assert_true(shm_state_open(&s, &f->place, &f->tables, 0, false, &f->err) < 0);
	assert_int_equal(f->err.cause, SHM_CORRUPT);
	w.header->file.n_workers = 2;
	w.header->cells_off += 64;
	assert_true(shm_state_open(&s, &f->place, &f->tables, 0, false, &f->err) < 0);
	assert_int_equal(f->err.cause, SHM_CORRUPT);
	shm_state_close(&w);
	assert_int_equal(
		shm_state_create(&s, &f->place, &f->tables, TP_WORKERS_MAX + 1, &f->err), -EINVAL);
}

static void ring_files_are_checked(void **state)
{
	struct fixture *f = *state;
	struct shm_punt punt, p;
	struct shm_inject inject, i;

	assert_int_equal(shm_punt_create(&punt, &f->place, &f->tables, 2, &f->err), 0);
	assert_int_equal(shm_file_publish(&punt.file, &f->place, &f->err), 0);
	assert_int_equal(shm_inject_create(&inject, &f->place, &f->tables, 4, &f->err), 0);
	assert_int_equal(shm_file_publish(&inject.file, &f->place, &f->err), 0);
	assert_int_equal(shm_punt_open(&p, &f->place, &f->tables, 0, false, &f->err), 0);
	assert_int_equal(p.n_workers, 2);
	shm_punt_close(&p);
	assert_int_equal(shm_inject_open(&i, &f->place, &f->tables, 4, true, &f->err), 0);
	shm_inject_close(&i);
	assert_true(shm_inject_open(&i, &f->place, &f->tables, 2, true, &f->err) < 0);
	assert_int_equal(f->err.cause, SHM_OTHER_SHAPE);

	inject.header->file.n_workers = 5;
	assert_true(shm_inject_open(&i, &f->place, &f->tables, 0, false, &f->err) < 0);
	assert_int_equal(f->err.cause, SHM_CORRUPT);
	punt.header->slots_off = 320;
	assert_true(shm_punt_open(&p, &f->place, &f->tables, 0, false, &f->err) < 0);
	assert_int_equal(f->err.cause, SHM_CORRUPT);
	punt.header->file.pair_id++;
	assert_true(shm_punt_open(&p, &f->place, &f->tables, 0, false, &f->err) < 0);
	assert_int_equal(f->err.cause, SHM_OTHER_PAIR);
	shm_punt_close(&punt);
	shm_inject_close(&inject);
}

static void config_is_read_whole(void **state)
{
	struct fixture *f = *state;
	struct tp_local *locals = calloc(TP_LOCALS_MAX, sizeof(*locals));
	struct tp_path_config path;

	f->tables.header->path.relay_port_max = 65535;
	f->tables.locals[1023].addr = tp_addr_ipv4(0x0a4d0001, 3478);
	atomic_store(&f->tables.header->config_seq, 6);
	assert_int_equal(shm_tables_config(&f->tables, &path, locals), 6);
	assert_int_equal(path.relay_port_max, 65535);
	assert_true(tp_addr_equal(&locals[1023].addr, &f->tables.locals[1023].addr));
	atomic_store(&f->tables.header->config_seq, 7); // a writer is at it, or died at it
	assert_int_equal(shm_tables_config(&f->tables, &path, locals), -EAGAIN);
	free(locals);
}

static void futex_wakes_a_reader(void **state)
{
	struct fixture *f = *state;
	struct shm_tables t;
	int status;
	pid_t pid;

	assert_int_equal(shm_tables_open(&t, &f->place, false, &f->err), 0);
	assert_int_equal(shm_futex_wait(&t.header->gp_req, 0, 1000000), -ETIMEDOUT);
	assert_int_equal(shm_futex_wait(&t.header->gp_req, 5, 1000000000), 0);
	pid = fork();
	if (pid == 0) {
		struct timespec ts = {.tv_nsec = 20000000};

		nanosleep(&ts, NULL);
		atomic_store(&f->tables.header->gp_req, 1);
		shm_futex_wake(&f->tables.header->gp_req);
		_exit(0);
	}
	// A read-only mapping in another process.
	assert_int_equal(shm_futex_wait(&t.header->gp_req, 0, 10000000000), 0);
	assert_int_equal(atomic_load(&t.header->gp_req), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	shm_tables_close(&t);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(state_is_shared),
		TEST(state_keeps_its_counters),
		TEST(cells_get_memory_by_steps),
		TEST(a_new_state_has_the_cells_that_are_wanted),
		TEST(state_of_other_tables_is_refused),
		TEST(state_of_another_shape_is_refused),
		TEST(ring_files_are_checked),
		TEST(config_is_read_whole),
		TEST(futex_wakes_a_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
