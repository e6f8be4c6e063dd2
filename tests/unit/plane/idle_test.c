// SPDX-License-Identifier: BSD-3-Clause
// A worker without work sleeps until one of its sources is ready, and misses none.
#include <worker/idle.h>

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void wake(int fd)
{
	const struct itimerspec at_once = {.it_value = {.tv_nsec = 1}};

	assert_int_equal(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at_once, NULL), 0);
}

// Voluntary switches of this process: each sleep is one at least.
static long switches(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_nvcsw;
}

static uint64_t monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// Sleeps while nothing comes: twenty looks at most while a second passes, not twenty thousand.
static void sleep_in_the_kernel(void **state)
{
	struct worker_idle i;
	int pair[2], timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	uint64_t end = monotonic_ms() + 1000;
	unsigned looks = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	worker_idle_init(&i);
	worker_idle_watch(&i, timer, pair, 1);
	assert_true(i.epoll_fd >= 0);
	for (; monotonic_ms() < end; looks++)
		worker_idle_sleep(&i, false);
	assert_true(looks <= 20);
	worker_idle_fini(&i);
	close(timer);
	close(pair[0]);
	close(pair[1]);
}

// Each source ends the sleep, before it begins or while it lasts; a packet for as long as it waits.
static void sources_end_the_sleep(void **state)
{
	struct worker_idle a, b;
	int pair[2], timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	char byte;
	long before;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	worker_idle_init(&a);
	worker_idle_watch(&a, timer, pair, 1);
	worker_idle_init(&b);
	worker_idle_watch(&b, timer, pair, 1);
	assert_int_equal(write(pair[1], "x", 1), 1);
	before = switches();
	worker_idle_sleep(&a, false);
	worker_idle_sleep(&a, false);
	assert_int_equal(switches(), before);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	// Both workers see each wake, though nobody reads it.
	for (unsigned n = 0; n < 3; n++) {
		wake(timer);
		while (poll(&(struct pollfd){.fd = timer, .events = POLLIN}, 1, -1) != 1)
			;
		before = switches();
		worker_idle_sleep(&a, false);
		worker_idle_sleep(&b, false);
		assert_int_equal(switches(), before);
		worker_idle_sleep(&a, false);
		assert_true(switches() > before);
	}
	worker_idle_fini(&a);
	worker_idle_fini(&b);
	close(timer);
	close(pair[0]);
	close(pair[1]);
}

// A queue without a descriptor, no wake descriptor, or a socket that fails for good: the timer.
static void keep_to_the_timer(void **state)
{
	struct worker_idle i;
	int pair[2], none[2] = {-1, -1}, timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	long before;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	worker_idle_init(&i);
	worker_idle_watch(&i, timer, none, 1);
	assert_int_equal(i.epoll_fd, -1);
	worker_idle_watch(&i, -1, pair, 1);
	assert_int_equal(i.epoll_fd, -1);
	worker_idle_watch(&i, timer, pair, 0);
	assert_int_equal(i.epoll_fd, -1);
	worker_idle_watch(&i, timer, pair, 1);
	assert_true(i.epoll_fd >= 0);
	close(pair[1]);
	worker_idle_sleep(&i, false);
	assert_true(i.failing);
	before = switches();
	worker_idle_sleep(&i, false);
	assert_true(switches() > before);
	worker_idle_fini(&i);
	close(timer);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleep_in_the_kernel),
		cmocka_unit_test(sources_end_the_sleep),
		cmocka_unit_test(keep_to_the_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
