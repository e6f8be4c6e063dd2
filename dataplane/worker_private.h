// SPDX-License-Identifier: BSD-3-Clause
// A worker as its loop (worker.c) and its polls (poll.c) know it. Used by its thread alone.
#pragma once

#include "clock.h"
#include "outbox.h"
#include "worker.h"

struct queue {
	uint16_t id; // DPDK's port
	uint16_t queue;
	uint8_t port; // ours
};

struct worker {
	struct stage_worker stage;
	struct worker_settings settings;
	uint64_t view_serial;		  // of the view applied; 0: none yet
	const _Atomic uint32_t *sleeping; // the control process's flag, or NULL
	struct clock clock;
	uint64_t cycles; // at the start of this loop
	uint64_t now_ns; // likewise
	uint64_t kicked_ns;
	uint32_t idle_polls;
	bool twins; // some port has one
	unsigned n_queues;
	struct queue queues[TP_PORTS_MAX * TP_WORKERS_MAX];
	struct outboxes outboxes;
	struct tp_worker_stats own_stats;
	_Atomic int tid;
};

// Where a worker's packets come from. Each takes one burst at most, sees it on its way, and returns
// how many packets or messages it took.
unsigned poll_queue(struct worker *w, const struct queue *q);
unsigned poll_inject(struct worker *w); // messages of the control process
unsigned poll_twins(struct worker *w);	// what the kernel sends by a port that it does not see
