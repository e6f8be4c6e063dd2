// SPDX-License-Identifier: BSD-3-Clause
// The edge's end of everything it shares with the other two processes.
//
//   data plane   the rings of <turnpike/ring.h>, one pair for each (worker, edge thread), in the
//                files `edge` (ours) and `stream` (theirs); a socket by which both sides exchange
//                the timers that wake each other
//   control      a socket (<turnpike/session.h>): listener ids come in, connections that open and
//                close go out, all of them again after each reconnect
//
// Either process may be away at any time and come back; nothing here waits for it. A connection
// stays registered until edge_link_close, also while both are away.
//
// Messages are whole STUN messages or ChannelData messages without padding, at most
// TP_RING_DATA_MAX bytes. Datagrams are DTLS records, as they arrived or are to leave.
//
// Threads: edge_link_create, _destroy, _tick and _wait_ms belong to one thread, the main one. Each
// struct edge_link_thread belongs to the thread that serves its connections, and every call that
// takes one must come from there. edge_link_listener, _is_up and _counters_add may be called by any
// thread.
#pragma once

#include <shm/place.h>

#include <turnpike/entry.h>
#include <turnpike/segment.h>

#include <turnpike/session.h>

struct edge_link;
struct edge_link_thread;

// A report of a socket of a TCP allocation.
struct edge_link_report {
	uint32_t kind; // TP_SESSION_RELAY, TP_SESSION_PEER or TP_SESSION_USED
	union {
		struct tp_session_relay relay;
		struct tp_session_peer peer;
		struct tp_session_used used;
	};
};

// The part that obeys the control process's orders, and has reports for it; called by the main
// thread.
struct edge_link_relay {
	void *ctx;
	// `data` has order->data_len bytes, valid during the call. False: the order makes no sense,
	// which ends the session.
	bool (*order)(void *ctx, const struct tp_session_order *order, const uint8_t *data);
	// Another control process: all reports are due.
	void (*begin)(void *ctx);
	// The next report that is due, again until it was told; false: none.
	bool (*due)(void *ctx, struct edge_link_report *report);
	void (*told)(void *ctx);
	uint32_t peers_max; // connections with peers that there can be, for the control process
};

struct edge_link_settings {
	// Borrowed until edge_link_destroy. The caller holds the role SHM_ROLE_EDGE of it.
	const struct shm_place *place;
	unsigned n_workers; // of the data plane, as configured; 1 to TP_WORKERS_MAX
	unsigned n_threads; // 1 to TP_EDGE_THREADS_MAX
	// Connections of one thread at a time, 1 to TP_CONNECTION_SLOT_MAX - 1.
	uint32_t connections_max;
	// NULL: orders are none that make sense. Borrowed, as above.
	const struct edge_link_relay *relay;
};

// NULL with errno set (EINVAL, ENOMEM, or a system call's error).
struct edge_link *edge_link_create(const struct edge_link_settings *s);
// After all threads have ended. NULL is fine. Leaves the files: calls of other clients go on.
void edge_link_destroy(struct edge_link *l);

// A descriptor for epoll (EPOLLIN): readable when edge_link_tick has something to do.
int edge_link_fd(const struct edge_link *l);
// Connects, maps, reads and reports where something is due; never waits. To be called when
// edge_link_fd is readable, and edge_link_wait_ms after the last call besides. `now_ns` is
// CLOCK_BOOTTIME.
void edge_link_tick(struct edge_link *l, uint64_t now_ns);
// 10 ms for ten seconds after a process has gone, else 100 ms.
unsigned edge_link_wait_ms(const struct edge_link *l);

// The id of the listener with this address, port and TP_TRANSPORT_* (a stream's); 0: the control
// process has not (yet) named it. A connection can't be opened without one. Ids may change when
// the control process says so: ask for each new connection.
uint16_t edge_link_listener(
	const struct edge_link *l, const struct tp_addr *local, uint8_t transport);

struct edge_link_up {
	bool control;
	bool dataplane;
};

// Whether the other two processes are there, as of the last tick.
struct edge_link_up edge_link_is_up(const struct edge_link *l);

// The first and the last expiry of the certificates in use, seconds since 1970, for the control
// process to tell; 0: there are none. The main thread.
void edge_link_expires(struct edge_link *l, uint64_t first_s, uint64_t last_s);

// ---- one thread's part --------------------------------------------------------------------------

// `number` is below n_threads.
struct edge_link_thread *edge_link_thread(struct edge_link *l, unsigned number);

// A descriptor for epoll (EPOLLIN | EPOLLET), the same for the life of the link: a worker has
// messages for this thread, or the data plane came or went, or it is time to look for room. Never
// read.
int edge_link_thread_fd(const struct edge_link_thread *t);

// Registers a connection, to be reported to the control process before any of its messages.
// `owner` comes back with each of its messages; not NULL. Returns its handle, or 0: too many
// connections, or the arguments make no sense (a listener id of 0, a remote address without a
// port). `flags` are TP_REPORT_*.
uint64_t edge_link_open(struct edge_link_thread *t, uint16_t listener_id,
	const struct tp_addr *remote, uint16_t flags, void *owner);
// The listener id that it was opened with; 0: the handle is gone.
uint16_t edge_link_listener_of(struct edge_link_thread *t, uint64_t connection);
// The owner that it was opened with; NULL: the handle is gone.
void *edge_link_owner_of(struct edge_link_thread *t, uint64_t connection);
// Forgets it, to report its end: the control process deletes its allocation. A handle that is gone
// is fine. Both reports leave by the next edge_link_flush, all of a turn together.
void edge_link_close(struct edge_link_thread *t, uint64_t connection);

