// SPDX-License-Identifier: BSD-3-Clause
// The packets of one flow in one direction: each received once, in order, or not. One thread.
#pragma once

#include <stdint.h>

enum load_arrival {
	LOAD_IN_ORDER,
	LOAD_REORDERED, // late: one that was sent after it came before
	LOAD_DUPLICATE,
	LOAD_ANCIENT // so late that it can't be told from a duplicate
};

#define LOAD_SEQUENCE_WINDOW 64u

struct load_sequence {
	uint32_t next;	 // one above the highest number that came
	uint64_t window; // bit n: number next - 1 - n came
};

// Numbers count from 0 and may wrap.
enum load_arrival load_sequence_take(struct load_sequence *s, uint32_t number);
