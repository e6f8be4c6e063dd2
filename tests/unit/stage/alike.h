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

static inline void frames_make(struct frame frames[BURST], const struct frame_spec *spec)
{
	for (unsigned i = 0; i < BURST; i++)
		frame_build(&frames[i], spec);
}

// Flips each of the first bits of the frame in the middle, with the IPv4 header's checksum as it
// was and put right.
static inline void assert_bits_alike(struct call *c, const struct frame_spec *spec, unsigned bits)
{
	static struct frame frames[BURST];

	frames_make(frames, spec);
	for (unsigned bit = 0; bit < bits; bit++) {
		frame_data(&frames[1])[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(assert_alike(c, frames, &nothing), STAGE_SEND);
		if (frame_data(&frames[1])[14] == 0x45) {
			frame_fix_ip_csum(&frames[1]);
			assert_alike(c, frames, &nothing);
		}
		frames[1] = frames[0];
	}
}

// The same with ports of smaller and smaller MTUs.
static inline void assert_mtus_alike(struct call *c, const struct frame *frames, uint16_t least)
{
	uint16_t before = c->r->worker->ports[0].mtu;

	for (uint16_t mtu = least; mtu < 110; mtu++) {
		c->r->worker->ports[0].mtu = mtu;
		assert_alike(c, frames, &nothing);
	}
	c->r->worker->ports[0].mtu = before;
}

// What an entry says otherwise; 0: the same.
struct entry_change {
	uint32_t next_hop, expires_s, other_expires_s;
	uint8_t flags, header_len, first, relay_id, port, kind; // first: octet of the header
};

static inline void entry_change(struct tp_entry *e, const struct entry_change *change)
{
	if (change->next_hop != 0)
		e->next_hop = change->next_hop;
	if (change->expires_s != 0)
		e->expires_s = change->expires_s;
	if (change->other_expires_s != 0)
		e->other_expires_s = change->other_expires_s;
	if (change->header_len != 0)
		e->header_len = change->header_len;
	if (change->first != 0)
		e->header[0] = change->first;
	if (change->relay_id != 0)
		e->relay_id = change->relay_id;
	if (change->kind != 0)
		e->key.kind = change->kind;
	e->port_be ^= change->port;
	e->flags |= change->flags;
}
