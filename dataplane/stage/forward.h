// SPDX-License-Identifier: BSD-3-Clause
// The way out: a packet whose entries are known is rewritten, given its Ethernet header, counted.
// Always inlined with its way a constant, so that each way has a copy of its own.
#pragma once

#include "item.h"

#include <core/rewrite.h>

enum way {
	WAY_CHANNEL_TO_PEER,
	WAY_SEND_TO_PEER,
	WAY_PEER_TO_CHANNEL,
	WAY_PEER_TO_DATA,
	// Hairpins.
	WAY_CHANNEL_TO_CHANNEL,
	WAY_CHANNEL_TO_DATA,
	WAY_SEND_TO_CHANNEL,
	WAY_SEND_TO_DATA
};

// The entries of a way. `leaving` is the one that the outgoing headers come from; of the others
// there are those that the way has.
struct way_entries {
	const struct tp_entry *leaving;
	const struct tp_entry *sent_by;	    // the sender's CHANNEL or PERMISSION
	const struct tp_entry *received_by; // the receiver's PEER or PERMISSION
	const struct tp_entry *client;	    // the sender's ALLOCATION
	uint32_t leaving_index;
	uint32_t sent_index;
};

static inline const struct tp_entry *entry_at(const struct burst *b, uint32_t index)
{
	return &b->w->table.entries[index];
}

// forward.c: a channel at one end, for any families and any ChannelData.
void item_channel_forward(struct burst *b, struct item *it, enum way way, uint32_t index);

CORE_INLINE void send_out(
	struct item *it, const struct core_packet *in, const struct core_out *out, uint8_t port)
{
	struct stage_pkt *pkt = it->pkt;
	uint8_t *data = out->ip - CORE_ETH_LEN;
	uint32_t len = out->len + CORE_ETH_LEN;

	pkt->data = data;
	pkt->len = (uint16_t)len;
	pkt->headroom = (uint16_t)(data - in->low);
	pkt->tailroom = (uint16_t)(in->high - data - len);
	pkt->tx_port = port;
	pkt->verdict = STAGE_SEND;
}

// Destination MAC and port behind a next-hop slot: none, no_route or no_next_hop.
CORE_INLINE enum tp_drop next_hop_resolve(
	const struct stage_worker *w, uint32_t slot, uint64_t *word, uint8_t *port)
{
	if (STAGE_UNLIKELY(slot == 0 || slot >= w->n_next_hops))
		return TP_DROP_no_route;
	*word = atomic_load_explicit(&w->next_hops[slot], memory_order_relaxed);
	if (STAGE_UNLIKELY(!(*word & TP_NEXT_HOP_VALID)))
		return TP_DROP_no_next_hop;
	*port = (uint8_t)(*word >> 48);
	return *port < w->n_ports ? TP_DROP_none : TP_DROP_no_route;
}

// Fourteen octets, as eight and, overlapping them, eight.
CORE_INLINE void ethernet_write(
	uint8_t *eth, bool v4, uint64_t next_hop, const struct stage_port *port)
{
	uint16_t type = v4 ? tp_htons(CORE_ETHERTYPE_IPV4) : tp_htons(CORE_ETHERTYPE_IPV6);
	uint64_t dst = htole64(next_hop), src;

	memcpy(&src, port->mac, sizeof(src));
	memcpy(eth + CORE_ETH_DST, &dst, sizeof(dst));
	memcpy(eth + CORE_ETH_SRC, &src, sizeof(src));
	memcpy(eth + CORE_ETH_TYPE, &type, sizeof(type));
}

CORE_INLINE enum tp_drop rewrite(struct burst *b, const struct item *it, enum way way,
	const struct core_packet *in, const struct way_entries *e, struct core_out *out)
{
	struct core_context *c = &b->w->context;
	const struct core_send *send = &item_more(b, it)->send;
	const struct tp_addr *shown = &item_more(b, it)->shown;

	switch (way) {
	case WAY_CHANNEL_TO_PEER:
		return core_channel_to_peer(c, in, e->leaving, out);
	case WAY_SEND_TO_PEER:
		return core_send_to_peer(c, in, send, e->client, e->leaving, out);
	case WAY_PEER_TO_CHANNEL:
		return core_peer_to_channel(c, in, e->leaving, out);
	case WAY_PEER_TO_DATA:
		return core_peer_to_data(c, in, e->received_by, e->leaving, out);
	case WAY_CHANNEL_TO_CHANNEL:
		return core_channel_to_channel(c, in, e->sent_by, e->leaving, out);
	case WAY_CHANNEL_TO_DATA:
		return core_channel_to_data(c, in, e->sent_by, e->leaving, shown, out);
	case WAY_SEND_TO_CHANNEL:
		return core_send_to_channel(c, in, send, e->client, e->leaving, out);
	default:
		return core_send_to_data(c, in, send, e->client, e->leaving, shown, out);
	}
}

