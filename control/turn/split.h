// SPDX-License-Identifier: BSD-3-Clause
// A cap of bandwidth that holds for allocations of both kinds at once. The packet path and the edge
// have a token bucket each; the rates of both are changed about ten times a second, by the use of
// each since the last change:
//
// - The unused part of one side is the other's.
// - Where both want more than there is, each gets its share by the number of its allocations.
// - An excess of both together (while the rates followed a change) is paid back within about a
//   second.
//
// Knows no clock and no socket.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct turn_split_side {
	uint64_t rate;	 // bits per second that it may use
	uint64_t octets; // the sum at the last look
	uint64_t at_ns;	 // of that
	double used;	 // bits per second, smoothed
};

struct turn_split {
	uint64_t bits_per_s; // the cap
	uint32_t n_packets;  // allocations of each kind
	uint32_t n_streams;
	bool looked; // the sums are known
	double debt; // bits beyond the cap
	struct turn_split_side packets;
	struct turn_split_side streams;
};

// The packets begin with all of it, the streams, which can wait, with their share.
void turn_split_begin(struct turn_split *s);
// After a change of the cap or of the numbers. Returns whether a rate has changed by more than a
// hundredth of the cap; smaller changes wait.
bool turn_split_settle(struct turn_split *s);
// Takes the sums of both sides, which may begin anew. The time of the streams' is the edge's.
// Returns as turn_split_settle.
bool turn_split_look(struct turn_split *s, uint64_t now_ns, uint64_t packets_octets,
	uint64_t streams_octets, uint64_t streams_ns);
// There are no reports of the streams any more: they use nothing. Returns as turn_split_settle.
bool turn_split_streams_lost(struct turn_split *s);
