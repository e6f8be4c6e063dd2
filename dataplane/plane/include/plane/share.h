// SPDX-License-Identifier: BSD-3-Clause
// Whether other programs want a worker's core: what the core worked beyond what the worker did.
//
// Used by housekeeping alone.
#pragma once

#include <turnpike/base.h>

struct plane_share {
	uint64_t core_ns;   // that the core worked, interrupts aside
	uint64_t worker_ns; // that the worker ran
	uint64_t at_ns;	    // when; 0: never looked
	bool shared;
};

// Takes a sample. Samples less than half a second apart change nothing: the kernel counts a core's
// time by the hundredth of a second. Returns whether the core is shared.
bool plane_share_judge(
	struct plane_share *s, uint64_t core_ns, uint64_t worker_ns, uint64_t now_ns);

// The kernel's figures; 0 where it gives none. `stat` is the text of /proc/stat.
uint64_t plane_share_core_ns(const char *stat, unsigned core, unsigned ticks_per_s);

// Samples the worker of thread `tid` on `core`.
bool plane_share_sample(struct plane_share *s, unsigned core, int tid, uint64_t now_ns);
