// SPDX-License-Identifier: BSD-3-Clause
// A worker's ends of the rings to and from the edge, and the waking of both sides. The worker's
// thread alone.
#pragma once

#include <worker/snapshot.h>

struct worker_edge {
	const struct edge_rings *rings; // NULL: there is no edge
	bool says_sleeping;
	uint8_t yields; // in a row
	uint64_t woken_ns[TP_EDGE_THREADS_MAX];
	uint32_t tails[TP_EDGE_THREADS_MAX]; // of the rings to threads that were waited for last
	uint8_t waits[TP_EDGE_THREADS_MAX];  // since the tail moved
	uint64_t full;			     // bit for each whose ring was full and is not drained
	struct tp_ring_consumer in[TP_EDGE_THREADS_MAX];
	struct tp_ring_producer out[TP_EDGE_THREADS_MAX];
	struct stage_slots slots[TP_EDGE_THREADS_MAX];
	struct stage_stream_out stream_out[STAGE_BURST];
};

// Gives the packet path the rings, or none.
void worker_edge_apply(
	struct worker_edge *e, struct stage_worker *stage, const struct edge_rings *rings);

// Wakes threads that sleep and have been given messages, each at most every 50 us: one held back
// stays pending in stage->edge_given.
void worker_edge_wake(struct worker_edge *e, struct stage_worker *stage, uint64_t now_ns);

// Whether a thread of the edge, which may run on this core, has work.
bool worker_edge_works(
	const struct worker_edge *e, const struct stage_worker *stage, unsigned core);
// Whether the ring to such a thread is nearly full, or was and is not drained: the caller gives way
// now, and polls nothing before it has asked again. After WORKER_EDGE_YIELDS_MAX in a row it polls
// once. A thread that takes nothing meanwhile is waited for a few times only, then not before it
// takes something.
#define WORKER_EDGE_YIELDS_MAX 5u
bool worker_edge_behind(struct worker_edge *e, const struct stage_worker *stage, unsigned core);

// Before a sleep that a timer of the edge ends. False: there is something to be polled.
bool worker_edge_sleep(struct worker_edge *e, const struct stage_worker *stage);
// After it, when the snapshot has been looked at.
void worker_edge_awake(struct worker_edge *e, const struct stage_worker *stage);
