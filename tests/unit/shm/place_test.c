// SPDX-License-Identifier: BSD-3-Clause
#include <shm/place.h>

#include <turnpike/base.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "scratch_place.h"

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

// A mount below /run or /tmp belongs to its maker: another instance, a lab, a test.
static void mounts_of_others_are_left_alone(void **state)
{
	struct shm_place p = {.run_directory = "/run/turnpike/default"};

	(void)state;
	assert_int_equal(shm_place_mount_rank(&p, "/dev/hugepages"), 1);
	assert_int_equal(shm_place_mount_rank(&p, "/mnt/huge_1G"), 1);
	assert_int_equal(shm_place_mount_rank(&p, "/running/huge"), 1);
	assert_int_equal(shm_place_mount_rank(&p, "/run/turnpike/default/huge"), 2);
	assert_int_equal(shm_place_mount_rank(&p, "/run/turnpike/default2/huge"), 0);
	assert_int_equal(shm_place_mount_rank(&p, "/run/turnpike-lab/huge"), 0);
	assert_int_equal(shm_place_mount_rank(&p, "/tmp/x/huge"), 0);
	assert_int_equal(shm_place_mount_rank(&p, "/dev/shm/relaybench-1/huge"), 0);
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

static void file_touch(const struct shm_place *p, const char *directory, const char *name)
{
	char path[600];
	FILE *f;

	(void)p;
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
}

static bool file_is_there(const char *directory, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

static void last_one_takes_the_files_away(void **state)
{
	struct shm_place *p = *state;
	struct shm_error err;
	char tables[64];
	int control, dataplane;

	snprintf(tables, sizeof(tables), "turnpike-%s.tables", p->instance);
	control = shm_role_lock(p, SHM_ROLE_CONTROL, &err);
	dataplane = shm_role_lock(p, SHM_ROLE_DATAPLANE, &err);
	file_touch(p, p->directory, tables);
	file_touch(p, p->run_directory, SHM_RECORD_NAME);
	assert_false(shm_role_leave(p, SHM_ROLE_CONTROL, control));
	assert_true(file_is_there(p->directory, tables));
	assert_false(shm_role_held(p, SHM_ROLE_CONTROL));
	assert_true(shm_role_held(p, SHM_ROLE_DATAPLANE));

	// Back again: then the other leaves first.
	control = shm_role_lock(p, SHM_ROLE_CONTROL, &err);
	assert_true(control >= 0);
	assert_false(shm_role_leave(p, SHM_ROLE_DATAPLANE, dataplane));
	assert_true(file_is_there(p->directory, tables));
	assert_true(shm_role_leave(p, SHM_ROLE_CONTROL, control));
	assert_false(file_is_there(p->directory, tables));
	assert_false(file_is_there(p->run_directory, SHM_RECORD_NAME));
	assert_false(file_is_there(p->run_directory, "control.lock"));
	assert_false(file_is_there(p->run_directory, "dataplane.lock"));
}

// One crashed, the other stops in order: the calls wait for both to come back.
static void a_crash_keeps_the_files(void **state)
{
	static const char *const roles[] = {SHM_ROLE_CONTROL, SHM_ROLE_DATAPLANE};
	struct shm_place *p = *state;
	struct shm_error err;
	char tables[64];

	snprintf(tables, sizeof(tables), "turnpike-%s.tables", p->instance);
	file_touch(p, p->directory, tables);
	file_touch(p, p->run_directory, SHM_RECORD_NAME);
	for (unsigned i = 0; i < 2; i++) {
		int crashed, orderly;

		assert_true(shm_role_has_left(p, roles[i])); // it never came
		crashed = shm_role_lock(p, roles[i], &err);
		orderly = shm_role_lock(p, roles[!i], &err);
		assert_false(shm_role_has_left(p, roles[i]));
		close(crashed);
		assert_false(shm_role_has_left(p, roles[i]));
		assert_false(shm_role_leave(p, roles[!i], orderly));
		assert_true(shm_role_has_left(p, roles[!i]));
		assert_true(file_is_there(p->directory, tables));
		assert_true(file_is_there(p->run_directory, SHM_RECORD_NAME));
		// It comes back and stops in order: now both have.
		crashed = shm_role_lock(p, roles[i], &err);
		assert_true(crashed >= 0);
		assert_true(shm_role_leave(p, roles[i], crashed));
		assert_false(file_is_there(p->directory, tables));
		file_touch(p, p->directory, tables);
		file_touch(p, p->run_directory, SHM_RECORD_NAME);
	}
	// Asked for, they go.
	close(shm_role_lock(p, SHM_ROLE_DATAPLANE, &err));
	assert_true(shm_role_clear(p, shm_role_lock(p, SHM_ROLE_CONTROL, &err)));
	assert_false(file_is_there(p->directory, tables));
}

// The third process holds the files while it runs; its crash holds nothing.
static void an_edge_keeps_them_while_it_runs(void **state)
{
	struct shm_place *p = *state;
	struct shm_error err;
	int control = shm_role_lock(p, SHM_ROLE_CONTROL, &err);
	int edge = shm_role_lock(p, SHM_ROLE_EDGE, &err);

	file_touch(p, p->run_directory, SHM_RECORD_NAME);
	assert_false(shm_role_leave(p, SHM_ROLE_CONTROL, control));
	close(edge);
	control = shm_role_lock(p, SHM_ROLE_CONTROL, &err);
	assert_true(shm_role_leave(p, SHM_ROLE_CONTROL, control));
	assert_false(file_is_there(p->run_directory, SHM_RECORD_NAME));
	assert_false(file_is_there(p->run_directory, "edge.lock"));
}

static void asked_for_they_stay_while_one_runs(void **state)
{
	struct shm_place *p = *state;
	struct shm_error err;
	int dataplane = shm_role_lock(p, SHM_ROLE_DATAPLANE, &err);

	file_touch(p, p->run_directory, SHM_RECORD_NAME);
	assert_false(shm_role_clear(p, shm_role_lock(p, SHM_ROLE_CONTROL, &err)));
	assert_true(file_is_there(p->run_directory, SHM_RECORD_NAME));
	close(dataplane);
}

// Another file has the lock's name: its holder may run.
static void a_lock_without_its_name_removes_nothing(void **state)
{
	struct shm_place *p = *state;
	struct shm_error err;
	char path[600];
	int control = shm_role_lock(p, SHM_ROLE_CONTROL, &err);

	file_touch(p, p->run_directory, SHM_RECORD_NAME);
	snprintf(path, sizeof(path), "%s/control.lock", p->run_directory);
	assert_int_equal(unlink(path), 0);
	assert_false(shm_role_leave(p, SHM_ROLE_CONTROL, control));
	assert_true(file_is_there(p->run_directory, SHM_RECORD_NAME));
}

static void a_lost_name_is_given_back(void **state)
{
	struct shm_place *p = *state;
	struct shm_error err;
	char path[600], second[600];
	int fd = shm_role_lock(p, SHM_ROLE_CONTROL, &err), other;

	snprintf(path, sizeof(path), "%s/control.lock", p->run_directory);
	snprintf(second, sizeof(second), "%s/control.lock.second", p->run_directory);
	assert_int_equal(shm_role_check(p, SHM_ROLE_CONTROL, fd), SHM_LOCK_NAMED);
	// Removed; replaced by a file that nobody holds.
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(unlink(path), 0);
		if (i == 1)
			file_touch(p, p->run_directory, "control.lock");
		assert_false(shm_role_held(p, SHM_ROLE_CONTROL));
		assert_int_equal(shm_role_check(p, SHM_ROLE_CONTROL, fd), SHM_LOCK_GIVEN_BACK);
		assert_true(shm_role_held(p, SHM_ROLE_CONTROL));
		assert_int_equal(shm_role_check(p, SHM_ROLE_CONTROL, fd), SHM_LOCK_NAMED);
	}
	// Another process was quicker.
	assert_int_equal(unlink(path), 0);
	other = shm_role_lock(p, SHM_ROLE_CONTROL, &err);
	assert_true(other >= 0);
	assert_int_equal(shm_role_check(p, SHM_ROLE_CONTROL, fd), SHM_LOCK_TAKEN);
	assert_int_equal(shm_role_check(p, SHM_ROLE_CONTROL, other), SHM_LOCK_NAMED);
	// Without its second name it stays lost.
	assert_int_equal(unlink(path) | unlink(second), 0);
	close(fd);
	assert_int_equal(shm_role_check(p, SHM_ROLE_CONTROL, other), SHM_LOCK_LOST);
	close(other);
}

// A start while another leaves gets the role, on a file that has a name.
static void start_waits_for_a_leaver(void **state)
{
	struct shm_place *p = *state;
	struct shm_error err;
	char path[600];
	struct flock shared = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	int fd = shm_role_lock(p, SHM_ROLE_CONTROL, &err);
	pid_t child;

	close(fd);
	snprintf(path, sizeof(path), "%s/control.lock", p->run_directory);
	fd = open(path, O_RDONLY);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &shared), 0);
	// As shm_role_leave does, slowly.
	assert_false(shm_role_held(p, SHM_ROLE_CONTROL));
	child = fork();
	if (child == 0) {
		usleep(20000);
		unlink(path);
		close(fd);
		_exit(0);
	}
	close(fd);
	// A leaver that is kept from its core for longer than a start waits is no fault of either.
	do {
		fd = shm_role_lock(p, SHM_ROLE_CONTROL, &err);
	} while (fd == -EBUSY && waitpid(child, NULL, WNOHANG) == 0);
	if (fd < 0)
		fd = shm_role_lock(p, SHM_ROLE_CONTROL, &err);
	assert_true(fd >= 0);
	waitpid(child, NULL, 0);
	assert_true(file_is_there(p->run_directory, "control.lock"));
	assert_true(shm_role_held(p, SHM_ROLE_CONTROL));
	close(fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_place_setup, scratch_place_teardown)
	const struct CMUnitTest tests[] = {
		TEST(bad_names_are_refused),
		TEST(run_directory_is_made),
		TEST(directory_is_found_by_the_other),
		TEST(directory_of_live_calls_is_kept),
		cmocka_unit_test(mounts_of_others_are_left_alone),
		TEST(second_holder_is_refused),
		TEST(lock_goes_with_its_holder),
		TEST(last_one_takes_the_files_away),
		TEST(a_crash_keeps_the_files),
		TEST(an_edge_keeps_them_while_it_runs),
		TEST(asked_for_they_stay_while_one_runs),
		TEST(a_lock_without_its_name_removes_nothing),
		TEST(a_lost_name_is_given_back),
		TEST(start_waits_for_a_leaver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
