// SPDX-License-Identifier: BSD-3-Clause
// Bursts that are run once by both paths and once by the slow path alone: the results must be the
// same to the last byte and counter.
#pragma once

#include "call.h"

#define BURST 3u  // more than one: the fast path learns from the packets before
#define ROOM  64u // bytes in front and behind

struct outcome {
	struct frame frames[BURST];
	struct stage_pkt pkts[BURST];
	struct tp_worker_stats stats;
	struct tp_cell cells[64];
	struct core_context context;
};

// A change of the packet in the middle.
struct change {
	uint8_t rx_port;
	int16_t headroom, longer; // -1: as it is; bytes behind the datagram
	uint8_t less_tailroom;
};

static const uint8_t alike_families[2] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
static const struct change nothing = {0, -1, 0, 0};

// Fills the stack with a pattern that no run leaves there.
__attribute__((noinline)) static void stack_spoil(void)
{
	volatile uint64_t words[8192];

	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		words[i] = 0xa5a5a5a5a5a5a5a5;
}

static inline void alike_run(struct call *c, const struct frame *frames,
	const struct change *change, bool slow_only, struct outcome *o)
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
	memset(w->buckets, 0, sizeof(w->buckets));
	w->slow_only = slow_only;
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
	static struct outcome fast, slow;

	alike_run(c, frames, change, false, &fast);
	alike_run(c, frames, change, true, &slow);
	for (unsigned i = 0; i < BURST; i++) {
		const struct stage_pkt *p = &fast.pkts[i], *q = &slow.pkts[i];

		assert_int_equal(p->verdict, q->verdict);
		if (p->verdict == STAGE_DROP)
			assert_int_equal(p->reason, q->reason);
		if (p->verdict == STAGE_SEND)
			assert_int_equal(p->tx_port, q->tx_port);
		assert_int_equal(p->data - fast.frames[i].memory, q->data - slow.frames[i].memory);
		assert_int_equal(p->len, q->len);
		assert_int_equal(p->headroom, q->headroom);
		assert_int_equal(p->tailroom, q->tailroom);
	}
	assert_memory_equal(fast.frames, slow.frames, sizeof(fast.frames));
	assert_memory_equal(&fast.stats, &slow.stats, sizeof(fast.stats));
	assert_memory_equal(fast.cells, slow.cells, sizeof(fast.cells));
	assert_memory_equal(&fast.context, &slow.context, sizeof(fast.context));
	return fast.pkts[0].verdict;
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

	for (uint16_t mtu = least; mtu < 150; mtu++) {
		c->r->worker->ports[0].mtu = mtu;
		assert_alike(c, frames, &nothing);
	}
	c->r->worker->ports[0].mtu = before;
}

// Changes of an entry; 0: none.
struct entry_change {
	uint32_t next_hop, expires_s, other_expires_s;
	uint8_t flags, header_len, first, relay_id, port, kind; // first: byte of the header
};

static inline void entry_change(struct tp_entry *e, const struct entry_change *change)
{
	if (change->next_hop != 0)
		e->egress = change->next_hop;
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
