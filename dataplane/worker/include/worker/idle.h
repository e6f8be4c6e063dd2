// SPDX-License-Identifier: BSD-3-Clause
// The sleep of a worker without work: in the kernel, on the sockets of its receive queues and on
// the descriptor by which the control process wakes it. Queues without a descriptor to wait for
// (DPDK's own drivers, twins) leave the worker a short timer.
#pragma once

#include <io/port.h>

struct worker_idle {
	int epoll_fd; // -1: on the timer
	bool failing; // a socket reports an error for good: its interface is gone
};

// On the timer until sources are added.
void worker_idle_init(struct worker_idle *i);
void worker_idle_fini(struct worker_idle *i);

// Opens the sources: the wake descriptor (-1: none), then `n` receive queues' sockets. Where one is
// missing, or can't be watched, the worker keeps to the timer.
void worker_idle_watch(struct worker_idle *i, int wake_fd, const int *xsk_fds, unsigned n);

// One more source, whose descriptor is edge-triggered and never read. Where it can't be watched,
// the worker keeps to the timer.
void worker_idle_add(struct worker_idle *i, int fd);

// Sleeps until a source is ready, or some time has passed. `soon`: there is something left to be
// done within a millisecond.
void worker_idle_sleep(struct worker_idle *i, bool soon);
// Leaves the core to others for 200 us.
void worker_idle_yield(void);
