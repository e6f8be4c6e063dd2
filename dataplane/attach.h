// SPDX-License-Identifier: BSD-3-Clause
// The data plane's end of the segment: maps the control process's files when they are there, makes
// or continues its own, and lets go of them when they are truncated or replaced. Housekeeping's
// thread only; workers see the result through the view.
#pragma once

#include <io/port.h>

#include "own.h"
#include "view.h"

struct attach_settings {
	const struct shm_place *place; // its directory is looked up at each attempt until found
	unsigned n_workers;
	const struct io_port *ports;
	unsigned n_ports;
	uint64_t tsc_hz;
	uint32_t flags; // TP_STATE_NO_HUGE
};

enum attach_event {
	ATTACH_NOTHING,
	ATTACH_DONE,	 // tables mapped; `own` is news
	ATTACH_CHANGED,	 // locals or path changed; `own` is news
	ATTACH_LOST,	 // a file was truncated
	ATTACH_REPLACED, // a file was replaced or removed
	ATTACH_REFUSED,	 // the tables are there and can't be used; *err says why, once per cause
};

struct attach {
	struct attach_settings settings;
	struct shm_place place;
	struct segment segment;
	bool mapped;
	atomic_bool lost[4];
	uint32_t segments_lost;
	unsigned ticks;
	unsigned waited;	// ticks for the files of a control process that runs
	enum shm_cause refused; // the last cause that was reported
	int64_t config_seq;	// of the view's locals
	struct view *current;	// what workers see
	uint64_t serial;
	view_slot slot;
	struct own own; // of the tables; settled by DONE and CHANGED
	struct tp_local locals[TP_LOCALS_MAX];
	struct tp_path_config path;
};

// Publishes a view without tables. -ENOMEM.
int attach_init(struct attach *a, const struct attach_settings *s);

// Tries, watches, swaps; waits for a grace period where it changes something. About every 10 ms.
enum attach_event attach_tick(struct attach *a, struct shm_error *err);

// Runs the grace period the control process asks for, or waits for that at most `timeout_ns`.
void attach_grace(struct attach *a, uint64_t timeout_ns);

void attach_heartbeat(struct attach *a, uint64_t now_ns);
void attach_link(struct attach *a, unsigned port, bool up);
// Adds to a port's counters. False: there is no file to count in.
bool attach_count(struct attach *a, unsigned port, const struct io_port_counters *more);

// Lets go of everything; the workers have ended. The last process of the instance takes the files
// away.
void attach_fini(struct attach *a);
