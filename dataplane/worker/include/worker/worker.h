// SPDX-License-Identifier: BSD-3-Clause
// A poll-mode worker: receive, stage_run, transmit, messages of the control process, quiescent
// state. Its thread runs worker_run; everything else is called by housekeeping.
#pragma once

#include <io/port.h>

#include <worker/snapshot.h>
#include <observe/observe.h>

struct rte_mempool;
struct worker;

struct worker_settings {
	unsigned id;
	unsigned n_workers;
	unsigned core;
	bool busy;	  // never sleep
	bool realtime;	  // the thread may take a real-time priority; never with `busy`
	unsigned hold_us; // as conf_dataplane.hold_us
	const struct io_port *ports;
	unsigned n_ports;
	struct rte_mempool *pool;	     // for messages of the control process
	struct fragments_exchange *exchange; // NULL: one worker, or none to meet
	uint32_t fragment_mib;		     // memory for fragments; 0: they are dropped
	snapshot_slot *snapshot;
	int kick_fd; // timer that wakes the control process
	int wake_fd; // timer by which the control process wakes workers, or -1
	const atomic_bool *stop;
	struct observe *observe; // NULL: none
	struct io_twin *local;	 // the way to local peers; NULL: there are none
	const struct stage_local_peer *local_peers;
	unsigned n_local_peers;
	uint16_t local_mtu;
};

// NULL without memory.
struct worker *worker_create(const struct worker_settings *s);
void worker_destroy(struct worker *w);

// An lcore's function; `arg` is the worker. Returns 0 when *stop is set.
int worker_run(void *arg);

// Whether other programs want the worker's core; false at first.
void worker_share(struct worker *w, bool shared);

// 0 until the thread runs.
int worker_tid(const struct worker *w);

// The block it counts in now: in `state`, or one of its own while there is no segment. Valid until
// the next swap of the snapshot.
struct tp_worker_stats *worker_stats(struct worker *w, const struct snapshot *snapshot);
