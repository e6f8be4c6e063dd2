// SPDX-License-Identifier: BSD-3-Clause
// The frequency of the cycle counter (rte_rdtsc). DPDK reads it from the CPU or, where the CPU does
// not report it, as in most virtual machines, measures it during a sleep of 0.1 s.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Both counters at one moment.
struct io_cycles_moment {
	uint64_t cycles;
	uint64_t ns; // of CLOCK_MONOTONIC_RAW
};

struct io_cycles_moment io_cycles_now(void);

// Returns the frequency in Hz between two moments, `from` the earlier one; 0 if they are equal.
uint64_t io_cycles_between(
	const struct io_cycles_moment *from, const struct io_cycles_moment *until);

// Shortens DPDK's sleep in this thread to 1 ms, until called with false. rte_get_tsc_hz() is
// inaccurate then; only drivers of cards use it.
void io_cycles_hurry(bool on);

// Returns Hz: the measurement of io_eal_start, or rte_get_tsc_hz() without one. Any thread.
uint64_t io_cycles_hz(void);
void io_cycles_hz_set(uint64_t hz);
