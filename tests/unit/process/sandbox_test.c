// SPDX-License-Identifier: BSD-3-Clause
// The walls around a process, each in a child of its own.
#include <proc/sandbox.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <log/log.h>
#include <turnpike/base.h>

static char directory[] = "/tmp/proc_sandbox.XXXXXX";

static void path_make(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", directory, name);
}

// Runs `body` in a child, whose log goes to the file "log". Its status: 0 where all was as
// expected, else the line of the check that failed.
static int run(int (*body)(void))
{
	struct log_settings log = {.process = "test", .level = LOG_LEVEL_INFO};
	char path[64];
	int status, fd;
	pid_t pid;

	path_make(path, sizeof(path), "log");
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(fd, STDERR_FILENO);
		log_init(&log);
		status = body();
		log_fini();
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static unsigned log_count(const char *text)
{
	char path[64], line[512];
	unsigned n = 0;
	FILE *f;

	path_make(path, sizeof(path), "log");
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__ & 255;                                                     \
	} while (false)

// ---- the filter -------------------------------------------------------------------------------

static int denied_twice(void)
{
	static const struct proc_sandbox sandbox = {.allow = PROC_ALLOW_READ};
	struct utsname name;

	CHECK(proc_sandbox_enter(&sandbox) == 0);
	for (unsigned i = 0; i < 2; i++) {
		errno = 0;
		CHECK(mkdir("/tmp", 0700) < 0 && errno == EPERM);
		proc_denied_log();
	}
	CHECK(proc_denied_count() == 2);
	// The process goes on.
	CHECK(uname(&name) == 0);
	return 0;
}

static void a_denied_call_is_named_once(void **state)
{
	(void)state;
	assert_int_equal(run(denied_twice), 0);
	assert_int_equal(log_count("call_denied call=mkdir "), 1);
}

static void *deny_in_thread(void *arg)
{
	const int *ends = arg;
	char c;

	// It runs; and waits until the main thread is under the filter.
	if (write(ends[3], "x", 1) != 1 || read(ends[0], &c, 1) != 1)
		return NULL;
	return mkdir("/tmp", 0700) < 0 && errno == EPERM ? arg : NULL;
}

static int threads_denied(void)
{
	static const struct proc_sandbox sandbox = {.all_threads = true};
	pthread_t thread;
	int ends[4];
	void *result;
	char c;

	CHECK(pipe(ends) == 0 && pipe(ends + 2) == 0);
	CHECK(pthread_create(&thread, NULL, deny_in_thread, ends) == 0);
	CHECK(read(ends[2], &c, 1) == 1);
	CHECK(proc_sandbox_enter(&sandbox) == 0);
	CHECK(write(ends[1], "x", 1) == 1);
	CHECK(pthread_join(thread, &result) == 0);
	CHECK(result != NULL);
	CHECK(proc_denied_count() == 1);
	return 0;
}

static void threads_that_run_are_under_the_filter_too(void **state)
{
	(void)state;
	assert_int_equal(run(threads_denied), 0);
}

static void *run_nothing(void *arg)
{
	return arg;
}

// The library blocks all signals around these calls: as a signal their denial would be the end.
static int no_thread_made(void)
{
	static const struct proc_sandbox sandbox = {.allow = PROC_ALLOW_READ};
	pthread_t thread;

	CHECK(proc_sandbox_enter(&sandbox) == 0);
	CHECK(pthread_create(&thread, NULL, run_nothing, NULL) == EPERM);
	CHECK(system("true") != 0);
	return 0;
}

static void threads_and_programs_are_refused_without_a_signal(void **state)
{
	(void)state;
	assert_int_equal(run(no_thread_made), 0);
}

static int clocks_read(void)
{
	static const struct proc_sandbox sandbox = {.allow = PROC_ALLOW_READ};
	struct timespec precise;
	struct timeval coarse;
	unsigned cpu;

	CHECK(proc_sandbox_enter(&sandbox) == 0);
	CHECK(syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &precise) == 0);
	CHECK(syscall(SYS_gettimeofday, &coarse, NULL) == 0);
	CHECK(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0);
#ifdef SYS_time
	CHECK(syscall(SYS_time, NULL) >= coarse.tv_sec);
#endif
	CHECK(proc_denied_count() == 0);
	return 0;
}

