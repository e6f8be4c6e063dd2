// SPDX-License-Identifier: BSD-3-Clause
// How a file of the segment is made, found, believed and refused.
#include <shm/group.h>
#include <shm/segment.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "scratch_place.h"

static const struct shm_tables_shape shape = {.n_entries = 1000,
	.n_next_hops = 16,
	.n_port_indexes = 1,
	.n_allocations = 100,
	.n_workers = 1};

struct fixture {
	struct shm_place place;
	struct shm_tables tables;
	struct shm_error err;
	char path[300];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_place_make(&f->place);
	assert_int_equal(shm_tables_create(&f->tables, &f->place, &shape, &f->err), 0);
	assert_int_equal(shm_file_publish(&f->tables.file, &f->place, &f->err), 0);
	snprintf(f->path, sizeof(f->path), "%s/turnpike-test.tables", f->place.directory);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	shm_tables_group_set((gid_t)-1);
	shm_tables_close(&f->tables);
	scratch_place_remove(&f->place);
	free(f);
	return 0;
}

static void open_fails(struct fixture *f, bool writable, enum shm_cause cause)
{
	struct shm_tables t;

	assert_true(shm_tables_open(&t, &f->place, writable, &f->err) < 0);
	assert_string_equal(shm_cause_name(f->err.cause), shm_cause_name(cause));
	assert_true(f->err.text[0] != '\0');
	assert_null(t.file.base);
}

static void created_reads_back(void **state)
{
	struct fixture *f = *state;
	struct shm_tables t;
	struct stat st;

	assert_int_equal(shm_tables_open(&t, &f->place, false, &f->err), 0);
	assert_int_equal(t.pair_id, f->tables.pair_id);
	assert_int_equal(t.table.n_entries, 1000);
	assert_int_equal(t.n_main_buckets, 256);
	assert_int_equal(t.table.n_buckets, 375);
	assert_int_equal(t.n_next_hops, 16);
	assert_int_equal(t.n_allocations, 100);
	assert_memory_equal(t.table.hash_key, f->tables.table.hash_key, sizeof(t.table.hash_key));
	atomic_store(&f->tables.entries[999].egress, 7);
	assert_int_equal(atomic_load(&t.entries[999].egress), 7);
	atomic_store(shm_tables_port(&f->tables, 0, 65535), 9);
	assert_int_equal(atomic_load(shm_tables_port(&t, 0, 65535)), 9);
	assert_null(shm_tables_port(&t, 1, 0));
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	// All of the space is there: no write can meet a full file system later.
	assert_true((uint64_t)st.st_blocks * 512 >= t.file.size);
	shm_tables_close(&t);
}

