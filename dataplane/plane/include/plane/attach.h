// SPDX-License-Identifier: BSD-3-Clause
// The data plane's end of the segment: maps the control process's files when they are there, makes
// or continues its own, and lets go of them when they are truncated or replaced. Housekeeping's
// thread only; workers see the result through the snapshot.
#pragma once

#include <io/port.h>

#include <plane/claims.h>
#include <plane/grace.h>
#include <worker/snapshot.h>

struct attach_settings {
	const struct shm_place *place; // its directory is looked up at each attempt until found
	unsigned n_workers;
	const struct io_port *ports;
	unsigned n_ports;
	uint64_t tsc_hz;
	// Called again and again while a grace period of ours lasts; NULL: nothing.
	void (*meanwhile)(void *ctx);
	void *ctx;
	uint32_t flags; // TP_STATE_NO_HUGE, TP_STATE_CORES_SHARED
};

enum attach_event {
	ATTACH_NOTHING,
	ATTACH_DONE,	 // tables mapped; `claimed` changed
	ATTACH_CHANGED,	 // locals or path changed; `claimed` changed
	ATTACH_LOST,	 // a file was truncated
	ATTACH_UNNAMED,	 // a file's name is gone, once; it stays mapped
	ATTACH_REPLACED, // a file was replaced
	ATTACH_REFUSED,	 // the tables are there and can't be used; *err says why, once per cause
	ATTACH_SHORT,	 // no memory for the counters of more entries; *err says more
};

struct attach {
	struct attach_settings settings;
	struct shm_place place;
	struct segment segment;
	struct plane_grace grace;
	uint32_t gp_number; // of the grace period that runs for the control process
	uint32_t gp_wanted; // the request it answers
	bool gp_runs;
	bool mapped;
	atomic_bool lost[4];
	uint32_t segments_lost;
	uint64_t started_ns;
	bool unnamed; // as reported
	unsigned ticks;
	unsigned cells_ticks;	       // when memory for cells is asked for again, in ticks
	unsigned waited;	       // ticks for the files of a control process that runs
	enum shm_cause refused;	       // the last cause that was reported
	int64_t config_seq;	       // of the snapshot's locals
	struct snapshot *current;      // the workers' snapshot
	const struct edge_rings *edge; // borrowed; NULL: none
	uint64_t serial;
	snapshot_slot slot;
	struct plane_claimed claimed; // by the tables; set by DONE and CHANGED
	struct tp_local locals[TP_LOCALS_MAX];
	struct tp_path_config path;
};

// Publishes a snapshot without tables. -ENOMEM.
int plane_attach_init(struct attach *a, const struct attach_settings *s);

// Tries, watches, swaps; waits for a grace period where it changes something. About every 10 ms.
enum attach_event plane_attach_tick(struct attach *a, struct shm_error *err);

// The workers use these rings of the edge from now on, NULL: none, and on return no worker uses
// others. -ENOMEM: the ones of before.
int plane_attach_edge(struct attach *a, const struct edge_rings *edge);

// Serves the grace period that the control process asks for, or waits for that, at most
// `timeout_ns`; one that lasts longer goes on with the next call.
void plane_attach_grace(struct attach *a, uint64_t timeout_ns);

void plane_attach_heartbeat(struct attach *a, uint64_t now_ns);
void plane_attach_link(struct attach *a, unsigned port, bool up);
// Writes a port's name, MAC address, MTU and XDP mode anew.
void plane_attach_port(struct attach *a, unsigned port);
// Sets or clears a TP_STATE_* flag, of this attachment and later ones.
void plane_attach_flag(struct attach *a, uint32_t flag, bool on);
// Adds to a port's counters. False: there is no file to count in.
bool plane_attach_count(struct attach *a, unsigned port, const struct io_port_counters *more);

// Lets go of everything; the workers have ended. The last process of the instance takes the files
// away.
void plane_attach_fini(struct attach *a);
