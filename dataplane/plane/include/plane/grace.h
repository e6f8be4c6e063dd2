// SPDX-License-Identifier: BSD-3-Clause
// Grace periods on a thread of their own: a worker that is stuck keeps them open, and must not
// silence housekeeping. Housekeeping's thread only, but for the thread itself.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include <turnpike/base.h>

struct plane_grace {
	pthread_t thread;
	bool runs;
	atomic_bool stop;
	_Atomic uint32_t wanted; // number of the youngest one that was asked for
	_Atomic uint32_t done;	 // of the youngest one that is over
};

// 0 or a negative errno.
int plane_grace_init(struct plane_grace *g);
// No worker is online any more. Fine on a zeroed struct.
void plane_grace_fini(struct plane_grace *g);

// Begins a grace period and returns its number.
uint32_t plane_grace_begin(struct plane_grace *g);
// Whether it is over, within `timeout_ns`.
bool plane_grace_wait(struct plane_grace *g, uint32_t number, uint64_t timeout_ns);
