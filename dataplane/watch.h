// SPDX-License-Identifier: BSD-3-Clause
// Operators who look on: a trace, a capture, or both. While nobody does, a worker pays one branch
// per burst, and one per batch that leaves.
#pragma once

#include "capture.h"
#include "trace.h"

struct watch {
	struct trace trace;
	struct capture capture;
};

// -ENOMEM.
int watch_init(struct watch *watch, unsigned n_workers);
void watch_fini(struct watch *watch);

// NULL: never.
static inline bool watch_is_on(const struct watch *watch)
{
	return __builtin_expect(
		watch != NULL && (atomic_load_explicit(&watch->trace.armed, memory_order_relaxed) |
					 atomic_load_explicit(
						 &watch->capture.armed, memory_order_relaxed)) != 0,
		0);
}

// In place of stage_run, at most STAGE_BURST frames.
void watch_run(struct watch *watch, struct stage_worker *w, struct stage_pkt *pkts, unsigned n,
	uint64_t now_ns);
