// SPDX-License-Identifier: BSD-3-Clause
// A lane: packets with IPv4 at both ends and nothing unusual about them, which share with their
// neighbours what is looked up once. Here its state and the lane of channels; indications have
// theirs in indication.h. Functions return false for what is no packet of the lane, before anything
// is done: for the general way then, which knows all the reasons.
#pragma once

#include "forward.h"

#include <core/channel4.h>

// What a lane has at hand, out of the burst so that no store to a packet can change it.
struct lane {
	const struct tp_entry *entries;
	struct tp_cell *cells;
	uint32_t now_s;
	uint32_t packets;
	uint64_t octets;
	// The next hop of the packet before.
	uint64_t slot;	  // LANE_NO_HOP: none, which no entry can name
	uint32_t max_len; // of a frame
	uint8_t port;
	uint8_t eth[16] TP_ALIGNED(16); // Ethernet header to an IPv4 packet, and two octets
};

#define LANE_NO_HOP UINT64_MAX

CORE_INLINE void lane_begin(struct lane *l, const struct burst *b)
{
	l->entries = b->w->table.entries;
	l->cells = b->w->cells;
	l->now_s = b->now_s;
	l->packets = 0;
	l->octets = 0;
	l->slot = LANE_NO_HOP;
}

CORE_INLINE void lane_end(const struct lane *l, struct burst *b, enum tp_path path)
{
	b->path_packets[path] += l->packets;
	b->path_octets[path] += l->octets;
}

// False: there is no next hop; next_hop_resolve knows why.
CORE_INLINE bool lane_hop_set(struct lane *l, const struct stage_worker *w, uint32_t slot)
{
	uint64_t word;

	l->slot = LANE_NO_HOP;
	if (next_hop_resolve(w, slot, &word, &l->port) != TP_DROP_none)
		return false;
	ethernet_write(l->eth, true, word, &w->ports[l->port]);
	l->max_len = w->ports[l->port].mtu + CORE_ETH_LEN;
	l->slot = slot;
	return true;
}

// Whether packets may leave by the entry: a header of IPv4 in it with `extra` octets behind UDP,
// and its next hop, which is the lane's then.
CORE_INLINE bool lane_leaves(
	struct lane *l, const struct burst *b, const struct tp_entry *e, unsigned extra)
{
	uint32_t slot = atomic_load_explicit(&e->next_hop, memory_order_relaxed);

	return core_channel4_fits(e, extra) && (slot == l->slot || lane_hop_set(l, b->w, slot));
}

CORE_INLINE void lane_count(struct lane *l, uint32_t index, uint32_t octets)
{
	struct tp_cell *cell = &l->cells[index];

	tp_count(&cell->packets, 1);
	tp_count(&cell->octets, octets);
	l->packets++;
	l->octets += octets;
}

CORE_INLINE void lane_sent(
	const struct lane *l, struct stage_pkt *pkt, uint8_t *frame, uint32_t len)
{
	pkt->data = frame;
	pkt->len = (uint16_t)len;
	pkt->tx_port = l->port;
	pkt->verdict = STAGE_SEND;
}

// `e`: the live CHANNEL or PEER of the item, whose key is the same.
CORE_INLINE bool lane_forward(struct lane *l, struct burst *b, const struct item *it,
	const struct tp_entry *e, bool to_peer)
{
	const uint32_t front = to_peer ? TP_CHANNEL_HEADER_LEN : 0;
	struct stage_pkt *pkt = it->pkt;
	uint8_t *frame = pkt->data;
	uint32_t len = pkt->len, data_len = len - CORE_CHANNEL4_HEADERS - front;
	uint32_t left = to_peer ? len - TP_CHANNEL_HEADER_LEN : len + TP_CHANNEL_HEADER_LEN;

	if (STAGE_UNLIKELY(!it->exact4 || !core_channel4_simple(frame) ||
			   !lane_leaves(l, b, e, to_peer ? 0 : TP_CHANNEL_HEADER_LEN) ||
			   left > l->max_len ||
			   (!to_peer && pkt->headroom < TP_CHANNEL_HEADER_LEN)))
		return false;
	frame = core_channel4_move(&b->w->context, frame, e, to_peer, l->eth, data_len);
	pkt->headroom += to_peer ? TP_CHANNEL_HEADER_LEN : -TP_CHANNEL_HEADER_LEN;
	lane_sent(l, pkt, frame, left);
	lane_count(l, it->candidate, data_len);
	return true;
}
