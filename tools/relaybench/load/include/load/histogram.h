// SPDX-License-Identifier: BSD-3-Clause
// A histogram of delays with a resolution of 1/32: 32 slots for each power of two nanoseconds.
// One thread.
#pragma once

#include <stdint.h>

#define LOAD_HISTOGRAM_SPLIT 32u
#define LOAD_HISTOGRAM_SLOTS (LOAD_HISTOGRAM_SPLIT * 36u) // to 2^40 ns, 18 minutes

struct load_histogram {
	uint64_t n;
	uint64_t least_ns, most_ns;
	uint64_t slots[LOAD_HISTOGRAM_SLOTS];
};

void load_histogram_reset(struct load_histogram *h);
void load_histogram_add(struct load_histogram *h, uint64_t ns);

// The delay that `part` (0 to 1) of the values do not exceed, as the middle of its slot; 0 when
// there is none.
uint64_t load_histogram_part(const struct load_histogram *h, double part);

// The lowest value of a slot.
uint64_t load_histogram_floor(unsigned slot);
