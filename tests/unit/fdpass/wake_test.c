// SPDX-License-Identifier: BSD-3-Clause
// A process that waits on its timer is woken each time, and nobody waits to wake it.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <seccomp.h>

#include <fdpass/wake.h>

static int epoll_of(int fd, uint32_t events)
{
	struct epoll_event e = {.events = events};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	assert_true(epoll >= 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e), 0);
	return epoll;
}

static int wakes(int epoll, int timeout_ms)
{
	struct epoll_event e;

	return epoll_wait(epoll, &e, 1, timeout_ms);
}

// Two that wait see each of the wakes, as workers do that never read the timer.
static void each_wake_is_seen_by_all(void **state)
{
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	int edges[] = {epoll_of(timer, EPOLLIN | EPOLLET), epoll_of(timer, EPOLLIN | EPOLLET)};

	(void)state;
	assert_int_equal(wakes(edges[0], 0), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fdpass_wake(timer), 0);
		for (unsigned j = 0; j < 2; j++) {
			assert_int_equal(wakes(edges[j], 10000), 1);
			assert_int_equal(wakes(edges[j], 0), 0);
		}
	}
	close(edges[0]);
	close(edges[1]);
	close(timer);
}

static void a_read_ends_it(void **state)
{
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	int level = epoll_of(timer, EPOLLIN);
	uint64_t n;

	(void)state;
	assert_int_equal(fdpass_wake(timer), 0);
	assert_int_equal(fdpass_wake(timer), 0);
	assert_int_equal(wakes(level, 10000), 1);
	assert_int_equal(read(timer, &n, sizeof(n)), sizeof(n));
	assert_int_equal(n, 1);
	assert_int_equal(wakes(level, 0), 0);
	close(level);
	close(timer);
}

// As a hostile process may pass instead.
static void what_is_no_timer_is_refused(void **state)
{
	int full = eventfd(0, 0), pipes[2];
	uint64_t most = UINT64_MAX - 1;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(full, &most, sizeof(most)), sizeof(most));
	assert_int_equal(fdpass_wake(full), -EINVAL);
	assert_int_equal(fdpass_wake(pipes[1]), -EINVAL);
	assert_int_equal(fdpass_wake(-1), -EBADF);
	close(full);
	close(pipes[0]);
	close(pipes[1]);
}

static int woken_without_ioctl(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	int edge = epoll_of(timer, EPOLLIN | EPOLLET);

	if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0) != 0 ||
		seccomp_load(ctx) != 0)
		return 2;
	return fdpass_wake(timer) == 0 && wakes(edge, 10000) == 1 ? 0 : 1;
}

// As in a kernel without CONFIG_CHECKPOINT_RESTORE.
static void a_kernel_without_it_wakes_too(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(woken_without_ioctl());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wake_is_seen_by_all),
		cmocka_unit_test(a_read_ends_it),
		cmocka_unit_test(what_is_no_timer_is_refused),
		cmocka_unit_test(a_kernel_without_it_wakes_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
