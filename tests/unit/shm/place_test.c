// SPDX-License-Identifier: BSD-3-Clause
#include <shm/place.h>

#include <turnpike/base.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "scratch_place.h"

static int setup(void **state)
{
	struct shm_place *p = calloc(1, sizeof(*p));

	scratch_place_make(p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	scratch_place_remove(*state);
	free(*state);
	return 0;
}

static void bad_names_are_refused(void **state)
{
	static const char *const names[] = {"", "a/b", "01234567890123456789012345678901", "../x"};
	struct shm_place p;
	struct shm_error err;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(names); i++)
		assert_int_equal(
			shm_place_init(&p, names[i], "/tmp", NULL, (gid_t)-1, &err), -EINVAL);
	assert_int_equal(shm_place_init(&p, "x", "relative/path", NULL, (gid_t)-1, &err), -EINVAL);
	assert_int_equal(shm_place_init(&p, "x", "/tmp", "relative", (gid_t)-1, &err), -EINVAL);
}

static void run_directory_is_made(void **state)
{
	struct shm_place *p = *state, q;
	struct shm_error err;
	char path[300], parent[290];
	struct stat st;

	snprintf(parent, sizeof(parent), "%s/deeper", p->directory);
	snprintf(path, sizeof(path), "%s/run", parent);
	assert_int_equal(shm_place_init(&q, "x", path, NULL, (gid_t)-1, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(shm_place_init(&q, "x", path, NULL, (gid_t)-1, &err), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(parent), 0);
}

static void directory_is_found_by_the_other(void **state)
{
	struct shm_place *p = *state, control, dataplane;
	struct shm_error err;

	shm_place_init(&control, "test", p->directory, NULL, (gid_t)-1, &err);
	shm_place_init(&dataplane, "test", p->directory, NULL, (gid_t)-1, &err);
	assert_int_equal(shm_place_find(&dataplane, &err), -ENOENT);
	assert_int_equal(err.cause, SHM_MISSING);
	assert_string_equal(dataplane.directory, "");
	assert_int_equal(shm_place_choose(&control, 1 << 20, false, &err), 0);
	assert_string_equal(control.directory, "/dev/shm");
	assert_int_equal(shm_place_find(&dataplane, &err), 0);
	assert_string_equal(dataplane.directory, "/dev/shm");

	// A configured one wins, and is recorded for tools.
	strcpy(control.directory, p->directory);
	assert_int_equal(shm_place_choose(&control, 1 << 20, true, &err), 0);
	dataplane.directory[0] = '\0';
	assert_int_equal(shm_place_find(&dataplane, &err), 0);
	assert_string_equal(dataplane.directory, p->directory);
}

static void directory_of_live_calls_is_kept(void **state)
{
	struct shm_place *p = *state, control;
	struct shm_error err;
	char path[300];

	assert_int_equal(shm_place_choose(p, 1, false, &err), 0); // recorded
	shm_place_init(&control, "test", p->directory, NULL, (gid_t)-1, &err);
	assert_int_equal(shm_place_choose(&control, 1, false, &err), 0);
	assert_string_equal(control.directory, "/dev/shm"); // nothing there to keep

	assert_int_equal(shm_place_choose(p, 1, false, &err), 0);
	snprintf(path, sizeof(path), "%s/turnpike-test.tables", p->directory);
	fclose(fopen(path, "w"));
	control.directory[0] = '\0';
	assert_int_equal(shm_place_choose(&control, 1, false, &err), 0);
	assert_string_equal(control.directory, p->directory);
}

static void second_holder_is_refused(void **state)
{
	struct shm_place *p = *state;
	struct shm_error err;
	char pid[32];
	int lock, again;

	assert_false(shm_role_held(p, SHM_ROLE_CONTROL));
	lock = shm_role_lock(p, SHM_ROLE_CONTROL, &err);
	assert_true(lock >= 0);
	assert_true(shm_role_held(p, SHM_ROLE_CONTROL));
	assert_false(shm_role_held(p, SHM_ROLE_DATAPLANE));
	again = shm_role_lock(p, SHM_ROLE_CONTROL, &err);
	assert_int_equal(again, -EBUSY);
	assert_int_equal(err.cause, SHM_BUSY);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_non_null(strstr(err.text, pid));
	assert_non_null(strstr(err.remedy, "--instance"));
	again = shm_role_lock(p, SHM_ROLE_DATAPLANE, &err);
	assert_true(again >= 0);
	close(again);
	close(lock);
	assert_false(shm_role_held(p, SHM_ROLE_CONTROL));
}

static void lock_goes_with_its_holder(void **state)
{
	struct shm_place *p = *state;
	struct shm_error err;
	int pipefd[2], lock;
	char c;
	pid_t pid;

	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		if (shm_role_lock(p, SHM_ROLE_DATAPLANE, &err) < 0 || write(pipefd[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(pipefd[0], &c, 1), 1);
	assert_true(shm_role_held(p, SHM_ROLE_DATAPLANE));
	assert_int_equal(shm_role_lock(p, SHM_ROLE_DATAPLANE, &err), -EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_false(shm_role_held(p, SHM_ROLE_DATAPLANE));
	lock = shm_role_lock(p, SHM_ROLE_DATAPLANE, &err);
	assert_true(lock >= 0);
	close(lock);
	close(pipefd[0]);
	close(pipefd[1]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(bad_names_are_refused),
		TEST(run_directory_is_made),
		TEST(directory_is_found_by_the_other),
		TEST(directory_of_live_calls_is_kept),
		TEST(second_holder_is_refused),
		TEST(lock_goes_with_its_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
