// SPDX-License-Identifier: BSD-3-Clause
// The process: everything it holds, in the order in which it is taken and given back.
#pragma once

#include <conf/conf.h>
#include <io/eal.h>
#include <io/port.h>
#include <log/event.h>
#include <steer/reserve.h>

#include "attach.h"
#include "feed.h"
#include "kick.h"
#include "neighbour.h"
#include "privilege.h"
#include "worker.h"

#define PLANE_NODES_MAX 8u // NUMA nodes

// Times of the start, milliseconds since main.
struct plane_times {
	uint64_t start_ns;
	uint32_t prepared_ms; // lock, guard, interfaces
	uint32_t eal_ms;
	uint32_t ports_ms;
	uint32_t ready_ms; // workers poll
};

struct plane_port_state {
	bool up;
	struct io_port_counters counted; // is in the segment
	uint64_t remind_ns;		 // not before then are missed packets logged again
	uint64_t missed;		 // since they were last logged
};

struct plane_worker_state {
	struct worker *worker;
	unsigned core;
	uint64_t switches;  // involuntary, when last looked at
	uint64_t remind_ns; // not before then are they reported again
	bool stuck;	    // has been reported
};

struct plane {
	const struct conf *conf;
	struct plane_times times;
	struct shm_place place;
	int role_fd;
	struct own own; // what steering, guard and reserved ports say now
	bool guarded;
	bool reserved;
	char record[SHM_PATH_MAX + 32]; // of reserved ports
	unsigned n_ports;
	struct io_device devices[TP_PORTS_MAX];
	struct io_port ports[TP_PORTS_MAX];
	struct plane_port_state port_states[TP_PORTS_MAX];
	struct privilege_keeper keeper; // opens the ports
	int object_fd;			// the steering program
	bool eal_started;
	struct eal_settings eal;
	struct rte_mempool *pools[PLANE_NODES_MAX];
	struct kick kick;
	struct watch watch;
	struct feed feed;
	bool kicking;
	struct attach attach;
	bool attached;
	uint64_t attached_ns; // since when workers beat in the present state file
	struct neighbour *neighbour;
	unsigned n_workers;
	unsigned cores[TP_WORKERS_MAX];
	bool cores_shared; // the kernel may run others on some of them
	struct plane_worker_state workers[TP_WORKERS_MAX];
	unsigned n_launched;
	atomic_bool stop; // workers
};

// Takes everything; on failure has logged why, and returns the process's exit status. 0: runs.
int plane_start(struct plane *p, const struct conf *conf, uint64_t start_ns);

// Gives back whatever plane_start took, as far as it came.
void plane_stop(struct plane *p);

// For the parts of the start: logs why, and returns the process's exit status. <plane.c>
int plane_refuse(enum log_event_id event, int err, const struct steer_fault *f);
uint32_t plane_since_start_ms(const struct plane *p);

// Octets of the buffers that the ports need; the pool of a port's node, made with the first that
// asks (NULL: no memory). plane_ports_start is for a thread that has kept what it takes, returns
// the process's exit status, and takes the plane. <plane_ports.c>
uint64_t plane_ports_octets(const struct plane *p);
struct rte_mempool *plane_ports_pool(struct plane *p, const struct io_port *port);
int plane_ports_start(void *plane);
void plane_ports_stop(struct plane *p);

// Whether the workers' cores are theirs alone; whether a started port spreads over the workers, and
// lies on their NUMA node. What is not so is logged. <plane_judge.c>
void plane_judge_cores(struct plane *p);
void plane_judge_queues(const struct plane *p, unsigned port);
void plane_judge_nodes(const struct plane *p, unsigned port);

// Brings steering, guard and reserved ports up to `own`, if that is news. Failures are logged.
void plane_own_apply(struct plane *p, const struct own *own);
// Reserves the ports again if somebody overwrote the kernel's list.
void plane_own_verify(struct plane *p);
// Guard and reserved ports only; the steering goes with its ports.
void plane_own_release(struct plane *p);

// Housekeeping: until *stop is set, by a signal handler. <housekeeping.c>
void plane_run(struct plane *p, const volatile int *stop);
