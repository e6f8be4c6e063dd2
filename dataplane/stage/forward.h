// SPDX-License-Identifier: BSD-3-Clause
// The way out of the slow path: rewrites a packet whose entries are known, gives it its Ethernet
// header and counts it. The pieces that the fast path and inject share are here, too.
#pragma once

#include "burst.h"

enum direction {
	DIR_CHANNEL_TO_PEER,
	DIR_SEND_TO_PEER,
	DIR_PEER_TO_CHANNEL,
	DIR_PEER_TO_DATA,
	// Hairpins.
	DIR_CHANNEL_TO_CHANNEL,
	DIR_CHANNEL_TO_DATA,
	DIR_SEND_TO_CHANNEL,
	DIR_SEND_TO_DATA,
};

// The entries that a direction has.
struct direction_entries {
	// The outgoing headers come from this one.
	const struct tp_entry *leaving;
	// The sender's CHANNEL or PERMISSION, and its ALLOCATION.
	const struct tp_entry *sent_by;
	const struct tp_entry *client;
	// The receiver's PEER or PERMISSION.
	const struct tp_entry *received_by;
	uint32_t leaving_index;
	uint32_t sent_index;
};

static inline bool direction_to_channel(enum direction dir)
{
	return dir == DIR_PEER_TO_CHANNEL || dir == DIR_CHANNEL_TO_CHANNEL ||
	       dir == DIR_SEND_TO_CHANNEL;
}

// Counts a packet that was forwarded. <forward.c>
void count_direction(
	struct burst *b, enum direction dir, const struct direction_entries *e, uint32_t bytes);

// Takes the tokens of a packet with `bytes` of data from the buckets of the allocations it passes
// through (tp_entry.limit, 0: none), or returns the reason why it must not. `ip`: the header that
// leaves, to be marked CE when a bucket runs low; NULL: there is none. <cap.c>
enum tp_drop cap_bill(struct burst *b, const uint32_t limits[2], uint32_t bytes, uint8_t *ip);

// Bytes of a channel's or a Data indication's header that go in front of the packet's data.
// <too_big.c>
unsigned pkt_front(
	struct burst *b, const struct pkt_ctx *p, enum direction dir, const struct core_packet *in);

// Tells the packet's sender how long it may be; `out`: the header and the length of the way that it
// does not fit. False: the sender cannot be told, or was told often enough. <too_big.c>
bool pkt_too_big(struct burst *b, struct pkt_ctx *p, enum direction dir,
	const struct core_packet *in, const struct core_out *out);

// Whether the leg that a packet of `len` bytes leaves by seems to swallow such. `d`: its data.
// <hole.c>
bool hole_suspected(struct burst *b, const struct direction_entries *e, enum direction dir,
	const struct core_payload *d, uint32_t len);
// Tells the control process so.
void hole_report(struct burst *b, const struct direction_entries *e);

// The entry's limit; 0: none.
static inline uint32_t entry_limit(const struct tp_entry *e)
{
	return (atomic_load_explicit(&e->flags, memory_order_relaxed) & TP_ENTRY_LIMITED) != 0
		       ? atomic_load_explicit(&e->limit, memory_order_relaxed)
		       : 0;
}

static inline enum tp_drop cap_take(struct burst *b, enum direction dir,
	const struct direction_entries *e, uint32_t bytes, uint8_t *ip)
{
	bool from_client = dir != DIR_PEER_TO_CHANNEL && dir != DIR_PEER_TO_DATA;
	bool to_client = dir != DIR_CHANNEL_TO_PEER && dir != DIR_SEND_TO_PEER;
	uint32_t limits[2] = {0, 0};

	if (from_client)
		limits[0] = entry_limit(e->sent_by);
	if (to_client)
		limits[1] = entry_limit(e->leaving);
	return STAGE_LIKELY((limits[0] | limits[1]) == 0) ? TP_DROP_none
							  : cap_bill(b, limits, bytes, ip);
}

// Forwards or drops the packet. <forward.c>
void forward(
	struct burst *b, struct pkt_ctx *p, enum direction dir, const struct direction_entries *e);

// The same to a peer on this host: the kernel's loopback is the way. <forward.c>
void forward_local(
	struct burst *b, struct pkt_ctx *p, enum direction dir, const struct direction_entries *e);

// The packet leaves as `out`.
static inline void send_out(
	struct pkt_ctx *p, const struct core_packet *in, const struct core_out *out, uint8_t port)
{
	struct stage_pkt *pkt = p->pkt;
	uint8_t *data = out->ip - WIRE_ETH_LEN;
	uint32_t len = out->len + WIRE_ETH_LEN;

	pkt->data = data;
	pkt->len = (uint16_t)len;
	pkt->headroom = (uint16_t)(data - in->low);
	pkt->tailroom = (uint16_t)(in->high - data - len);
	pkt->tx_port = port;
	pkt->verdict = out->len <= out->max_len ? STAGE_SEND : STAGE_CUT;
	pkt->mtu = (uint16_t)out->max_len;
}

// The longest IP packet that leaves by the entry and a port of that MTU.
static inline uint32_t leg_mtu(const struct tp_entry *e, uint32_t port_mtu)
{
	uint32_t mtu = atomic_load_explicit(&e->path_mtu, memory_order_relaxed);

	if (mtu != 0 && mtu < CORE_LEG_MIN_IPV4)
		mtu = CORE_LEG_MIN_IPV4;
	return mtu == 0 || mtu > port_mtu ? port_mtu : mtu;
}

// Destination MAC and port behind a next-hop slot: none, no_route or no_next_hop.
static inline enum tp_drop next_hop_resolve(
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

static inline void count_cell(struct tp_cell *cells, uint32_t index, uint32_t bytes)
{
	tp_count(&cells[index].packets, 1);
	tp_count(&cells[index].octets, bytes);
}
