// SPDX-License-Identifier: BSD-3-Clause
// The segment as workers see it. A snapshot is immutable; housekeeping swaps the pointer to it and
// frees the old one after a grace period. A worker reads the pointer once per loop, online.
#pragma once

#include <shm/segment.h>
#include <stage/stage.h>

// The files as mapped; they outlive every snapshot that points to them.
struct segment {
	struct shm_tables tables;
	struct shm_inject inject;
	struct shm_state state;
	struct shm_punt punt;
	struct stage_cap *caps; // [tables.n_limits], this process's own
};

// The rings to and from the edge as mapped, and the timers by which its threads are woken.
struct edge_rings {
	struct shm_streams edge;
	struct shm_streams stream; // of this process
	int timers[TP_EDGE_THREADS_MAX];
	unsigned n_threads; // with rings and a timer
	unsigned n_workers; // with rings
};

struct snapshot {
	uint64_t serial;		   // from 1, never twice: addresses may come again
	const struct segment *segment;	   // NULL: no tables yet, or lost
	const struct stage_locals *locals; // NULL: likewise
	const struct edge_rings *edge;	   // NULL: there is no edge
	uint32_t n_entries;		   // whose cells have memory: workers see no others
};

typedef _Atomic(const struct snapshot *) snapshot_slot;

static inline const struct snapshot *snapshot_read(snapshot_slot *slot)
{
	return atomic_load_explicit(slot, memory_order_acquire);
}