CORE_INLINE void count_cell(struct burst *b, uint32_t index, uint32_t octets)
{
	struct tp_cell *cell = &b->w->cells[index];

	tp_count(&cell->packets, 1);
	tp_count(&cell->octets, octets);
}

CORE_INLINE void count(struct burst *b, enum way way, const struct way_entries *e, uint32_t octets)
{
	bool channel_in = way == WAY_CHANNEL_TO_PEER || way == WAY_CHANNEL_TO_CHANNEL ||
			  way == WAY_CHANNEL_TO_DATA;
	bool channel_out = way == WAY_PEER_TO_CHANNEL || way == WAY_CHANNEL_TO_CHANNEL ||
			   way == WAY_SEND_TO_CHANNEL;

	if (way != WAY_PEER_TO_CHANNEL && way != WAY_PEER_TO_DATA) {
		count_cell(b, e->sent_index, octets);
		burst_count(b, channel_in ? TP_PATH_channel_to_peer : TP_PATH_send_to_peer, octets);
	}
	if (way != WAY_CHANNEL_TO_PEER && way != WAY_SEND_TO_PEER) {
		count_cell(b, e->leaving_index, octets);
		burst_count(
			b, channel_out ? TP_PATH_peer_to_channel : TP_PATH_peer_to_data, octets);
	}
	if (way >= WAY_CHANNEL_TO_CHANNEL)
		burst_count(b, TP_PATH_hairpin, octets);
}

CORE_INLINE void forward_between(struct burst *b, struct item *it, enum way way,
	const struct way_entries *e, bool v4, unsigned ip_len)
{
	struct stage_worker *w = b->w;
	struct stage_pkt *pkt = it->pkt;
	const struct stage_port *to;
	struct core_packet in;
	struct core_out out;
	uint64_t hop = 0;
	enum tp_drop why;
	uint8_t port = 0;

	why = next_hop_resolve(
		w, atomic_load_explicit(&e->leaving->next_hop, memory_order_relaxed), &hop, &port);
	if (STAGE_UNLIKELY(why != TP_DROP_none)) {
		item_drop(b, it, why);
		return;
	}
	if (STAGE_UNLIKELY(ip_len == 0)) {
		item_drop(b, it, TP_DROP_table_corrupt);
		return;
	}
	to = &w->ports[port];
	core_plain_read(&in, pkt->data, v4);
	in.low = pkt->data - pkt->headroom;
	in.high = pkt->data + pkt->len + pkt->tailroom;
	out.ip_len = ip_len;
	out.max_len = to->mtu;
	why = rewrite(b, it, way, &in, e, &out);
	if (STAGE_UNLIKELY(why != TP_DROP_none)) {
		item_drop(b, it, why);
		return;
	}
	ethernet_write(out.ip - CORE_ETH_LEN, out.ip_len == CORE_IPV4_HEADER_LEN, hop, to);
	send_out(it, &in, &out, port);
	count(b, way, e, out.payload_len);
}

CORE_INLINE void forward(
	struct burst *b, struct item *it, enum way way, const struct way_entries *e)
{
	bool channel = way == WAY_PEER_TO_CHANNEL || way == WAY_CHANNEL_TO_CHANNEL ||
		       way == WAY_SEND_TO_CHANNEL;
	unsigned ip_len = core_header_ip_len(e->leaving, channel ? TP_CHANNEL_HEADER_LEN : 0);

	forward_between(b, it, way, e, it->v4, ip_len);
}

// With IPv4 to IPv4 a case of its own.
CORE_INLINE void forward_plainly(
	struct burst *b, struct item *it, enum way way, const struct way_entries *e)
{
	unsigned ip_len = core_header_ip_len(e->leaving, 0);

	if (STAGE_LIKELY(it->v4 && ip_len == CORE_IPV4_HEADER_LEN))
		forward_between(b, it, way, e, true, CORE_IPV4_HEADER_LEN);
	else
		forward_between(b, it, way, e, it->v4, ip_len);
}
