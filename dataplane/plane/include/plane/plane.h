// SPDX-License-Identifier: BSD-3-Clause
// The process: everything it holds, in the order in which it is taken and given back.
#pragma once

#include <conf/conf.h>
#include <io/eal.h>

#include <observe/observe.h>
#include <plane/local.h>
#include <plane/attach.h>
#include <plane/claims.h>
#include <plane/edge.h>
#include <plane/neighbour.h>
#include <plane/options.h>
#include <plane/ports.h>
#include <plane/privilege.h>
#include <plane/share.h>
#include <plane/socket.h>
#include <plane/steps.h>
#include <worker/worker.h>

// Times of the start, milliseconds since main.
struct plane_times {
	uint64_t start_ns;
	uint32_t prepared_ms; // lock, guard, interfaces
	uint32_t eal_ms;
	uint32_t ports_ms;
	uint32_t ready_ms; // workers poll
};

struct plane_worker_state {
	struct worker *worker;
	unsigned core;
	uint64_t switches;  // involuntary, when last looked at
	uint64_t remind_ns; // not before then are they reported again
	struct plane_share share;
	bool stuck; // has been reported
};

struct plane {
	const struct conf *conf;
	const struct options *options;
	struct plane_times times;
	struct plane_steps steps; // of the start
	struct shm_place place;
	int role_fd;
	struct plane_claims claims;
	struct plane_ports ports;
	struct privilege_keeper keeper; // opens the ports
	bool eal_started;
	struct eal_settings eal;
	struct steer_fault eal_fault; // of its start
	struct plane_socket socket;
	bool listening; // the socket is there
	struct plane_edge edge;
	bool edge_listening;		     // likewise
	struct fragments_exchange *exchange; // of the workers, or NULL
	struct observe observe;
	struct attach attach;
	bool attached;
	uint64_t attached_ns; // since when workers beat in the present state file
	struct neighbour *neighbour;
	struct plane_local local;
	unsigned n_workers;
	unsigned cores[TP_WORKERS_MAX];
	bool cores_shared; // the kernel may run others on some of them
	struct plane_worker_state workers[TP_WORKERS_MAX];
	unsigned n_launched;
	bool realtime;	  // workers may take a real-time priority
	bool in_haste;	  // the main thread has that priority, until its first turn
	atomic_bool stop; // workers
	int ended;	  // PROC_EXIT_* of a process that can't go on; 0: it goes on
};

// Takes everything; on failure has logged why, and returns the process's exit status. 0: runs. Once
// *stop is set, a step that does not end ends the process.
int plane_start(struct plane *p, const struct conf *conf, const struct options *options,
	uint64_t start_ns, const volatile int *stop);

// Releases what plane_start acquired; safe after a partial start.
void plane_stop(struct plane *p);

// Milliseconds since the start of main.
uint32_t plane_since_start_ms(const struct plane *p);

// Housekeeping: until *stop is set, by a signal handler, or the process can't go on; PROC_EXIT_*.
// <housekeeping.c>
void plane_meanwhile(void *plane); // keeps watch while a grace period lasts
int plane_run(struct plane *p, const volatile int *stop);
