// SPDX-License-Identifier: BSD-3-Clause
// The way out of the fast path: packets with one family at both ends and nothing unusual about
// them, which share with their neighbours the next hop. Functions return false before they have
// done anything to a packet.
#pragma once

#include "forward.h"

#include "sent.h"

#include <core/indication.h>

#if STAGE_HAS_FAST

// Copies of the burst's values, so that no store to a packet makes them be loaded again.
struct fast_tx {
	const struct tp_entry *entries;
	struct tp_cell *cells;
	const struct stage_pkt *pkts;
	const uint64_t *recent; // of stage_sent
	struct core_context context;
	uint32_t now_s;
	// Forwarded so far.
	uint32_t packets;
	uint64_t bytes;
	// The next hop of the packet before.
	uint64_t slot; // FAST_TX_NO_HOP: none, which no entry can name
	// Longest frame that is sent without a look at the entry's path MTU, and the port's
	// longest.
	uint32_t max_len;
	uint32_t port_len;
	uint32_t watch_len; // longest frame that cannot vanish by its length
	// The relays of the hairpin before: the sender's, as others know it, and the other end's.
	const struct local_record *from;
	uint32_t from_id; // FAST_TX_NO_RELAY: none, which no entry can name
	uint32_t to_id;
	uint16_t sent; // verdict and port of a packet
	// Ethernet header of a packet of this family, and two bytes.
	bool v4;
	uint8_t eth[16] TP_ALIGNED(16);
};

#define FAST_TX_NO_HOP	 UINT64_MAX
#define FAST_TX_NO_RELAY UINT32_MAX

CORE_INLINE void fast_tx_begin(struct fast_tx *t, const struct burst *b, bool v4)
{
	t->v4 = v4;
	t->entries = b->w->table.entries;
	t->cells = b->w->cells;
	t->pkts = b->pkts;
	t->recent = b->w->sent.recent;
	t->context = b->context;
	t->now_s = b->now_s;
	t->watch_len = b->locals->path.black_holes == TP_BLACK_HOLES_HEALED
			       ? CORE_HOLE_MTU + WIRE_ETH_LEN
			       : UINT32_MAX;
	t->packets = 0;
	t->bytes = 0;
	t->slot = FAST_TX_NO_HOP;
	t->from_id = FAST_TX_NO_RELAY;
}

// False: there is no next hop.
static inline bool fast_tx_set_hop(struct fast_tx *t, const struct stage_worker *w, uint32_t slot)
{
	const uint8_t verdict = STAGE_SEND;
	uint32_t any_len = any_leg_len(t->entries) + WIRE_ETH_LEN;
	uint64_t word;
	uint8_t port;

	t->slot = FAST_TX_NO_HOP;
	if (next_hop_resolve(w, slot, &word, &port) != TP_DROP_none)
		return false;
	core_ethernet_write(t->eth, t->v4, word, w->ports[port].mac);
	memcpy(&t->sent, &verdict, 1);
	memcpy((uint8_t *)&t->sent + 1, &port, 1);
	t->port_len = w->ports[port].mtu + WIRE_ETH_LEN;
	t->max_len = t->port_len < any_len ? t->port_len : any_len;
	if (t->max_len > t->watch_len)
		t->max_len = t->watch_len;
	t->slot = slot;
	return true;
}

// False: one of both is no relay, or the sender's has another family.
static inline bool fast_tx_set_relays(
	struct fast_tx *t, const struct burst *b, const struct tp_entry *e)
{
	const struct local_record *from = locals_relay(b->locals, e->relay_id);

	if (from == NULL || from->external.family != (t->v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6) ||
		locals_relay(b->locals, e->hairpin_relay_id) == NULL)
		return false;
	t->from = from;
	t->from_id = e->relay_id;
	t->to_id = e->hairpin_relay_id;
	return true;
}

// Whether a frame longer than any path takes may leave by the entry.
CORE_INLINE bool fast_tx_long(const struct fast_tx *t, const struct tp_entry *e, uint32_t len)
{
	uint32_t mtu = atomic_load_explicit(&e->path_mtu, memory_order_relaxed);

	// Longer ones of an unknown path are watched: <hole.c>.
	return len <= t->port_len && len <= (mtu == 0 ? t->watch_len : mtu + WIRE_ETH_LEN);
}

