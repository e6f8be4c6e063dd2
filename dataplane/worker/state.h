// SPDX-License-Identifier: BSD-3-Clause
// One worker: its state, which only its own thread touches but where said, and the ways by which
// packets come to it.
#pragma once

#include <worker/worker.h>

#include <io/local.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <worker/clock.h>
#include <worker/edge.h>
#include <worker/fragments.h>
#include <worker/idle.h>
#include <worker/pace.h>
#include <worker/txqueue.h>

struct queue {
	uint16_t id; // DPDK's port
	uint16_t queue;
	uint8_t port; // ours
};

struct worker {
	struct stage_worker stage;
	struct worker_settings settings;
	uint64_t snapshot_serial;	  // of the one applied; 0: none yet
	const _Atomic uint32_t *sleeping; // the control process's flag, or NULL
	struct clock clock;
	uint64_t cycles; // at the start of this loop
	uint64_t now_ns; // likewise
	uint64_t kicked_ns;
	struct fragments fragments;
	bool wake;	   // a fragment waits for another worker, which may sleep
	uint64_t woken_ns; // last wake of other workers
	struct worker_idle idle;
	struct worker_pace pace;
	bool is_realtime;
	atomic_bool shared; // other programs want the core; housekeeping writes it
	bool twins;	    // some port has one
	unsigned n_queues;
	struct queue queues[TP_PORTS_MAX * TP_WORKERS_MAX];
	struct txqueue txqueue;
	struct worker_edge edge;
	struct tp_worker_stats own_stats;
	_Atomic int tid;
};

// ---- poll.c: each takes at most a burst, settles it, and returns how many came -----------------

unsigned worker_poll_queue(struct worker *w, const struct queue *q);
// Fragments that other workers handed over, so that those of a datagram meet.
unsigned worker_poll_fragments(struct worker *w);
// Answers of the control process.
unsigned worker_poll_inject(struct worker *w);
// Messages of stream clients.
unsigned worker_poll_edge(struct worker *w);
// Frames that the kernel sends by the ports' twins; wakes the twins' readers.
unsigned worker_poll_twins(struct worker *w);
// Answers of local peers; one worker takes them.
unsigned worker_poll_local(struct worker *w);
