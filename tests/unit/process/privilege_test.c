// SPDX-License-Identifier: BSD-3-Clause
// Users, groups and the shared directory. Most of it needs root.
#include <proc/privilege.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/capability.h>

#include <proc/start.h>
#include <turnpike/base.h>

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void uid_0_needs_a_word(void **state)
{
	static const struct {
		const char *user;
		bool allow_root;
		int status;
	} rows[] = {
		{NULL, false, PROC_EXIT_USAGE},
		{"root", false, PROC_EXIT_USAGE},
		{"no-such-user-here", false, PROC_EXIT_USAGE},
		{"no-such-user-here", true, PROC_EXIT_USAGE},
		{NULL, true, 0},
		{"root", true, 0},
		{"nobody", false, 0},
	};

	(void)state;
	need_root();
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++)
		assert_int_equal(
			proc_user_check("turnpike-control", rows[i].user, rows[i].allow_root),
			rows[i].status);
}

// ---- the user ---------------------------------------------------------------------------------

#define FILES_GROUP	((gid_t)54321)
#define OPERATORS_GROUP ((gid_t)54322)

static bool is_in(gid_t group)
{
	gid_t groups[64];
	int n = getgroups(64, groups);

	for (int i = 0; i < n; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

static bool can_open_shadow(void)
{
	int fd = open("/etc/shadow", O_RDONLY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

// 0 in the child where the process is as it should be.
static int become(bool keep)
{
	const struct proc_identity who = {.user = "nobody",
		.group = FILES_GROUP,
		.tables = (gid_t)-1,
		.operators = keep ? (gid_t)-1 : OPERATORS_GROUP,
		.keep_capabilities = keep};

	if (proc_become(&who) != 0)
		return 1;
	if (geteuid() == 0 || getuid() == 0 || getegid() != FILES_GROUP)
		return 2;
	if (is_in(0) || is_in(OPERATORS_GROUP) == keep)
		return 3;
	// CAP_DAC_OVERRIDE opens it.
	if (can_open_shadow() != keep)
		return 4;
	if (proc_capabilities_keep(PROC_CAPABILITY(CAP_NET_ADMIN)) != 0 || can_open_shadow())
		return 5;
	return setuid(0) == 0 ? 6 : 0;
}

static int in_child(int (*body)(bool), bool argument)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(body(argument));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_user_has_its_groups_and_no_way_back(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(become, false), 0);
}

static void capabilities_stay_until_they_are_dropped(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(become, true), 0);
}

// ---- the shared directory ---------------------------------------------------------------------

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (unsigned)st.st_mode & 07777;
}

static void a_directory_of_others_is_left_alone(void **state)
{
	char directory[] = "/tmp/proc_share.XXXXXX", file[64];
	struct stat st;

	(void)state;
	need_root();
	assert_non_null(mkdtemp(directory));
	// Empty: nobody else's.
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(proc_directory_share(directory, FILES_GROUP), 0);
	assert_int_equal(mode_of(directory), PROC_DIRECTORY_MODE);
	assert_int_equal(stat(directory, &st), 0);
	assert_int_equal(st.st_gid, FILES_GROUP);
	// That of an older version, in which operators could write.
	snprintf(file, sizeof(file), "%s/control.lock", directory);
	close(open(file, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(chown(directory, 0, OPERATORS_GROUP) | chmod(directory, 0775), 0);
	assert_int_equal(proc_directory_share(directory, FILES_GROUP), 0);
	assert_int_equal(mode_of(directory), PROC_DIRECTORY_MODE);
	// With another's file and none of ours it stays as it is.
	assert_int_equal(unlink(file), 0);
	snprintf(file, sizeof(file), "%s/stranger", directory);
	close(open(file, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(chown(directory, 0, 0) | chmod(directory, 0755), 0);
	assert_int_equal(proc_directory_share(directory, FILES_GROUP), -EACCES);
	assert_int_equal(mode_of(directory), 0755);
	assert_int_equal(unlink(file) | rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uid_0_needs_a_word),
		cmocka_unit_test(the_user_has_its_groups_and_no_way_back),
		cmocka_unit_test(capabilities_stay_until_they_are_dropped),
		cmocka_unit_test(a_directory_of_others_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
