// SPDX-License-Identifier: BSD-3-Clause
// The frequency of the cycle counter (rte_rdtsc). DPDK asks the CPU for it. Where that does not
// tell, as on most virtual machines, it measures it in a sleep of 0.1 s.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Both counters at one moment.
struct io_cycles_moment {
	uint64_t cycles;
	uint64_t ns; // of CLOCK_MONOTONIC_RAW
};

struct io_cycles_moment io_cycles_now(void);

// In Hz, between two moments, of which `from` is the earlier one; 0 where they are one.
uint64_t io_cycles_between(
	const struct io_cycles_moment *from, const struct io_cycles_moment *until);

// Shortens that sleep of this thread to 1 ms, until called with false. DPDK's own figure is rough
// then: only drivers of cards use it.
void io_cycles_hurry(bool on);

// In Hz, as io_eal_start has measured it; before that, and without it, as DPDK says. Any thread.
uint64_t io_cycles_hz(void);
void io_cycles_hz_set(uint64_t hz);
