// SPDX-License-Identifier: BSD-3-Clause
// The data plane's side of the edge: the socket by which both exchange timers
// (TP_STREAM_SOCKET_NAME), and the files of their rings. Housekeeping's thread only; workers get
// the rings by the snapshot.
#pragma once

#include <sys/types.h>

#include <shm/guard.h>
#include <worker/snapshot.h>

struct plane_edge_rings {
	struct edge_rings rings; // first
	atomic_bool lost;	 // the edge's file was truncated
	uint64_t pair_id;
};

struct plane_edge {
	int wake_fd; // the timer that wakes the workers; borrowed
	int listen_fd;
	int client_fd; // -1: no edge
	char path[108];
	// As they come, one for each thread.
	int timers[TP_EDGE_THREADS_MAX];
	unsigned n_timers;
	struct plane_edge_rings *rings; // NULL: none
	enum shm_cause refused;		// the last cause that was logged
	bool up;			// as logged
};

// Makes the socket, 0660, of `group` unless that is (gid_t)-1. 0 or a negative errno.
int plane_edge_init(struct plane_edge *e, const char *run_directory, gid_t group, int wake_fd);
// Workers have ended, or use no rings.
void plane_edge_fini(struct plane_edge *e);

// Puts the rings into force and waits until no worker uses others; NULL: none.
typedef int (*plane_edge_apply_fn)(void *ctx, const struct edge_rings *rings);

// Takes connections and timers, maps and unmaps, without waiting but for `apply`. `pair_id`: that
// of the tables, 0: none are mapped. About every 10 ms.
void plane_edge_tick(struct plane_edge *e, const struct shm_place *place, uint64_t pair_id,
	unsigned n_workers, plane_edge_apply_fn apply, void *ctx);
