// SPDX-License-Identifier: BSD-3-Clause
// What workers see of the segment. A view is immutable; housekeeping swaps the pointer to it and
// frees the old one after a grace period. A worker reads the pointer once per loop, online.
#pragma once

#include <shm/segment.h>
#include <stage/stage.h>

// The files as mapped; they outlive every view that points to them.
struct segment {
	struct shm_tables tables;
	struct shm_inject inject;
	struct shm_state state;
	struct shm_punt punt;
};

struct view {
	uint64_t serial;		   // from 1, never twice: addresses may come again
	const struct segment *segment;	   // NULL: no tables yet, or lost
	const struct stage_locals *locals; // NULL: likewise
};

typedef _Atomic(const struct view *) view_slot;

static inline const struct view *view_read(view_slot *slot)
{
	return atomic_load_explicit(slot, memory_order_acquire);
}