static void reader_cannot_write(void **state)
{
	struct fixture *f = *state;
	struct shm_tables t;
	int status;
	pid_t pid;

	assert_int_equal(shm_tables_open(&t, &f->place, false, &f->err), 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		atomic_store(&t.header->gp_req, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	shm_tables_close(&t);
}

static void missing_is_named(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(shm_file_remove(&f->place, SHM_TABLES, &f->err), 0);
	open_fails(f, false, SHM_MISSING);
	assert_non_null(strstr(f->err.remedy, "turnpike-control"));
	assert_int_equal(shm_file_remove(&f->place, SHM_TABLES, &f->err), 0);
}

static void unpublished_is_invisible(void **state)
{
	struct fixture *f = *state;
	struct shm_tables t;

	shm_file_remove(&f->place, SHM_TABLES, &f->err);
	assert_int_equal(shm_tables_create(&t, &f->place, &shape, &f->err), 0);
	open_fails(f, false, SHM_MISSING);
	shm_tables_close(&t);
	// Nothing is left of it, and the remains of a dead maker are no obstacle.
	assert_int_equal(shm_tables_create(&t, &f->place, &shape, &f->err), 0);
	memset(&t, 0, sizeof(t));
	assert_int_equal(shm_tables_create(&t, &f->place, &shape, &f->err), 0);
	assert_int_equal(shm_file_publish(&t.file, &f->place, &f->err), 0);
	shm_tables_close(&t);
	assert_int_equal(shm_tables_open(&t, &f->place, false, &f->err), 0);
	shm_tables_close(&t);
}

static void stale_files_are_named(void **state)
{
	struct fixture *f = *state;
	struct tp_tables_header *h = f->tables.header;
	uint64_t size = h->file.file_size;

	atomic_store(&h->file.magic, 0);
	open_fails(f, true, SHM_UNFINISHED);
	atomic_store(&h->file.magic, TP_MAGIC_STATE);
	open_fails(f, true, SHM_CORRUPT);
	atomic_store(&h->file.magic, TP_MAGIC_TABLES);

	h->file.boot_id[3] ^= 1;
	h->file.layout_version++;
	open_fails(f, true, SHM_OTHER_BOOT); // nobody maps a file of another boot
	h->file.boot_id[3] ^= 1;
	open_fails(f, true, SHM_OTHER_LAYOUT);
	h->file.layout_version--;

	h->file.instance[0] ^= 1;
	open_fails(f, true, SHM_CORRUPT);
	h->file.instance[0] ^= 1;
	h->file.header_size++;
	open_fails(f, true, SHM_CORRUPT);
	h->file.header_size--;
	h->file.file_size = size + 1;
	open_fails(f, true, SHM_CORRUPT);
	h->file.file_size = size;
	assert_int_equal(truncate(f->path, (off_t)size / 2), 0);
	open_fails(f, true, SHM_CORRUPT);
	assert_int_equal(truncate(f->path, 100), 0);
	open_fails(f, true, SHM_CORRUPT);
}

// A hostile writer's numbers: every one of them is held against the real size of the file.
static void arrays_stay_in_bounds(void **state)
{
	struct fixture *f = *state;
	struct tp_tables_header *h = f->tables.header, was = *h;

#define BAD(field, value)                                                                          \
	do {                                                                                       \
		h->field = (value);                                                                \
		open_fails(f, false, SHM_CORRUPT);                                                 \
		h->field = was.field;                                                              \
	} while (0)
	BAD(file.n_entries, 0);
	BAD(file.n_entries, 2000000);
	BAD(file.n_entries, 0xffffffff);
	BAD(n_buckets, 0);
	BAD(n_buckets, 255);
	BAD(n_buckets, 1u << 31);
	BAD(n_overflow, 0xffffffff);
	BAD(n_next_hops, 0);
	BAD(n_next_hops, TP_NEXT_HOPS_MAX + 1);
	BAD(n_port_indexes, 2);
	BAD(n_port_indexes, 0xffffffff);
	BAD(buckets_off, 0);
	BAD(buckets_off, was.buckets_off + 1);
	BAD(entries_off, was.file.file_size - 64);
	BAD(entries_off, UINT64_MAX - 63);
	BAD(next_hops_off, was.file.file_size);
	BAD(next_hop_infos_off, UINT64_MAX - 63);
	BAD(port_indexes_off, was.file.file_size - 64);
	BAD(locals_off, 64);
	BAD(n_port_sets, 2);
	BAD(n_port_sets, TP_PORT_SETS_MAX + 1);
	BAD(port_sets_off, UINT64_MAX - 63);
	BAD(file.pair_id, 0);
#undef BAD
	h->hash_kind = 77;
	open_fails(f, false, SHM_UNSUPPORTED);
}

static void foreign_files_are_refused(void **state)
{
	struct fixture *f = *state;
	char elsewhere[400];

	assert_int_equal(chmod(f->path, 0660), 0);
	open_fails(f, false, SHM_REFUSED);
	assert_int_equal(chmod(f->path, 0640), 0);

	snprintf(elsewhere, sizeof(elsewhere), "%s.elsewhere", f->path);
	assert_int_equal(rename(f->path, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, f->path), 0);
	open_fails(f, false, SHM_REFUSED);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkfifo(f->path, 0640), 0);
	open_fails(f, false, SHM_REFUSED);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(rename(elsewhere, f->path), 0);

	if (geteuid() == 0) {
		struct shm_tables t;

		assert_int_equal(chown(f->path, 65534, 65534), 0);
		open_fails(f, false, SHM_REFUSED);
		// The edge's group makes no tables that anybody believes.
		f->place.group = 65534;
		shm_tables_group_set(65533);
		open_fails(f, false, SHM_REFUSED);
		shm_tables_group_set(65534);
		assert_int_equal(shm_tables_open(&t, &f->place, false, &f->err), 0);
		shm_tables_close(&t);
		open_fails(f, true, SHM_REFUSED); // only its maker writes
	}
}

// A process that started before the group was made, or before its user joined, goes on with files
// of the place's group: the other one takes them because of their owner.
static void files_of_members_are_taken(void **state)
{
	struct fixture *f = *state;
	struct shm_tables t;

	if (geteuid() != 0)
		skip();
	f->place.group = 65534;
	shm_tables_group_set(65533);
	shm_tables_member_add(64001);
	assert_int_equal(chown(f->path, 64001, 65534), 0);
	assert_int_equal(shm_tables_open(&t, &f->place, false, &f->err), 0);
	shm_tables_close(&t);
	open_fails(f, true, SHM_REFUSED); // only its maker writes
	assert_int_equal(chown(f->path, 64001, 64001), 0);
	open_fails(f, false, SHM_REFUSED);
	assert_int_equal(chown(f->path, 64002, 65534), 0); // as the edge's
	open_fails(f, false, SHM_REFUSED);
	shm_tables_group_set((gid_t)-1);
	assert_false(shm_tables_is_member(64001));
}

// As where the control process runs as root, and the data plane does not.
static void files_of_root_are_read(void **state)
{
	struct fixture *f = *state;
	struct shm_tables t;
	int rc;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(f->place.directory, 0755), 0);
	assert_int_equal(chmod(f->path, 0644), 0);
	assert_int_equal(seteuid(65534), 0);
	rc = shm_tables_open(&t, &f->place, false, &f->err);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, 0);
	shm_tables_close(&t);
}

