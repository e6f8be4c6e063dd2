// SPDX-License-Identifier: BSD-3-Clause
// The control process's ends of all workers' rings: messages come in by weighted shares of the
// classes, answers go out through the worker they came from. One thread.
#pragma once

#include <shm/segment.h>

// A message as copied out of its slot and checked; nothing here points into the segment.
struct link_message {
	struct tp_addr remote;
	uint64_t connection; // handle of a stream client's, as it came; 0: none
	uint16_t local_id; // below TP_LOCALS_MAX; whether it is a listener is the caller's to check
	uint16_t len;
	uint32_t worker;
	uint32_t cls; // TP_PUNT_*
	uint8_t kind; // TP_RING_*, any value
	uint8_t data[TP_RING_DATA_MAX];
};

typedef void (*link_message_fn)(void *ctx, const struct link_message *m);

struct link_rings_counters {
	uint64_t received[TP_PUNT_CLASSES];
	uint64_t bad;	// slots that no data plane of ours writes
	uint64_t stale; // older than LINK_STALE_NS: their senders have given up
	uint64_t sent;
	uint64_t full;	   // answers lost because the inject ring had no room for their class
	uint64_t no_route; // answers to clients that no route or no next hop leads to
	uint64_t resets;   // impossible distances
};

// Messages that waited longer, because the control process was not there, are dropped.
#define LINK_STALE_NS (10 * TP_NS_PER_S)

struct link_rings {
	unsigned n_workers; // 0: not attached
	// Of them, those with an inject ring: the data plane may have been started again with more
	// workers than this process. Answers to clients of the others leave by these.
	unsigned n_answering;
	struct tp_ring_consumer punt[TP_PUNT_CLASSES][TP_WORKERS_MAX];
	struct tp_ring_producer inject[TP_WORKERS_MAX];
	unsigned next[TP_PUNT_CLASSES];	  // whose turn it is
	unsigned credit[TP_PUNT_CLASSES]; // messages left of the class's share
	_Atomic uint32_t *sleeping;
	struct link_rings_counters counters;
	struct link_message message; // the one being handled
};

// Both files stay mapped until link_rings_detach.
void link_rings_attach(
	struct link_rings *r, const struct shm_inject *inject, const struct shm_punt *punt);
void link_rings_detach(struct link_rings *r);

// Handles at most `budget` messages; returns how many. The most urgent class goes first until it
// has had its share, so that a flood in one class does not stop another.
unsigned link_rings_poll(
	struct link_rings *r, uint64_t now_ns, unsigned budget, link_message_fn fn, void *ctx);

// Before a sleep: asks for kicks. False when something came meanwhile, then nobody sleeps.
bool link_rings_sleep(struct link_rings *r);
void link_rings_wake(struct link_rings *r);

// The origin of an answer: of its request, or worker 0 and TP_PUNT_LIVE.
struct link_origin {
	uint32_t worker; // any number
	uint32_t cls;	 // TP_PUNT_*
};

// 0; -ENOBUFS when the ring has no room for the class, -EMSGSIZE, -ENOTCONN without a data plane. A
// part of the ring is kept for the more urgent classes: answers to a flood do not push theirs out.
int link_rings_send(struct link_rings *r, uint64_t now_ns, const struct link_origin *origin,
	uint16_t local_id, const struct tp_addr *remote, uint32_t next_hop, const void *data,
	size_t len);

// The same to the connection of a stream client.
int link_rings_send_stream(struct link_rings *r, uint64_t now_ns, const struct link_origin *origin,
	uint16_t local_id, const struct tp_addr *remote, uint64_t connection, const void *data,
	size_t len);

// Impossible distances seen so far, those of the rings in use included.
uint64_t link_rings_resets(const struct link_rings *r);
