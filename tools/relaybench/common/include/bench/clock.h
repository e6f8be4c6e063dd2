// SPDX-License-Identifier: BSD-3-Clause
// The time stamp counter, the calling thread's share of its core, and how fast the core is just
// now.
#pragma once

#include <time.h>

#include <turnpike/base.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static inline uint64_t bench_cycles(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#else
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#endif
}

static inline uint64_t bench_clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * TP_NS_PER_S + (uint64_t)t.tv_nsec;
}

// Counter cycles per second, measured once over 50 ms.
double bench_cycles_hz(void);

// Counter cycles that a pair of readings takes by itself.
double bench_cycles_overhead(void);

// Counter cycles per step of a calculation that needs all of the core and no memory: the core's
// speed at this moment, as the host leaves it to us. The best of a few short runs.
double bench_spin(void);

// The same on a core where others of ours take turns: by the CPU time that this thread had. It
// still contains time that the host takes away, which no clock of the guest shows.
double bench_spin_shared(void);
