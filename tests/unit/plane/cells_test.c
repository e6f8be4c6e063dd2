// SPDX-License-Identifier: BSD-3-Clause
// Cells of the data plane's counters grow with the entries that the control process wants.
#include "attached.h"

#include <fcntl.h>

static void make_wide_tables(struct fixture *f)
{
	static const struct shm_tables_shape wide = {.n_entries = 5 * SHM_CELLS_STEP,
		.n_next_hops = 16,
		.n_port_indexes = 1,
		.n_allocations = 100,
		.n_workers = 1};

	assert_int_equal(shm_tables_create(&f->tables, &f->place, &wide, &f->err), 0);
	assert_int_equal(shm_inject_create(&f->inject, &f->place, &f->tables, 1, &f->err), 0);
	assert_int_equal(shm_file_publish(&f->inject.file, &f->place, &f->err), 0);
	assert_int_equal(shm_file_publish(&f->tables.file, &f->place, &f->err), 0);
}

static uint32_t told(const struct fixture *f)
{
	return shm_state_ready(&f->attach.segment.state);
}

static void test_cells_follow_the_wish(void **state)
{
	struct fixture *f = *state;
	struct tp_tables_header *h;

	make_wide_tables(f);
	h = f->tables.header;
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	assert_int_equal(told(f), SHM_CELLS_STEP);
	atomic_store(&h->cells_wanted, 3 * SHM_CELLS_STEP);
	// A step at a time, and the workers know before the control process does.
	for (unsigned n = 2; n <= 3; n++) {
		assert_int_equal(plane_attach_tick(&f->attach, &f->err), ATTACH_NOTHING);
		assert_int_equal(told(f), n * SHM_CELLS_STEP);
		assert_int_equal(snapshot_read(&f->attach.slot)->n_entries, n * SHM_CELLS_STEP);
	}
	assert_int_equal(attached_tick(f), ATTACH_NOTHING);
	assert_int_equal(told(f), 3 * SHM_CELLS_STEP);
	// Again, with the same file.
	plane_attach_fini(&f->attach);
	attached_begin(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	assert_int_equal(told(f), 3 * SHM_CELLS_STEP);
	assert_int_equal(snapshot_read(&f->attach.slot)->n_entries, 3 * SHM_CELLS_STEP);
	// There are never more than the tables' entries.
	atomic_store(&h->cells_wanted, UINT32_MAX);
	attached_tick(f);
	assert_int_equal(told(f), 5 * SHM_CELLS_STEP);
}

// The configuration is half written: workers can't be told of the entries, so nobody is.
static void test_cells_wait_for_the_workers(void **state)
{
	struct fixture *f = *state;
	struct tp_tables_header *h;

	make_wide_tables(f);
	h = f->tables.header;
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	atomic_store(&h->config_seq, 1);
	atomic_store(&h->cells_wanted, 2 * SHM_CELLS_STEP);
	attached_tick(f);
	assert_int_equal(told(f), SHM_CELLS_STEP);
	assert_int_equal(snapshot_read(&f->attach.slot)->n_entries, SHM_CELLS_STEP);
	atomic_store(&h->config_seq, 2);
	assert_int_equal(attached_tick(f), ATTACH_CHANGED);
	attached_tick(f);
	assert_int_equal(told(f), 2 * SHM_CELLS_STEP);
	assert_int_equal(snapshot_read(&f->attach.slot)->n_entries, 2 * SHM_CELLS_STEP);
}

static void test_cells_without_memory(void **state)
{
	struct fixture *f = *state;
	struct shm_file *file = &f->attach.segment.state.file;
	struct tp_state_header *h;
	int good;

	make_wide_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	h = f->attach.segment.state.header;
	good = dup(file->fd);
	close(file->fd);
	assert_int_equal(open("/dev/null", O_RDONLY | O_CLOEXEC), file->fd);
	atomic_store(&f->tables.header->cells_wanted, 2 * SHM_CELLS_STEP);
	assert_int_equal(plane_attach_tick(&f->attach, &f->err), ATTACH_SHORT);
	assert_int_equal(told(f), SHM_CELLS_STEP);
	assert_true((atomic_load(&h->flags) & TP_STATE_CELLS_SHORT) != 0);
	assert_non_null(strstr(f->err.text, "state"));
	assert_int_equal(dup2(good, file->fd), file->fd);
	close(good);
	for (unsigned i = 0; i < 1000 && told(f) == SHM_CELLS_STEP; i++)
		assert_int_equal(plane_attach_tick(&f->attach, &f->err), ATTACH_NOTHING);
	assert_int_equal(told(f), 2 * SHM_CELLS_STEP);
	assert_int_equal(atomic_load(&h->flags) & TP_STATE_CELLS_SHORT, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_cells_follow_the_wish, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(
			test_cells_wait_for_the_workers, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(
			test_cells_without_memory, attached_setup, attached_teardown),
	};

	return cmocka_run_group_tests_name("plane cells", tests, NULL, NULL);
}