static void group_is_given(void **state)
{
	struct fixture *f = *state;
	struct shm_streams rings;
	struct shm_tables t;
	struct stat st;

	if (geteuid() != 0)
		skip();
	f->place.group = 65534;
	shm_tables_group_set(65533);
	assert_int_equal(shm_tables_create(&t, &f->place, &shape, &f->err), 0);
	assert_int_equal(shm_file_publish(&t.file, &f->place, &f->err), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_gid, 65533);
	assert_int_equal(
		shm_streams_create(&rings, &f->place, SHM_EDGE, t.pair_id, 1, 1, &f->err), 0);
	assert_int_equal(fstat(rings.file.fd, &st), 0);
	assert_int_equal(st.st_gid, 65534);
	shm_streams_close(&rings);
	shm_tables_close(&t);
}

// Tables of a version without a group of their own are closed to the edge by the next writer.
static void group_is_given_at_open(void **state)
{
	struct fixture *f = *state;
	struct shm_tables t;
	struct stat st;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(f->path, 0, 65534), 0);
	f->place.group = 65534;
	shm_tables_group_set(65533);
	assert_int_equal(shm_tables_open(&t, &f->place, true, &f->err), 0);
	shm_tables_close(&t);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_gid, 65533);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void live_layout_is_kept(void **state)
{
	struct fixture *f = *state;
	int lock = shm_role_lock(&f->place, SHM_ROLE_DATAPLANE, &f->err);

	assert_true(lock >= 0);
	f->tables.header->file.layout_version++;
	open_fails(f, true, SHM_LAYOUT_IN_USE);
	assert_non_null(strstr(f->err.text, "turnpike-dataplane"));
	assert_non_null(strstr(f->err.remedy, "turnpike-dataplane"));
	open_fails(f, false, SHM_OTHER_LAYOUT);
	close(lock);
	open_fails(f, true, SHM_OTHER_LAYOUT);
	assert_true(shm_cause_is_stale(f->err.cause));
}

static void writers_are_counted(void **state)
{
	struct fixture *f = *state;
	struct shm_tables t;

	assert_int_equal(atomic_load(&f->tables.header->file.writer_generation), 1);
	assert_int_equal(shm_tables_open(&t, &f->place, true, &f->err), 0);
	assert_int_equal(atomic_load(&f->tables.header->file.writer_generation), 2);
	assert_int_equal(atomic_load(&f->tables.header->file.writer_pid), getpid());
	shm_tables_close(&t);
	assert_int_equal(shm_tables_open(&t, &f->place, false, &f->err), 0);
	assert_int_equal(atomic_load(&f->tables.header->file.writer_generation), 2);
	shm_tables_close(&t);
}

