// SPDX-License-Identifier: BSD-3-Clause
// Limits of bandwidth: token buckets for bits and packets in an array of their own, which a packet
// without a limit does not touch (tp_entry.limit is 0).
//
// Slots form chains of at most TP_LIMIT_DEPTH by `parent`: an allocation's, its user's, its
// realm's, all together. A packet passes when no bucket of the chain is empty. Control writes the
// rates, in `tables`; the fill of the buckets is the data plane's own memory, which its workers
// share, so that a restart of it finds all of them full. Each worker counts in its own cell of the
// slot, in `state`.
//
// A slot may be reused at once: a worker that still has the old meaning takes a burst's tokens from
// a wrong bucket, and nothing worse.
#pragma once

#include <stdatomic.h>

#include <turnpike/base.h>

#define TP_LIMIT_DEPTH	    4u

// tp_limit.kind
#define TP_LIMIT_FREE	    0u
#define TP_LIMIT_ALLOCATION 1u
#define TP_LIMIT_USER	    2u
#define TP_LIMIT_REALM	    3u
#define TP_LIMIT_ALL	    4u

// The words that are _Atomic change in place, relaxed; the rest is settled before an entry names
// the slot. A rate of 0 is no limit.
struct tp_limit {
	_Atomic uint64_t bits_per_s;
	// Bits that may pass at once, after silence.
	_Atomic uint64_t burst_bits;
	_Atomic uint32_t packets_per_s;
	_Atomic uint32_t burst_packets;
	// Slot of the next wider limit, plus 1; 0: none.
	_Atomic uint32_t parent;
	// Sessions that share this limit, for a fair share of an overload; 0: not counted.
	_Atomic uint32_t sessions;
	// Number of times this slot was filled.
	uint32_t generation;
	uint16_t realm_id;
	uint8_t kind; // TP_LIMIT_*
	uint8_t reserved0;
	uint64_t reserved[2];
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct tp_limit, 64);
TP_ASSERT_OFFSET(struct tp_limit, parent, 24);

// One per worker and slot of the limits array. Free-running sums of the worker's own.
struct tp_limit_cell {
	_Atomic uint64_t bits;
	_Atomic uint64_t packets;
	_Atomic uint64_t marked;  // packets that were marked CE
	_Atomic uint64_t dropped; // packets
};
TP_ASSERT_SIZE(struct tp_limit_cell, 32);
