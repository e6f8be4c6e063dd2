// SPDX-License-Identifier: BSD-3-Clause
// Second implementations of the two processes that the edge's link talks to: sockets and files as
// the contract says, moved by the test. One thread.
#pragma once

#include <edge/link.h>
#include <shm/segment.h>
#include <turnpike/session.h>

#define STAND_PAIR 0x77u
#define LISTENER   9u // id of the one that is named

struct stand {
	struct shm_place place;
	struct shm_error err;
	// Control.
	int listen_fd; // -1: control is away
	int control_fd;
	// Data plane.
	int wake_listen_fd; // -1: the data plane is away
	int wake_fd;
	int wake_timer;
	int thread_timers[TP_EDGE_THREADS_MAX];
	unsigned n_timers;
	struct shm_streams stream;
	struct shm_streams edge;
	// The edge.
	struct edge_link *link;
	const struct edge_link_relay *relay; // of the next edge; NULL: none
	uint64_t now_ns;
};

struct stand_message {
	struct tp_session_message head;
	struct tp_session_report items[TP_SESSION_REPORTS_MAX];
};

// Of a test: makes one in *state, and removes it.
int stand_setup(void **state);
int stand_teardown(void **state);

void stand_make(struct stand *s);
void stand_remove(struct stand *s);

// Another process of the edge: the one before is killed.
void stand_edge(struct stand *s, unsigned n_workers, unsigned n_threads, uint32_t connections);
void stand_edge_kill(struct stand *s);

void stand_control(struct stand *s);
void stand_control_kill(struct stand *s);
// Names one listener, with this id.
void stand_listeners(struct stand *s, uint64_t pair_id, uint16_t id);

// Opens the edge's file and makes `stream` of this shape, or goes on with the one that there is.
void stand_dataplane(struct stand *s, unsigned n_workers);
void stand_dataplane_kill(struct stand *s);

// Ticks as the edge's main thread would, until the socket is accepted and nothing is left to do.
void stand_turn(struct stand *s);

// The next message to control. False: there is none.
bool stand_told(struct stand *s, struct stand_message *m);
// Control has been told that this is all, and nothing else.
struct tp_session_message stand_assert_synced(struct stand *s);
struct tp_addr stand_local(void);

// The owner of connections that stand_open opens.
extern int stand_owner;

// Everything is up, with one edge thread and `n_workers`, and control has been told so.
void stand_start(struct stand *s, unsigned n_workers);
struct tp_addr stand_remote(uint16_t port);
// A connection of the listener from stand_remote(port). 0: there is no room.
uint64_t stand_open(struct stand *s, unsigned thread, uint16_t port);
// The next message to control is this report and no other.
void stand_assert_told(
	struct stand *s, enum tp_session_kind kind, uint64_t connection, uint16_t port);
// A worker's ends of its rings with the first thread.
void stand_worker_put(struct stand *s, unsigned worker, const struct tp_ring_slot *m);
bool stand_worker_take(struct stand *s, unsigned worker, struct tp_ring_slot *m); // false: none