static void fate_is_told(void **state)
{
	struct fixture *f = *state;
	struct shm_tables t, fresh;

	assert_int_equal(shm_tables_open(&t, &f->place, false, &f->err), 0);
	assert_int_equal(shm_file_fate(&t.file), SHM_FATE_SAME);
	assert_int_equal(shm_tables_create(&fresh, &f->place, &shape, &f->err), 0);
	assert_int_equal(shm_file_fate(&t.file), SHM_FATE_SAME);
	assert_int_equal(shm_file_publish(&fresh.file, &f->place, &f->err), 0);
	assert_int_equal(shm_file_fate(&t.file), SHM_FATE_REPLACED);
	assert_int_equal(shm_file_fate(&fresh.file), SHM_FATE_SAME);
	assert_int_equal(ftruncate(f->tables.file.fd, 4096), 0);
	assert_int_equal(shm_file_fate(&t.file), SHM_FATE_TRUNCATED);
	shm_tables_close(&t);
	shm_file_remove(&f->place, SHM_TABLES, &f->err);
	assert_int_equal(shm_file_fate(&fresh.file), SHM_FATE_UNNAMED);
	shm_tables_close(&fresh);
}

// Some cleaner took the name away: the mapping stays, and the writer gives the name back.
static void a_name_that_vanished_comes_back(void **state)
{
	struct fixture *f = *state;
	struct shm_tables t, again;

	assert_int_equal(shm_tables_open(&t, &f->place, false, &f->err), 0);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(shm_file_fate(&t.file), SHM_FATE_UNNAMED); // a reader can't
	assert_int_equal(shm_file_fate(&f->tables.file), SHM_FATE_SAME);
	assert_int_equal(shm_file_fate(&t.file), SHM_FATE_SAME);
	assert_int_equal(shm_tables_open(&again, &f->place, false, &f->err), 0);
	assert_int_equal(again.file.ino, t.file.ino);
	shm_tables_close(&again);
	// Removed on purpose it stays away, both names.
	assert_int_equal(shm_file_remove(&f->place, SHM_TABLES, &f->err), 0);
	assert_int_equal(shm_file_fate(&f->tables.file), SHM_FATE_UNNAMED);
	assert_int_equal(shm_file_fate(&t.file), SHM_FATE_UNNAMED);
	shm_tables_close(&t);
}

// The name vanished while no writer had the file: the next one finds it all the same.
static void a_name_that_vanished_unseen_comes_back(void **state)
{
	struct fixture *f = *state;
	struct shm_tables reader, writer;
	uint64_t pair_id = f->tables.pair_id;

	shm_tables_close(&f->tables);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(shm_tables_open(&reader, &f->place, false, &f->err), 0);
	assert_int_equal(reader.pair_id, pair_id);
	assert_int_equal(shm_file_fate(&reader.file), SHM_FATE_UNNAMED);
	assert_int_equal(shm_tables_open(&writer, &f->place, true, &f->err), 0);
	assert_int_equal(writer.pair_id, pair_id);
	assert_int_equal(shm_file_fate(&reader.file), SHM_FATE_SAME);
	assert_int_equal(access(f->path, F_OK), 0);
	shm_tables_close(&writer);
	shm_tables_close(&reader);
	// Removed on purpose, it does not.
	assert_int_equal(shm_file_remove(&f->place, SHM_TABLES, &f->err), 0);
	open_fails(f, false, SHM_MISSING);
	open_fails(f, true, SHM_MISSING);
}

static void full_file_system_is_told(void **state)
{
	struct fixture *f = *state;
	struct shm_tables_shape huge = shape;
	struct shm_tables t;

	huge.n_entries = TP_ENTRIES_MAX; // 34 GiB and more
	huge.n_port_indexes = TP_RELAYS_MAX;
	assert_int_equal(shm_tables_create(&t, &f->place, &huge, &f->err), -ENOSPC);
	assert_int_equal(f->err.cause, SHM_NO_SPACE);
	assert_non_null(strstr(f->err.remedy, "limits.allocations"));
	assert_int_equal(shm_tables_open(&t, &f->place, false, &f->err), 0);
	shm_tables_close(&t);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(created_reads_back),
		TEST(reader_cannot_write),
		TEST(missing_is_named),
		TEST(unpublished_is_invisible),
		TEST(stale_files_are_named),
		TEST(arrays_stay_in_bounds),
		TEST(foreign_files_are_refused),
		TEST(files_of_members_are_taken),
		TEST(files_of_root_are_read),
		TEST(group_is_given),
		TEST(group_is_given_at_open),
		TEST(live_layout_is_kept),
		TEST(writers_are_counted),
		TEST(fate_is_told),
		TEST(a_name_that_vanished_comes_back),
		TEST(a_name_that_vanished_unseen_comes_back),
		TEST(full_file_system_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
