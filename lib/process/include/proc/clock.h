// SPDX-License-Identifier: BSD-3-Clause
// The clocks of a process: CLOCK_BOOTTIME for everything in the segment, wall clock for the expiry
// of credentials alone.
#pragma once

#include <time.h>

#include <turnpike/base.h>

static inline uint64_t proc_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * TP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static inline uint64_t proc_now_ns(void)
{
	return proc_clock_ns(CLOCK_BOOTTIME);
}

static inline uint64_t proc_wall_s(void)
{
	return proc_clock_ns(CLOCK_REALTIME) / TP_NS_PER_S;
}