// Hands a message of the connection to the worker that serves it: always the same one, in order. It
// sees the message by the next edge_link_flush at the latest.
// 0; -EMSGSIZE (none, or too many bytes), -ESTALE (no such connection), -ENOTCONN (no data plane),
// -ENOBUFS (the ring is full). The message is lost unless 0 is returned: the caller may try again.
int edge_link_send(struct edge_link_thread *t, uint64_t connection, const void *data, size_t len);

// Whether the ring of the connection's worker has room, also true for a handle that is gone; never
// without a data plane. *worker: its number, below TP_WORKERS_MAX.
bool edge_link_room(struct edge_link_thread *t, uint64_t connection, unsigned *worker);
// The workers, a bit each, for whose rings the thread has messages that found no room: until the
// next call it sleeps for short pauses only, and not at all while half of such a ring is free.
void edge_link_want(struct edge_link_thread *t, uint64_t workers);

// The way a datagram came, opaque to the edge: the data plane signs it and sends nothing to a
// remote address by another way. That of an association is the way of its newest datagram whose
// records were authentic; the answer to a ClientHello takes that of the ClientHello.
struct edge_link_way {
	uint64_t next_hop;
	uint64_t tag;
};

// A datagram of DTLS records, to leave from the DTLS listener to the remote address. Likewise;
// -EINVAL where the first byte is none of a DTLS record (20 to 63).
int edge_link_send_datagram(struct edge_link_thread *t, uint16_t listener_id,
	const struct tp_addr *remote, const struct edge_link_way *way, const void *data,
	size_t len);

// Arguments are valid during the call. A call may open and close connections, its own included,
// and send.
struct edge_link_receiver {
	void *ctx;
	// A message for a connection that is open.
	void (*message)(
		void *ctx, void *owner, uint64_t connection, const uint8_t *data, size_t len);
	// A datagram that arrived at a DTLS listener; the thread follows from the 5-tuple.
	void (*datagram)(void *ctx, uint16_t listener_id, const struct tp_addr *remote,
		const struct edge_link_way *way, const uint8_t *data, size_t len);
};

// Takes at most `budget` messages off the thread's rings. Returns how many it took, those for
// connections that are gone included.
unsigned edge_link_poll(
	struct edge_link_thread *t, unsigned budget, const struct edge_link_receiver *r);

// Shows the workers the messages sent since the last call, and wakes those that sleep;
// reports connections that opened or closed. After each turn of the thread's loop.
void edge_link_flush(struct edge_link_thread *t);

// Around each wait: false when something is there to be polled, or room that is waited for; then
// nobody waits. edge_link_wake follows the wait. Between both calls a worker that has something
// sets the thread's descriptor.
bool edge_link_sleep(struct edge_link_thread *t);
void edge_link_wake(struct edge_link_thread *t);

// ---- from one process to the next ---------------------------------------------------------------
// The main thread, while no other runs.

uint32_t edge_link_connections_max(const struct edge_link *l); // of one thread

struct edge_link_parts {
	int session_fd; // -1: not connected, and below
	int waking_fd;
	int wake_fd;
	int timer_fds[TP_EDGE_THREADS_MAX];
	bool dataplane; // its timer has come
	unsigned n_threads;
	uint32_t connections_max; // of one thread
	uint64_t pair_id;
	unsigned n_listeners;
	struct tp_session_listener listeners[TP_SESSION_LISTENERS_MAX];
};

// Tells the control process all that is due, and shows the parts, whose descriptors stay the
// link's. False: it does not read; the parts are of no use now.
bool edge_link_hand(struct edge_link *l, struct edge_link_parts *out);
// Tells it all that is due, and waits so long at most until it has read enough. False: it has not.
bool edge_link_tell(struct edge_link *l, unsigned ms);
// Lets go of all that the next process has: neither of the other two is told anything. From then
// on connections can only be closed, and edge_link_tick must not be called; no thread may watch its
// descriptor any more.
void edge_link_leave(struct edge_link *l);

// Takes the parts over, in a link on which nothing was done yet. 0; -EINVAL: they do not fit it,
// and stay the caller's; or another negative errno, after which the link is of no use.
int edge_link_take(struct edge_link *l, const struct edge_link_parts *in);
// Registers a connection under the handle that it has, after edge_link_take. False: that is of
// another thread, in use, or beyond connections_max.
bool edge_link_adopt(struct edge_link_thread *t, uint64_t connection, uint16_t listener_id,
	const struct tp_addr *remote, uint16_t flags, void *owner);
// All are registered: from now on others may open. `again`: the process before has died, and has
// told nobody about those that it did not hand over, so everything is reported again.
void edge_link_taken(struct edge_link *l, bool again);

// ---- counters -----------------------------------------------------------------------------------

#define EDGE_LINK_COUNTERS(X)                                                                      \
	X(opened, "connections registered")                                                        \
	X(closed, "connections closed")                                                            \
	X(refused, "connections refused: too many")                                                \
	X(sent, "messages and datagrams handed to workers")                                        \
	X(send_full, "messages and datagrams that a ring had no room for")                         \
	X(received, "messages and datagrams taken from workers")                                   \
	X(stale, "messages for connections that are gone")                                         \
	X(bad, "messages that no data plane of ours writes")                                       \
	X(resets, "impossible distances of rings")

struct edge_link_counters {
#define EDGE_LINK_COUNTER(name, text) uint64_t name;
	EDGE_LINK_COUNTERS(EDGE_LINK_COUNTER)
#undef EDGE_LINK_COUNTER
};

// Adds those of all threads to *c; each is right by itself.
void edge_link_counters_add(const struct edge_link *l, struct edge_link_counters *c);
