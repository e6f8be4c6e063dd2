// SPDX-License-Identifier: BSD-3-Clause
// A hijacked writer truncates a file that a reader maps. The cases run in children: a SIGBUS that
// is not caught must end a process.
#include <shm/guard.h>
#include <shm/segment.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "scratch_place.h"

static const struct shm_tables_shape shape = {
	.n_entries = 50000, .n_next_hops = 4, .n_port_indexes = 1, .n_allocations = 8};

struct fixture {
	struct shm_place place;
	struct shm_tables writer, reader;
	struct shm_error err;
	atomic_bool lost;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_place_make(&f->place);
	assert_int_equal(shm_tables_create(&f->writer, &f->place, &shape, &f->err), 0);
	assert_int_equal(shm_file_publish(&f->writer.file, &f->place, &f->err), 0);
	assert_int_equal(shm_tables_open(&f->reader, &f->place, false, &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	shm_tables_close(&f->writer);
	shm_tables_close(&f->reader);
	scratch_place_remove(&f->place);
	free(f);
	return 0;
}

// Runs a case in a child; its exit status, or minus the signal that ended it.
static int child_run(struct fixture *f, int (*fn)(struct fixture *))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGBUS, SIG_DFL); // cmocka's handler is not part of the case
		alarm(20);
		_exit(fn(f));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static uint64_t tables_sum(const struct shm_tables *t)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < t->table.n_buckets; i++)
		sum += atomic_load(&t->buckets[i].idx[0]);
	for (uint32_t i = 0; i < t->table.n_entries; i++)
		sum += t->entries[i].generation;
	return sum;
}

static int truncate_and_read(struct fixture *f)
{
	f->writer.entries[40000].generation = 5;
	if (tables_sum(&f->reader) != 5)
		return 1;
	if (ftruncate(f->writer.file.fd, 4096) < 0)
		return 2;
	return tables_sum(&f->reader) == 0 && atomic_load(&f->reader.header->gp_req) == 0 ? 0 : 3;
}

static int unguarded(struct fixture *f)
{
	return truncate_and_read(f);
}

static int guarded(struct fixture *f)
{
	struct tp_key key;
	int rc;

	if (shm_guard_install() < 0 || shm_guard_install() < 0 ||
		shm_guard_add(f->reader.file.base, f->reader.file.size, &f->lost) < 0)
		return 10;
	if (atomic_load(&f->lost))
		return 11;
	rc = truncate_and_read(f);
	if (rc != 0)
		return rc;
	if (!atomic_load(&f->lost) || shm_file_fate(&f->reader.file) != SHM_FATE_TRUNCATED)
		return 12;
	memset(&key, 0, sizeof(key));
	if (tp_table_find(&f->reader.table, &key, tp_table_hash(&f->reader.table, &key)) != 0)
		return 13;
	// Re-attaching is refused until there are new tables, then works.
	shm_guard_remove(f->reader.file.base);
	shm_tables_close(&f->reader);
	if (shm_tables_open(&f->reader, &f->place, false, &f->err) == 0 ||
		f->err.cause != SHM_CORRUPT)
		return 14;
	if (shm_tables_create(&f->writer, &f->place, &shape, &f->err) < 0 ||
		shm_file_publish(&f->writer.file, &f->place, &f->err) < 0 ||
		shm_tables_open(&f->reader, &f->place, false, &f->err) < 0)
		return 15;
	return tables_sum(&f->reader) == 0 ? 0 : 16;
}

static atomic_bool stop;

static void *read_on(void *arg)
{
	while (!atomic_load(&stop))
		tables_sum(arg);
	return NULL;
}

static int guarded_threads(struct fixture *f)
{
	pthread_t threads[3];

	shm_guard_install();
	shm_guard_add(f->reader.file.base, f->reader.file.size, &f->lost);
	for (unsigned i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, read_on, &f->reader) != 0)
			return 1;
	if (ftruncate(f->writer.file.fd, 0) < 0)
		return 2;
	while (!atomic_load(&f->lost))
		sched_yield();
	tables_sum(&f->reader);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static int removed_guard(struct fixture *f)
{
	shm_guard_install();
	shm_guard_add(f->reader.file.base, f->reader.file.size, &f->lost);
	shm_guard_remove(f->reader.file.base);
	return truncate_and_read(f);
}

static int sent_by_hand(struct fixture *f)
{
	shm_guard_install();
	shm_guard_add(f->reader.file.base, f->reader.file.size, &f->lost);
	raise(SIGBUS);
	return 0;
}

static int too_many(struct fixture *f)
{
	for (unsigned i = 0; i < SHM_GUARDS_MAX; i++)
		if (shm_guard_add((char *)f->reader.file.base + 4096 * i, 4096, &f->lost) < 0)
			return 1;
	return shm_guard_add(f->writer.file.base, 4096, &f->lost) == -ENOSPC ? 0 : 2;
}

static void truncation_is_survived(void **state)
{
	assert_int_equal(child_run(*state, guarded), 0);
}

static void truncation_is_survived_by_all_threads(void **state)
{
	assert_int_equal(child_run(*state, guarded_threads), 0);
}

static void other_sigbus_is_fatal(void **state)
{
	assert_int_equal(child_run(*state, unguarded), -SIGBUS);
}

static void sigbus_after_removal_is_fatal(void **state)
{
	assert_int_equal(child_run(*state, removed_guard), -SIGBUS);
}

static void sent_sigbus_is_fatal(void **state)
{
	assert_int_equal(child_run(*state, sent_by_hand), -SIGBUS);
}

static void guards_are_bounded(void **state)
{
	assert_int_equal(child_run(*state, too_many), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(truncation_is_survived),
		TEST(truncation_is_survived_by_all_threads),
		TEST(other_sigbus_is_fatal),
		TEST(sigbus_after_removal_is_fatal),
		TEST(sent_sigbus_is_fatal),
		TEST(guards_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
