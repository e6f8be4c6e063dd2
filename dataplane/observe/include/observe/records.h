// SPDX-License-Identifier: BSD-3-Clause
// Records of an observation on their way from the workers to its reader. Each worker writes to a
// ring of its own and never waits: a record that finds no room is counted. Housekeeping arms,
// disarms and takes.
#pragma once

#include <stdatomic.h>

#include <turnpike/observe.h>

struct record_ring {
	_Atomic uint32_t head TP_ALIGNED(64); // the worker's, bytes ever written
	_Atomic uint64_t missed[TP_OBSERVE_SOURCES];
	_Atomic uint32_t tail TP_ALIGNED(64);	    // housekeeping's, bytes ever taken
	uint64_t missed_before[TP_OBSERVE_SOURCES]; // housekeeping's: `missed` when it was armed
	uint8_t *bytes;				    // [ring_size]
};

struct records {
	_Atomic uint32_t armed; // number of the observation; 0: none
	_Atomic uint32_t left;	// records; wraps below 0 when workers meet
	uint32_t number;	// housekeeping's: of the one that is taken from
	uint32_t ring_size;	// a power of two
	unsigned n_workers;
	struct record_ring *rings;
};

// -ENOMEM.
int observe_records_init(struct records *r, unsigned n_workers, uint32_t ring_size);
void observe_records_fini(struct records *r);

// From now on; none may be armed. The rings' memory is made with the first: -ENOMEM.
int observe_records_arm(struct records *r, uint32_t number, uint32_t count);
void observe_records_disarm(struct records *r);
// Moves whole records into `out`, the oldest first; the bytes. 0: there are none.
size_t observe_records_take(struct records *r, uint8_t *out, size_t room);
// Records of this source, a port or TP_OBSERVE_EDGE, since it was armed that found no room.
uint64_t observe_records_missed(const struct records *r, unsigned source);

static inline bool observe_records_are_armed(const struct records *r)
{
	return atomic_load_explicit(&r->armed, memory_order_relaxed) != 0;
}

// ---- worker `w` -------------------------------------------------------------------------------

static inline uint32_t observe_records_head(const struct records *r, unsigned w)
{
	return atomic_load_explicit(&r->rings[w].head, memory_order_relaxed);
}

// Room for a record of `size` bytes, a multiple of 8, behind *head, which moves behind it. NULL:
// there is none, which is counted for `source`, or it is one too many. The last one that was asked
// for disarms.
void *observe_records_reserve(
	struct records *r, unsigned w, uint32_t *head, uint32_t size, unsigned source);

// Gives housekeeping the records up to `head`.
static inline void observe_records_publish(struct records *r, unsigned w, uint32_t head)
{
	atomic_store_explicit(&r->rings[w].head, head, memory_order_release);
}
