// SPDX-License-Identifier: BSD-3-Clause
// Cores and memory that the host lets a process have.
#include <proc/host.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void workers_cores_are_left(void **state)
{
	const uint32_t workers[] = {1, 3, 99999}, all[] = {0, 1, 2, 3};
	cpu_set_t set;

	(void)state;
	CPU_ZERO(&set);
	for (int i = 0; i < 4; i++)
		CPU_SET(i, &set);
	assert_true(proc_cores_without(&set, workers, 3));
	assert_int_equal(CPU_COUNT(&set), 2);
	assert_true(CPU_ISSET(0, &set) && CPU_ISSET(2, &set));
	// None would be left: it stays as it was.
	assert_false(proc_cores_without(&set, all, 4));
	assert_int_equal(CPU_COUNT(&set), 2);
}

static char root[] = "/tmp/proc_host.XXXXXX";

static void file_write(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void least_limit_counts(void **state)
{
	char path[128], self[128];

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/a", root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/a/b", root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(self, sizeof(self), "%s/self", root);
	file_write("self", "1:cpu:/x\n0::/a/b\n");
	assert_true(proc_memory_limit(self, root) == UINT64_MAX);
	file_write("a/b/memory.max", "max\n");
	file_write("a/memory.max", "16777216\n");
	assert_true(proc_memory_limit(self, root) == 16777216);
	file_write("a/b/memory.max", "4096\n");
	assert_true(proc_memory_limit(self, root) == 4096);
	assert_true(proc_memory_suffices(4096, self, root, "none"));
	assert_false(proc_memory_suffices(4097, self, root, "raise it"));
	assert_true(proc_memory_limit("/nonexistent", root) == UINT64_MAX);
	snprintf(path, sizeof(path), "rm -rf %s", root);
	assert_int_equal(system(path), 0);
}

static unsigned long locked_kb(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long kb = 0;
	char line[256];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "VmLck: %lu", &kb) == 1)
			break;
	}
	fclose(f);
	return kb;
}

// The sanitizers of addresses and threads make mlockall(2) do nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOCKS_NOTHING true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LOCKS_NOTHING true
#endif
#endif
#ifndef LOCKS_NOTHING
#define LOCKS_NOTHING false
#endif

static void memory_is_locked_where_allowed(void **state)
{
	(void)state;
	if (LOCKS_NOTHING)
		skip();
	assert_int_equal(locked_kb(), 0);
	if (proc_memory_lock() < 0)
		skip();
	assert_true(locked_kb() > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_cores_are_left),
		cmocka_unit_test(least_limit_counts),
		cmocka_unit_test(memory_is_locked_where_allowed),
	};

	return cmocka_run_group_tests_name("process host", tests, NULL, NULL);
}