static void answers_of_the_vdso_are_to_be_had_without_it(void **state)
{
	(void)state;
	assert_int_equal(run(clocks_read), 0);
}

static int kernel_asked(void)
{
	static const struct proc_sandbox sandbox = {.allow = PROC_ALLOW_NET};

	CHECK(proc_sandbox_enter(&sandbox) == 0);
	CHECK(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
	CHECK(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM);
	CHECK(execl("/bin/true", "true", NULL) < 0 && errno == EPERM);
	CHECK(proc_denied_count() == 2);
	return 0;
}

static void families_are_those_of_the_kernels_answers(void **state)
{
	(void)state;
	assert_int_equal(run(kernel_asked), 0);
}

static int tcp_connected(void)
{
	static const struct proc_sandbox sandbox = {.allow = PROC_ALLOW_TCP | PROC_ALLOW_UNIX};
	struct sockaddr_storage at = {.ss_family = AF_INET};
	int fd;

	CHECK(proc_sandbox_enter(&sandbox) == 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0 && socket(AF_INET6, SOCK_STREAM, 0) >= 0);
	CHECK(connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 && errno != EPERM);
	CHECK(proc_denied_count() == 0);
	CHECK(socket(AF_INET, SOCK_DGRAM, 0) < 0 && errno == EPERM);
	CHECK(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 0) < 0 && errno == EPERM);
	CHECK(bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == EPERM);
	return 0;
}

static void tcp_is_for_connecting(void **state)
{
	(void)state;
	assert_int_equal(run(tcp_connected), 0);
}

// ---- paths ------------------------------------------------------------------------------------

static char inside[64], outside[64], removable[64], writable[64];

static int paths_bounded(void)
{
	const struct proc_path paths[] = {
		{inside, PROC_PATH_CHANGE},
		{removable, PROC_PATH_REMOVE},
		{writable, PROC_PATH_WRITE},
		{"/no/such/path", PROC_PATH_WRITE},
	};
	char path[128];

	CHECK(proc_paths_confine(paths, TP_ARRAY_LEN(paths)) == 0);
	snprintf(path, sizeof(path), "%s/made", inside);
	CHECK(open(path, O_WRONLY | O_CREAT, 0600) >= 0);
	CHECK(open(path, O_WRONLY | O_TRUNC) >= 0);
	CHECK(unlink(path) == 0);
	snprintf(path, sizeof(path), "%s/made", outside);
	CHECK(open(path, O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
	snprintf(path, sizeof(path), "%s/there", outside);
	CHECK(open(path, O_WRONLY) < 0 && errno == EACCES);
	CHECK(unlink(path) < 0 && errno == EACCES);
	CHECK(open(path, O_RDONLY) >= 0);
	CHECK(open(writable, O_WRONLY | O_TRUNC) >= 0);
	snprintf(path, sizeof(path), "%s/there", removable);
	CHECK(open(path, O_WRONLY) < 0 && errno == EACCES);
	CHECK(unlink(path) == 0);
	return 0;
}

static void file_touch(const char *where, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", where, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void files_change_at_the_named_paths_only(void **state)
{
	(void)state;
	path_make(inside, sizeof(inside), "inside");
	path_make(outside, sizeof(outside), "outside");
	path_make(removable, sizeof(removable), "removable");
	path_make(writable, sizeof(writable), "writable");
	assert_int_equal(mkdir(inside, 0700) | mkdir(outside, 0700) | mkdir(removable, 0700), 0);
	file_touch(outside, "there");
	file_touch(removable, "there");
	file_touch(directory, "writable");
	assert_int_equal(run(paths_bounded), 0);
	if (log_count("sandbox_partial") > 0)
		skip();
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_denied_call_is_named_once),
		cmocka_unit_test(threads_that_run_are_under_the_filter_too),
		cmocka_unit_test(threads_and_programs_are_refused_without_a_signal),
		cmocka_unit_test(tcp_is_for_connecting),
		cmocka_unit_test(answers_of_the_vdso_are_to_be_had_without_it),
		cmocka_unit_test(families_are_those_of_the_kernels_answers),
		cmocka_unit_test(files_change_at_the_named_paths_only),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
