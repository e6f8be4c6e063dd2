// SPDX-License-Identifier: BSD-3-Clause
// Packets of one worker that wait to be transmitted, per port.
//
// They may be held until they make a whole batch: over more than one receive burst, but only while
// bursts keep coming in and for a bounded time, looked at once per burst. Unless that is configured
// they leave at the end of their burst. Order within a port stays. Packets that wait have left the
// tables behind: a quiescent state changes nothing for them.
//
// Used by the worker's thread alone. Cycles are those of the time stamp counter.
#pragma once

#include <io/port.h>
#include <rte_mbuf.h>

#include <worker/clock.h>
#include <observe/observe.h>

#define TXQUEUE_BATCH STAGE_BURST // a whole batch leaves at once

struct txqueue_port {
	struct rte_mbuf *packets[TXQUEUE_BATCH];
	uint64_t octets; // of all of them
	uint64_t since;	 // start of the first one's loop
	uint16_t n;
	uint16_t held; // of them, those from earlier loops
	uint16_t id;   // DPDK's port
	uint16_t queue;
};

struct txqueue {
	struct stage_worker *stage; // counts sent packets, and refused ones as tx_full
	unsigned n;
	uint64_t hold_cycles;
	struct observe *observe;   // NULL: no observers
	const struct clock *clock; // for observers
	bool holding;		   // some port held packets at the end of a burst
	uint32_t flushed_held;	   // packets that left in this loop and were from earlier ones
	uint64_t held_since;	   // start of the first one's loop
	struct txqueue_port queues[TP_PORTS_MAX];
};

// `hold_cycles`: 0: nothing is held.
void txqueue_init(struct txqueue *o, struct stage_worker *stage, const struct io_port *ports,
	unsigned n_ports, uint16_t queue, uint64_t hold_cycles);

// Enables trace and capture. Both objects must outlive the queues.
void txqueue_observe(struct txqueue *o, struct observe *observe, const struct clock *clock);

// Sends all packets of one port; those that it refuses are freed.
void txqueue_flush_port(struct txqueue *o, struct txqueue_port *q);

// Takes ownership of a fully rewritten packet. `loop`: the counter when this loop began.
static inline void txqueue_put(struct txqueue *o, unsigned port, struct rte_mbuf *m, uint64_t loop)
{
	struct txqueue_port *q = &o->queues[port];

	if (q->n == 0)
		q->since = loop;
	q->octets += m->data_len;
	q->packets[q->n++] = m;
	if (q->n == TXQUEUE_BATCH)
		txqueue_flush_port(o, q);
}

// The same for `n` packets to one port, in their order; `octets` of all of them.
void txqueue_put_run(struct txqueue *o, unsigned port, struct rte_mbuf **packets, unsigned n,
	uint64_t octets, uint64_t loop);

// Sends everything: a receive queue was empty, the worker is about to sleep or to stop.
void txqueue_flush(struct txqueue *o);

// Ends a burst: sends everything but the packets that may be held.
void txqueue_end_burst(struct txqueue *o);

// At the end of a loop that took `packets`: how many of them have left, or were not to leave; and
// in flushed_held and held_since those that had been held. txqueue_next_loop begins the next loop.
unsigned txqueue_left(const struct txqueue *o, unsigned packets);
void txqueue_next_loop(struct txqueue *o);
