// SPDX-License-Identifier: BSD-3-Clause
// The gap between two rounds of a thread, in which messages gather so that one read or write takes
// several. The call itself costs more than the messages in it, and the client's side pays for each
// write, too. A thread with few calls has no gap. With many calls the gap grows in steps, up to
// GATHER_GAP_MAX_NS. It shrinks when the calls become fewer, and ends where nothing gathers.
//
// No input, output or clock: times are CLOCK_BOOTTIME in ns from the caller, one thread's own.
#pragma once

#include <stdint.h>

#define GATHER_GAP_MAX_NS 2000000u

// Counters of the thread, which only rise.
struct gather_count {
	uint64_t calls; // reads and writes
	uint64_t messages;
	uint64_t handshakes; // that are done
};

// Zeroed: no gap.
struct gather {
	uint64_t gap_ns;	   // between the begins of two rounds; 0: none
	uint64_t due_ns;	   // when the next round may begin
	uint64_t useless_ns;	   // until then there is no gap
	uint64_t judged_ns;	   // begin of the period that is being judged
	struct gather_count count; // at that time
	uint32_t trial;		   // periods with the longest gap, and their counts
	struct gather_count tried;
};

// Begins a round, and judges the period where it is over.
void gather_begin(struct gather *g, uint64_t now_ns, const struct gather_count *now);

// How long the next round has to wait from now on; 0: not at all.
static inline uint64_t gather_wait_ns(const struct gather *g, uint64_t now_ns)
{
	return g->gap_ns > 0 && g->due_ns > now_ns ? g->due_ns - now_ns : 0;
}
