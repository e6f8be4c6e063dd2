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

#include "clock.h"
#include "watch.h"

#define OUTBOX_BATCH STAGE_BURST // a whole batch leaves at once

struct outbox {
	struct rte_mbuf *packets[OUTBOX_BATCH];
	uint64_t octets; // of all of them
	uint64_t since;	 // start of the first one's loop
	uint16_t n;
	uint16_t late; // of them, those from earlier loops
	uint16_t id;   // DPDK's port
	uint16_t queue;
};

struct outboxes {
	struct stage_worker *stage; // counts what left, and as tx_full what was refused
	unsigned n;
	uint64_t hold_cycles;
	struct watch *watch;	   // NULL: nobody may look on
	const struct clock *clock; // for those who do
	bool holding;		   // some box held packets at the end of a burst
	uint32_t left_late;	   // packets that left in this loop and were from earlier ones
	uint64_t late_since;	   // start of the first one's loop
	struct outbox boxes[TP_PORTS_MAX];
};

// `hold_cycles`: 0: nothing is held.
void outboxes_init(struct outboxes *o, struct stage_worker *stage, const struct io_port *ports,
	unsigned n_ports, uint16_t queue, uint64_t hold_cycles);

// Operators may look on from now on. Both are the caller's for as long as the boxes are.
void outboxes_watch(struct outboxes *o, struct watch *watch, const struct clock *clock);

// All of a box's packets leave; those that the port refuses are freed.
void outbox_flush(struct outboxes *o, struct outbox *box);

// Takes over the packet, which is as it shall leave. `loop`: the counter when this loop began.
static inline void outboxes_put(
	struct outboxes *o, unsigned port, struct rte_mbuf *m, uint64_t loop)
{
	struct outbox *box = &o->boxes[port];

	if (box->n == 0)
		box->since = loop;
	box->octets += m->data_len;
	box->packets[box->n++] = m;
	if (box->n == OUTBOX_BATCH)
		outbox_flush(o, box);
}

// The same for `n` packets to one port, in their order; `octets` of all of them.
void outboxes_put_run(struct outboxes *o, unsigned port, struct rte_mbuf **packets, unsigned n,
	uint64_t octets, uint64_t loop);

// Everything leaves: a receive queue was empty, the worker is about to sleep or to stop.
void outboxes_flush(struct outboxes *o);

// The end of a burst: everything leaves but what may be held.
void outboxes_end_burst(struct outboxes *o);

// At the end of a loop that took `packets`: how many of them have left, or were not to leave; and
// in left_late and late_since those that had been held. outboxes_turn begins the next loop.
unsigned outboxes_left(const struct outboxes *o, unsigned packets);
void outboxes_turn(struct outboxes *o);
