// SPDX-License-Identifier: BSD-3-Clause
// Sockets of TCP allocations (RFC 6062), by orders of the control process (<turnpike/session.h>):
// listening ones, and connections with peers until a client's connection joins them. Changes of
// either are reported; each report is kept until it has been told.
//
// The orders are another process's: only the configured relay addresses and ports are bound, and
// there are at most as many sockets as settings say.
//
// Threads: all but edge_relay_ended belongs to one thread, the main one. Time is CLOCK_BOOTTIME.
#pragma once

#include <stdbool.h>

#include <meter/meter.h>
#include <turnpike/session.h>

struct edge_relay;

// X(name, description)
#define EDGE_RELAY_COUNTERS(X)                                                                     \
	X(listeners, "relayed TCP ports opened")                                                   \
	X(listeners_failed, "relayed TCP ports that could not be opened")                          \
	X(connects, "connections to peers begun")                                                  \
	X(connects_failed, "of them, those that failed or that the peer did not answer")           \
	X(accepted, "connections of peers accepted")                                               \
	X(accepted_full, "connections of peers closed: as many as fit, or no descriptor is free")  \
	X(joined, "connections with peers joined by a client's connection")                        \
	X(expired, "connections with peers closed: no client's connection joined them")            \
	X(ended, "connections with peers that ended after they were joined")                       \
	X(orders_bad, "orders of the control process that make no sense")

struct edge_relay_counters {
#define EDGE_RELAY_FIELD(name, text) uint64_t name;
	EDGE_RELAY_COUNTERS(EDGE_RELAY_FIELD)
#undef EDGE_RELAY_FIELD
};

struct edge_relay_settings {
	const struct tp_addr *addresses; // ports 0; borrowed during edge_relay_create
	size_t n_addresses;
	uint16_t port_min; // inclusive
	uint16_t port_max;
	uint32_t listeners_max;
	uint32_t peers_max;
	void *ctx;
	// Gives the socket of a peer, and bytes that the client gets first, to the client's
	// connection; edge_relay_ended follows, also where it is gone. The socket is the other's
	// from now on, and a reference to the meter that counts the bytes.
	void (*join)(void *ctx, uint64_t key, uint64_t connection, int fd, struct meter *meter,
		const uint8_t *data, size_t len);
	// Ends them; edge_relay_ended follows.
	void (*part)(void *ctx, uint64_t key, uint64_t connection);
};

// NULL with errno set.
struct edge_relay *edge_relay_create(const struct edge_relay_settings *s);
// Other relay addresses, of which it takes a copy. Sockets at those that left stay until they are
// ordered to close. 0 or -ENOMEM.
int edge_relay_addresses(struct edge_relay *r, const struct tp_addr *addresses, size_t n);
// After the threads that may call edge_relay_ended. NULL is fine.
void edge_relay_destroy(struct edge_relay *r);

// ---- from one process to the next ---------------------------------------------------------------

// A socket that listens, or a peer connection.
struct edge_relay_moved {
	uint32_t kind; // TP_SESSION_RELAY or TP_SESSION_PEER
	uint32_t known;
	uint64_t since_ns;
	struct tp_session_relay relay;
	struct tp_session_peer peer;
	struct tp_session_cap caps[TP_SESSION_CAPS_MAX]; // of a RELAY
};

typedef bool edge_relay_show_fn(void *ctx, const struct edge_relay_moved *m, int fd);
// Shows all of them, a listener before its peers, after an edge_relay_poll that has taken the ends
// of joined ones. Those that are joined have no descriptor here. False: a call has returned false.
bool edge_relay_show(struct edge_relay *r, edge_relay_show_fn *show, void *ctx);
// Closes them without a report.
void edge_relay_leave(struct edge_relay *r);
// Takes one over. False: it does not fit, and the descriptor stays the caller's.
bool edge_relay_adopt(struct edge_relay *r, const struct edge_relay_moved *m, int fd);
// The connections of one that was adopted joined have come: *meter gets a reference to the meter of
// their bytes, or NULL, and edge_relay_ended follows. False: it is unknown.
bool edge_relay_claim(struct edge_relay *r, uint64_t key, struct meter **meter);
// Ends those whose connections have not come: the process before died.
void edge_relay_taken(struct edge_relay *r);

// A descriptor for epoll (EPOLLIN): readable when edge_relay_poll has something to do.
int edge_relay_fd(const struct edge_relay *r);
// Takes all that came, a bounded amount, and ends what is over. To be called when the descriptor is
// readable and about every 100 ms besides.
void edge_relay_poll(struct edge_relay *r, uint64_t now_ns);

// Obeys; false: no control process of ours says this.
bool edge_relay_order(struct edge_relay *r, uint64_t now_ns, const struct tp_session_order *o,
	const uint8_t *data);

// A joined one ended. Any thread.
void edge_relay_ended(struct edge_relay *r, uint64_t key, uint64_t to_peer, uint64_t to_client);

// ---- reports ------------------------------------------------------------------------------------

struct edge_relay_report {
	uint32_t kind; // TP_SESSION_RELAY, TP_SESSION_PEER or TP_SESSION_USED
	union {
		struct tp_session_relay relay;
		struct tp_session_peer peer;
		struct tp_session_used used;
	};
};

// Another control process: it has been told nothing.
void edge_relay_begin(struct edge_relay *r);
// The report that is due next; false: none.
bool edge_relay_due(struct edge_relay *r, struct edge_relay_report *out);
// It has been told.
void edge_relay_told(struct edge_relay *r);

void edge_relay_counters_read(const struct edge_relay *r, struct edge_relay_counters *out);
// Peer connections that there are.
uint32_t edge_relay_peers(const struct edge_relay *r);
