// SPDX-License-Identifier: BSD-3-Clause
// Bursts that are run once by the quick ways and once by the general one alone: what comes out must
// be the same to the last octet and counter.
#pragma once

#include "call.h"

#define BURST 3u  // more than one: the first of a burst goes no quick way
#define ROOM  64u // octets in front and behind

struct outcome {
	struct frame frames[BURST];
	struct stage_pkt pkts[BURST];
	struct tp_worker_stats stats;
	struct tp_cell cells[64];
	struct core_context context;
};

// What is done to the packet in the middle.
struct change {
	uint8_t rx_port;
	int16_t headroom, longer; // -1: as it is; octets behind the datagram
	uint8_t less_tailroom;
};

static const struct change nothing = {0, -1, 0, 0};

// What is left on the stack must not be what the next run would have put there.
__attribute__((noinline)) static void stack_spoil(void)
{
	volatile uint8_t octets[32768];

	for (unsigned i = 0; i < sizeof(octets); i++)
		octets[i] = 0xa5;
}

static inline void alike_run(struct call *c, const struct frame *frames,
	const struct change *change, bool general_only, struct outcome *o)
{
	struct stage_worker *w = c->r->worker;

	memset(o, 0, sizeof(*o));
	for (unsigned i = 0; i < BURST; i++) {
		o->frames[i] = frames[i];
		o->pkts[i] = (struct stage_pkt){.data = frame_data(&o->frames[i]),
			.len = frames[i].len,
			.headroom = ROOM,
			.tailroom = ROOM};
	}
	o->pkts[1].rx_port = change->rx_port;
	o->pkts[1].len = (uint16_t)(o->pkts[1].len + change->longer);
	if (change->headroom >= 0)
		o->pkts[1].headroom = (uint16_t)change->headroom;
	o->pkts[1].tailroom = (uint16_t)(o->pkts[1].tailroom - change->less_tailroom);
	memset(c->r->stats, 0, sizeof(*c->r->stats));
	memset(c->r->cells, 0, c->r->n_entries * sizeof(*c->r->cells));
	w->general_only = general_only;
	w->context = (struct core_context){.txid_state = 1, .ip_id = 1};
	stack_spoil();
	stage_run(w, o->pkts, BURST, c->r->now_ns);
	for (unsigned ring = 0; ring < TP_PUNT_CLASSES; ring++)
		while (relay_punted(c->r, ring) != NULL)
			;
	o->stats = *c->r->stats;
	memcpy(o->cells, c->r->cells, sizeof(o->cells));
	o->context = w->context;
}

// Returns the first packet's verdict.
static inline uint8_t assert_alike(
	struct call *c, const struct frame *frames, const struct change *change)
{
	static struct outcome quick, general;

	alike_run(c, frames, change, false, &quick);
	alike_run(c, frames, change, true, &general);
	for (unsigned i = 0; i < BURST; i++) {
		const struct stage_pkt *p = &quick.pkts[i], *q = &general.pkts[i];

		assert_int_equal(p->verdict, q->verdict);
		if (p->verdict == STAGE_DROP)
			assert_int_equal(p->reason, q->reason);
		if (p->verdict == STAGE_SEND)
			assert_int_equal(p->tx_port, q->tx_port);
		assert_int_equal(
			p->data - quick.frames[i].memory, q->data - general.frames[i].memory);
		assert_int_equal(p->len, q->len);
		assert_int_equal(p->headroom, q->headroom);
		assert_int_equal(p->tailroom, q->tailroom);
	}
	assert_memory_equal(quick.frames, general.frames, sizeof(quick.frames));
	assert_memory_equal(&quick.stats, &general.stats, sizeof(quick.stats));
	assert_memory_equal(quick.cells, general.cells, sizeof(quick.cells));
	assert_memory_equal(&quick.context, &general.context, sizeof(quick.context));
	return quick.pkts[0].verdict;
}
