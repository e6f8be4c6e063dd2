// SPDX-License-Identifier: BSD-3-Clause
#include <worker/idle.h>

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define NAP_NS	  50000
#define YIELD_NS  200000 // some fifty messages of TLS
#define SLEEP_MS  100	 // a sign of life several times a second
#define EVENTS	  8
#define WORTHLESS (EPOLLERR | EPOLLHUP)

void worker_idle_init(struct worker_idle *i)
{
	*i = (struct worker_idle){.epoll_fd = -1};
}

void worker_idle_fini(struct worker_idle *i)
{
	if (i->epoll_fd >= 0)
		close(i->epoll_fd);
	i->epoll_fd = -1;
}

static bool add(const struct worker_idle *i, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events};

	return fd >= 0 && epoll_ctl(i->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

// The wake descriptor is edge-triggered and never read: all workers share it, and each has to see
// each wake.
void worker_idle_watch(struct worker_idle *i, int wake_fd, const int *xsk_fds, unsigned n)
{
	bool all;

	i->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	all = i->epoll_fd >= 0 && n > 0 && add(i, wake_fd, EPOLLIN | EPOLLET);
	for (unsigned q = 0; q < n && all; q++)
		all = add(i, xsk_fds[q], EPOLLIN);
	if (!all)
		worker_idle_fini(i);
}

void worker_idle_add(struct worker_idle *i, int fd)
{
	if (i->epoll_fd >= 0 && !add(i, fd, EPOLLIN | EPOLLET))
		worker_idle_fini(i);
}

static void nap(long ns)
{
	const struct timespec t = {.tv_nsec = ns};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

void worker_idle_sleep(struct worker_idle *i, bool soon)
{
	struct epoll_event events[EVENTS];
	int n;

	if (i->epoll_fd < 0 || soon || i->failing) {
		nap(NAP_NS);
		return;
	}
	n = epoll_wait(i->epoll_fd, events, EVENTS, SLEEP_MS);
	// A socket whose interface is gone is ready for ever.
	for (int e = 0; e < n; e++)
		i->failing = i->failing || (events[e].events & WORTHLESS) != 0;
}

void worker_idle_yield(void)
{
	nap(YIELD_NS);
}
