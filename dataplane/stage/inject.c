// SPDX-License-Identifier: BSD-3-Clause
#include "stream.h"

// Headers of the longest kind: Ethernet, IPv6, UDP.
#define FRONT 62u

unsigned stage_inject_pending(const struct stage_worker *w)
{
	uint32_t waiting;

	if (w->inject.slots == NULL)
		return 0;
	waiting = atomic_load_explicit(w->inject.head, memory_order_acquire) -
		  atomic_load_explicit(w->inject.tail, memory_order_relaxed);
	return waiting > TP_RING_SLOTS ? TP_RING_SLOTS : waiting;
}

// A copy out of the ring, so that it cannot change under the checks.
struct message {
	struct tp_addr remote;
	uint64_t connection;
	uint32_t egress;
	uint16_t len;
	uint16_t local_id;
};

// The listener the message may leave by, or NULL: nothing else may be a source, and no own address
// a destination.
static const struct local_record *listener_for(
	const struct stage_locals *l, const struct message *m)
{
	const struct local_record *from = l == NULL ? NULL : locals_listener(l, m->local_id);
	struct local_ip ip;

	if (from == NULL || m->len == 0 || m->len > TP_RING_DATA_MAX ||
		m->remote.family != from->addr.family || m->remote.port_be == 0)
		return NULL;
	if (tp_transport_is_stream(from->transport))
		return from;
	if (core_source_bad(m->remote.family, m->remote.ip))
		return NULL;
	ip = local_ip_of(m->remote.ip, m->remote.family);
	return locals_ip_find(l, &ip, m->remote.family) == 0 ? from : NULL;
}

static void count_inject(struct stage_worker *w, uint32_t len)
{
	tp_count(&w->stats->path_packets[TP_PATH_inject], 1);
	tp_count(&w->stats->path_octets[TP_PATH_inject], len);
}

// A message for a stream client.
static enum tp_drop inject_message(struct stage_worker *w, const struct tp_ring_slot *slot,
	const struct message *m, struct stage_pkt *pkt)
{
	if (!tp_connection_valid(m->connection) || pkt->tailroom < m->len)
		return tp_connection_valid(m->connection) ? TP_DROP_no_memory
							  : TP_DROP_stale_connection;
	if (!stream_put(w, pkt, m->connection, &m->remote))
		return TP_DROP_edge_full;
	memcpy(pkt->data, slot->data, m->len);
	pkt->len = m->len;
	pkt->tailroom = (uint16_t)(pkt->tailroom - m->len);
	count_inject(w, m->len);
	return TP_DROP_none;
}

static enum tp_drop inject_one(
	struct stage_worker *w, const struct tp_ring_slot *slot, struct stage_pkt *pkt)
{
	struct message m = {.remote = slot->remote,
		.connection = slot->connection,
		.egress = slot->egress,
		.len = slot->len,
		.local_id = slot->local_id};
	const struct local_record *from;
	enum tp_drop why;
	struct core_out out;
	uint8_t *start = pkt->data;
	uint64_t hop = 0;
	uint8_t port = 0;

	// The checks below must see the copy: the compiler may not read the slot again.
	atomic_signal_fence(memory_order_seq_cst);
	from = listener_for(w->locals, &m);
	if (from == NULL)
		return TP_DROP_inject_bad;
	if (tp_transport_is_stream(from->transport))
		return inject_message(w, slot, &m, pkt);
	why = next_hop_resolve(w, m.egress, &hop, &port);
	if (why != TP_DROP_none)
		return why;
	if (pkt->tailroom < FRONT + m.len)
		return TP_DROP_no_memory;
	memcpy(start + FRONT, slot->data, m.len);
	core_datagram_write(&w->context, start + FRONT, m.len, &from->addr, &m.remote, &out);
	core_ethernet_write(
		out.ip - WIRE_ETH_LEN, out.ip_len == WIRE_IPV4_HEADER_LEN, hop, w->ports[port].mac);
	pkt->data = out.ip - WIRE_ETH_LEN;
	pkt->len = (uint16_t)(out.len + WIRE_ETH_LEN);
	pkt->headroom = (uint16_t)(pkt->headroom + (pkt->data - start));
	pkt->tailroom = (uint16_t)(pkt->tailroom - (pkt->data - start) - pkt->len);
	pkt->verdict = out.len <= w->ports[port].mtu ? STAGE_SEND : STAGE_CUT;
	pkt->mtu = w->ports[port].mtu;
	pkt->tx_port = port;
	count_inject(w, m.len);
	return TP_DROP_none;
}

unsigned stage_inject(struct stage_worker *w, struct stage_pkt *pkts, unsigned n)
{
	unsigned made = 0;

	if (w->inject.slots == NULL)
		return 0;
	// At most one ring's worth: a producer that never stops must not hold the worker.
	for (unsigned taken = 0; made < n && taken < TP_RING_SLOTS; taken++) {
		const struct tp_ring_slot *slot = tp_ring_peek(&w->inject);
		enum tp_drop why;

		if (slot == NULL)
			break;
		why = inject_one(w, slot, &pkts[made]);
		tp_ring_release(&w->inject);
		if (why == TP_DROP_none)
			made++;
		else
			stage_drop_count(w, why, 1);
	}
	return made;
}
