// SPDX-License-Identifier: BSD-3-Clause
// The control process's ends of all workers' rings: messages come in by strict priority, answers go
// out through the worker they came from. One thread.
#pragma once

#include <shm/segment.h>

// A message as copied out of its slot and checked; nothing here points into the segment.
struct io_message {
	struct tp_addr remote;
	uint16_t local_id; // below TP_LOCALS_MAX; whether it is a listener is the caller's to check
	uint16_t len;
	uint32_t worker;
	uint32_t cls; // TP_PUNT_*
	uint8_t data[TP_RING_DATA_MAX];
};

typedef void (*io_message_fn)(void *ctx, const struct io_message *m);

struct io_rings_counters {
	uint64_t received[TP_PUNT_CLASSES];
	uint64_t bad;	// slots that no data plane of ours writes
	uint64_t stale; // older than IO_STALE_NS: whoever sent them has given up
	uint64_t sent;
	uint64_t full;	 // answers lost because the inject ring was full
	uint64_t resets; // impossible distances
};

// Messages that waited longer, because the control process was not there, are dropped.
#define IO_STALE_NS (10 * TP_NS_PER_S)

struct io_rings {
	unsigned n_workers; // 0: not attached
	struct tp_ring_consumer punt[TP_PUNT_CLASSES][TP_WORKERS_MAX];
	struct tp_ring_producer inject[TP_WORKERS_MAX];
	unsigned next[TP_PUNT_CLASSES]; // whose turn it is
	_Atomic uint32_t *sleeping;
	struct io_rings_counters counters;
	struct io_message message; // the one being handled
};

// Both files stay mapped until io_rings_detach.
void io_rings_attach(
	struct io_rings *r, const struct shm_inject *inject, const struct shm_punt *punt);
void io_rings_detach(struct io_rings *r);

// Handles at most `budget` messages, the most urgent first; returns how many.
unsigned io_rings_poll(
	struct io_rings *r, uint64_t now_ns, unsigned budget, io_message_fn fn, void *ctx);

// Before a sleep: asks for kicks. False when something came meanwhile, then nobody sleeps.
bool io_rings_sleep(struct io_rings *r);
void io_rings_wake(struct io_rings *r);

// `worker` is that of the request, or any number. 0; -ENOBUFS when the ring is full, -EMSGSIZE,
// -ENOTCONN without a data plane.
int io_rings_send(struct io_rings *r, uint64_t now_ns, uint32_t worker, uint16_t local_id,
	const struct tp_addr *remote, uint32_t next_hop, const void *data, size_t len);

// Impossible distances seen so far, those of the rings in use included.
uint64_t io_rings_resets(const struct io_rings *r);
