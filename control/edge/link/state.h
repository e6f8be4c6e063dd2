// SPDX-License-Identifier: BSD-3-Clause
// The link's parts, shared by its files.
#pragma once

#include <edge/link.h>
#include <shm/segment.h>
#include <turnpike/session.h>

#include <pthread.h>

// A connection. The control process may know an earlier one of the slot.
struct slot {
	void *owner;	     // NULL: free
	uint32_t generation; // of the handle, while it is open
	uint32_t next_free;
	// Under the session's mutex:
	struct tp_session_report is;   // the connection that there is; connection 0: none
	struct tp_session_report told; // likewise as the control process knows it
	bool is_used;		       // ever
	bool is_dirty;
	struct slot *next_dirty;
};

// A ring to a worker, which sees the filled slots when a turn ends.
struct out {
	struct tp_ring_producer ring;
	uint32_t filled; // slots from the ring's head on
};

// The rings as threads see them. The main thread publishes them, and takes them away when no
// thread uses them any more.
struct view {
	struct shm_streams stream; // of the data plane
	atomic_bool lost;	   // it was truncated
	unsigned n_workers;
	unsigned n_threads;
	// [n_threads][n_workers]
	struct out *out;
	struct tp_ring_consumer *in;
};

// Counters are written by one thread and read by any.
struct counters {
#define EDGE_LINK_FIELD(name, text) _Atomic uint64_t name;
	EDGE_LINK_COUNTERS(EDGE_LINK_FIELD)
#undef EDGE_LINK_FIELD
};

static inline void counter_add(_Atomic uint64_t *word, uint64_t n)
{
	atomic_store_explicit(
		word, atomic_load_explicit(word, memory_order_relaxed) + n, memory_order_relaxed);
}

struct edge_link_thread {
	struct edge_link *link;
	unsigned number;
	int timer_fd;
	_Atomic(struct view *) seen; // the view this thread may be using
	_Atomic uint32_t generation; // of the handle given out last
	uint32_t first_free;	     // 0: none
	uint32_t n_fresh;	     // slots from 1 on that have been used
	struct slot *slots;	     // [connections_max + 1]
	unsigned next_worker;	     // whose turn it is
	uint64_t sent_to;	     // workers since the last flush, a bit each
	uint64_t wanted;	     // workers whose rings are to have room, likewise
	uint32_t pause_ns;	     // until the next look for it
	bool untold;		     // connections opened or closed since the last report
	struct counters counters;
	uint8_t message[TP_RING_DATA_MAX];
} TP_ALIGNED(64);

// The socket to the control process.
struct session {
	int fd; // -1: not connected
	pthread_mutex_t mutex;
	// Under the mutex: slots about which something is to be told, the oldest first.
	struct slot *first_dirty;
	struct slot **last_dirty;
	bool listeners_came;
	bool relay_told; // every report of the relay, since the listeners came
	bool synced;	 // told after both
	bool again;	 // is to be told before all else
	uint64_t expires_s;
	uint64_t last_expires_s;
	// Under the mutex:
	struct tp_session_listener listeners[TP_SESSION_LISTENERS_MAX];
	unsigned n_listeners;
	uint64_t pair_id;
};

// The socket to the data plane.
struct waking {
	int fd;	     // -1: not connected
	int wake_fd; // the same number for ever: the data plane's timer, or one that wakes nobody
	bool up;     // the data plane's has come
};

struct edge_link {
	struct edge_link_settings settings;
	struct shm_place place;
	int epoll_fd;
	struct session session;
	struct waking waking;
	struct shm_streams edge; // ours; file.base NULL: not made
	uint64_t edge_pair_id;
	_Atomic(struct view *) view; // for threads to use from now on
	struct view *retiring;	     // taken away, some thread may use it still
	uint64_t now_ns;	     // of the last tick
	uint64_t tried_ns;	     // to connect
	uint64_t whole_ns;	     // when both sockets were there last
	enum shm_cause refused;	     // the last cause that was logged
	_Atomic bool edge_made;	     // and the threads' generations go on from it
	_Atomic bool control_up, dataplane_up;
	struct edge_link_thread *threads; // [n_threads]
};

// ---- session.c: the main thread, except as said -------------------------------------------------

// 0 or a negative errno.
int session_init(struct edge_link *l);
void session_fini(struct edge_link *l);
void session_connect(struct edge_link *l);
// Begins anew in a session of another process.
void session_again(struct edge_link *l);
// Takes all that has come.
void session_read(struct edge_link *l);
// Reports all that is due, as far as the socket takes it. Any thread.
void session_tell(struct edge_link *l);
// The same of the relay's. The main thread.
void session_tell_relay(struct edge_link *l);
// The slot has another connection, or none; to be told. Any thread.
void session_mark(struct edge_link *l, struct slot *s, const struct tp_session_report *is);

// ---- waking.c: the main thread ------------------------------------------------------------------

int waking_init(struct edge_link *l);
void waking_fini(struct edge_link *l);
void waking_connect(struct edge_link *l);
void waking_read(struct edge_link *l);

// ---- files.c: the main thread -------------------------------------------------------------------

// Makes, maps and takes away files as is due.
void files_tick(struct edge_link *l);
void files_fini(struct edge_link *l);

// ---- connection.c: its thread -------------------------------------------------------------------

// Returns the slot of an open connection, and its index; NULL: the handle is of none.
struct slot *connection_slot(struct edge_link_thread *t, uint64_t connection, uint32_t *index);

// ---- thread.c -----------------------------------------------------------------------------------

// 0 or a negative errno.
int thread_init(struct edge_link_thread *t, struct edge_link *l, unsigned number);
void thread_fini(struct edge_link_thread *t);
