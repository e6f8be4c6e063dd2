// SPDX-License-Identifier: BSD-3-Clause
// A poll-mode worker: receive, stage_run, transmit, messages of the control process, quiescent
// state. Its thread runs worker_run; everything else is called by housekeeping.
#pragma once

#include <io/port.h>

#include "view.h"
#include "watch.h"

struct rte_mempool;
struct worker;

struct worker_settings {
	unsigned id;
	unsigned n_workers;
	unsigned core;
	bool busy;	  // never sleep
	unsigned hold_us; // as conf_dataplane.hold_us
	const struct io_port *ports;
	unsigned n_ports;
	struct rte_mempool *pool; // for messages of the control process
	view_slot *view;
	int kick_fd; // eventfd of the control process, non-blocking
	const atomic_bool *stop;
	struct watch *watch; // NULL: none
};

// NULL without memory.
struct worker *worker_create(const struct worker_settings *s);
void worker_destroy(struct worker *w);

// An lcore's function; `arg` is the worker. Returns 0 when *stop is set.
int worker_run(void *arg);

// 0 until the thread runs.
int worker_tid(const struct worker *w);

// The block it counts in now: in `state`, or one of its own while there is no segment. Valid until
// the next swap of the view.
struct tp_worker_stats *worker_stats(struct worker *w, const struct view *view);