// Whether packets of `len` bytes may leave by the entry's next hop, which is the last one then.
CORE_INLINE bool fast_tx_hop(
	struct fast_tx *t, const struct burst *b, const struct tp_entry *e, uint32_t len)
{
	uint32_t slot = atomic_load_explicit(&e->egress, memory_order_relaxed);

	return (STAGE_LIKELY(slot == t->slot) || fast_tx_set_hop(t, b->w, slot)) &&
	       (len <= t->max_len || fast_tx_long(t, e, len));
}

CORE_INLINE void fast_tx_count(struct fast_tx *t, uint32_t index, uint32_t bytes)
{
	count_cell(t->cells, index, bytes);
	t->packets++;
	t->bytes += bytes;
}

CORE_INLINE uint32_t fast_tx_number(const struct fast_tx *t, const struct stage_pkt *pkt)
{
	return (uint32_t)(pkt - t->pkts);
}

// The packet leaves as `frame`, and has grown by `front` bytes in front and `behind` at its end.
CORE_INLINE void fast_tx_sent(
	const struct fast_tx *t, struct stage_pkt *pkt, uint8_t *frame, int front, int behind)
{
	_Static_assert(
		offsetof(struct stage_pkt, tx_port) == offsetof(struct stage_pkt, verdict) + 1,
		"written at once");
	pkt->data = frame;
	pkt->len = (uint16_t)(pkt->len + front + behind);
	pkt->headroom = (uint16_t)(pkt->headroom - front);
	if (behind != 0)
		pkt->tailroom = (uint16_t)(pkt->tailroom - behind);
	memcpy(&pkt->verdict, &t->sent, sizeof(t->sent));
}

// Whether the entry's header is of the family, with `extra` bytes behind UDP, and nothing is
// unusual about it: no second 5-tuple, and no limit (<cap.c>).
CORE_INLINE bool fast_fits(const struct tp_entry *e, unsigned extra, bool v4)
{
	return v4 ? core_channel4_fits(e, extra) : core_channel6_fits(e, extra);
}

CORE_INLINE bool fast_simple(const uint8_t *frame, bool v4)
{
	return v4 ? core_channel4_simple(frame) : core_channel6_simple(frame);
}

// By the live CHANNEL, or the live PEER.
CORE_INLINE bool fast_channel(struct fast_tx *t, struct burst *b, const struct lookup *l,
	const struct tp_entry *e, bool to_peer, bool v4)
{
	const int front = to_peer ? -(int)TP_CHANNEL_HEADER_LEN : (int)TP_CHANNEL_HEADER_LEN;
	struct stage_pkt *pkt = l->pkt;
	uint8_t *frame = pkt->data;
	uint32_t len = pkt->len, data_len = len - core_plain_headers(v4);

	if (to_peer)
		data_len -= TP_CHANNEL_HEADER_LEN;
	if (STAGE_UNLIKELY(!fast_simple(frame, v4) ||
			   !fast_tx_hop(t, b, e, (uint32_t)((int)len + front)) ||
			   (!to_peer && pkt->headroom < TP_CHANNEL_HEADER_LEN)))
		return false;
	frame = v4 ? core_channel4_move(core_ip_id_at(&t->context, fast_tx_number(t, pkt)), frame,
			     e, to_peer, t->eth, data_len)
		   : core_channel6_move(frame, e, to_peer, t->eth, data_len);
	fast_tx_sent(t, pkt, frame, front, 0);
	fast_tx_count(t, l->found, data_len);
	return true;
}

// By the sender's CHANNEL and the receiver's live PEER, `e`.
CORE_INLINE bool fast_channel_to_channel(struct fast_tx *t, struct burst *b, const struct lookup *l,
	const struct tp_entry *e, bool v4)
{
	const struct tp_entry *channel = &t->entries[l->before];
	struct stage_pkt *pkt = l->pkt;
	uint8_t *frame = pkt->data;
	uint32_t data_len = pkt->len - core_plain_headers(v4) - TP_CHANNEL_HEADER_LEN;

	if (STAGE_UNLIKELY(!fast_simple(frame, v4) || !fast_tx_hop(t, b, e, pkt->len)))
		return false;
	if (v4)
		core_channel4_turn(core_ip_id_at(&t->context, fast_tx_number(t, pkt)), frame,
			channel, e, t->eth);
	else
		core_channel6_turn(frame, channel, e, t->eth);
	fast_tx_sent(t, pkt, frame, 0, 0);
	count_cell(t->cells, l->before, data_len);
	fast_tx_count(t, l->found, data_len);
	return true;
}

