// SPDX-License-Identifier: BSD-3-Clause
// The edge as seen from control: its session (<turnpike/session.h>). Listener ids go out; reports
// of connections come in. One edge at a time: the role's lock sees to it. One thread.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include <turnpike/session.h>

struct link_edge_handler {
	void *ctx;
	void (*opened)(void *ctx, const struct tp_session_report *r);
	void (*closed)(void *ctx, const struct tp_session_report *r);
	void (*relay)(void *ctx, const struct tp_session_relay *r);
	void (*peer)(void *ctx, const struct tp_session_peer *p);
	void (*used)(void *ctx, const struct tp_session_used *u);
	// Everything that there is has been reported: once in a session.
	void (*synced)(void *ctx, uint64_t peers_max);
	// The edge said so again.
	void (*room)(void *ctx, uint64_t peers_max);
	// All that there is will be reported once more, then `synced`: the rest is gone.
	void (*again)(void *ctx);
	// The edge is gone, and all connections with it.
	void (*lost)(void *ctx);
};

struct link_edge_counters {
	uint64_t reports;
	uint64_t orders;
	uint64_t orders_lost; // the edge did not read: its session began anew
	uint64_t bad;	      // messages that no edge of ours sends: each ended a session
};

// Orders that wait for an edge that is behind.
#define LINK_EDGE_ORDERS_MAX (1u << 17)

struct link_edge_order;

struct link_edge {
	struct link_edge_handler handler;
	int epoll_fd;	    // borrowed
	uint32_t tag;	    // epoll data of both descriptors
	int listen_fd;	    // -1: not open
	int fd;		    // -1: no edge
	bool is_synced;	    // of the present session
	uint64_t expires_s; // of its first certificate, seconds since 1970; 0: none, or unknown
	uint64_t last_expires_s; // likewise, of the last one
	char path[108];
	struct link_edge_counters counters;
	struct link_edge_order *first; // the oldest that waits
	struct link_edge_order **last;
	unsigned n_waiting;
	struct {
		struct tp_session_message head;
		struct tp_session_listener items[TP_SESSION_LISTENERS_MAX];
	} listeners;
};

// Makes the socket in the run directory, 0660, of `group` unless that is (gid_t)-1. 0 or a negative
// errno.
int link_edge_init(struct link_edge *e, const char *run_directory, gid_t group, int epoll_fd,
	uint32_t tag, const struct link_edge_handler *handler);
// Closes and removes the socket. Fine on one that was never made: fd and listen_fd are -1,
// the rest is 0.
void link_edge_fini(struct link_edge *e);

static inline bool link_edge_is_up(const struct link_edge *e)
{
	return e->fd >= 0;
}

// Listeners of streams, at most TP_SESSION_LISTENERS_MAX, and the tables' pair id; told to the edge
// now and at each connection.
void link_edge_listeners(struct link_edge *e, uint64_t pair_id,
	const struct tp_session_listener *listeners, unsigned n);

// An order, and its data: sent now, or as soon as the edge has read those before. Without an
// edge there is nobody to obey.
void link_edge_order(struct link_edge *e, const struct tp_session_order *order, const void *data);

// Accepts, sends all that waits, and takes at most `budget` messages that have come. False: one of
// them was the work of a whole turn, and the next call belongs to another; the edge has reported
// nothing since.
bool link_edge_read(struct link_edge *e, unsigned budget);