// Whether the allocation's first relayed transport address is this, and lives. `relay`: as in the
// entry.
CORE_INLINE bool fast_relayed(
	const struct fast_tx *t, const struct tp_entry *allocation, const void *relay)
{
	_Static_assert(sizeof(allocation->relay[0]) == sizeof(uint32_t), "compared at once");
	return entry_sum_4(&allocation->relay[0]) == entry_sum_4(relay) &&
	       !entry_expired(&allocation->expires_s, t->now_s);
}

// Whether the Send indication goes to a port that it may, nearly always one of those that were sent
// to a moment ago.
CORE_INLINE bool fast_sent_port_pass(
	const struct fast_tx *t, struct burst *b, uint32_t index, uint32_t port_be)
{
	return STAGE_LIKELY(t->recent[sent_slot(index, port_be)] == sent_word(index, port_be)) ||
	       sent_port_pass(b, index, (uint16_t)port_be);
}

// By the client's live PERMISSION for its peer, `e`.
CORE_INLINE bool fast_send_to_peer(struct fast_tx *t, struct burst *b, const struct lookup *l,
	const struct tp_entry *e, bool v4)
{
	const uint32_t front = core_indication_front(v4);
	const struct tp_entry *client = &t->entries[l->before];
	struct stage_pkt *pkt = l->pkt;
	uint8_t *frame = pkt->data;
	uint32_t len = pkt->len, left, data_len;

	if (STAGE_UNLIKELY(!fast_relayed(t, client, &e->relay_id) || !fast_simple(frame, v4)))
		return false;
	data_len = core_indication_data_len(frame + core_plain_headers(v4), v4);
	left = core_plain_headers(v4) + data_len;
	if (STAGE_UNLIKELY(!fast_tx_hop(t, b, e, left) ||
			   !fast_sent_port_pass(t, b, l->found,
				   core_indication_peer_port_be(frame + core_plain_headers(v4)))))
		return false;
	frame = core_indication_send_move(core_ip_id_at(&t->context, fast_tx_number(t, pkt)), frame,
		len, client, e, t->eth, data_len, v4);
	fast_tx_sent(t, pkt, frame, -(int)front, (int)(left + front - len));
	fast_tx_count(t, l->found, data_len);
	return true;
}

// By the allocation's live PERMISSION for the sender, `e`.
CORE_INLINE bool fast_peer_to_data(struct fast_tx *t, struct burst *b, const struct lookup *l,
	const struct tp_entry *e, bool v4)
{
	const uint32_t front = core_indication_front(v4);
	const struct tp_entry *allocation = &t->entries[l->before];
	struct stage_pkt *pkt = l->pkt;
	uint8_t *frame = pkt->data;
	uint32_t data_len = pkt->len - core_plain_headers(v4), pad = core_indication_pad(data_len);
	uint32_t left = pkt->len + front + pad;

	// Relay id and port are neighbours in a key, too.
	if (STAGE_UNLIKELY(
		    !fast_relayed(t, allocation,
			    (const uint8_t *)&l->arrived + offsetof(struct tp_key, local_id) -
				    offsetof(struct tp_key, port_be)) ||
		    allocation->key.kind != TP_KIND_ALLOCATION || !fast_fits(allocation, 0, v4) ||
		    !fast_simple(frame, v4) || !fast_tx_hop(t, b, allocation, left) ||
		    pkt->headroom < front || pkt->tailroom < pad))
		return false;
	frame = v4 ? core_indication_data_move4(&t->context, fast_tx_number(t, pkt), frame, e,
			     allocation, t->eth, data_len)
		   : core_indication_data_move6(&t->context, fast_tx_number(t, pkt), frame, e,
			     allocation, t->eth, data_len);
	fast_tx_sent(t, pkt, frame, (int)front, (int)pad);
	fast_tx_count(t, l->before, data_len);
	return true;
}
#endif
