// SPDX-License-Identifier: BSD-3-Clause
#include "forward.h"

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

// What was copied out of the ring, so that it can't change under the checks.
struct message {
	struct tp_addr remote;
	uint32_t next_hop;
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
		m->remote.family != from->addr.family || m->remote.port_be == 0 ||
		core_source_bad(m->remote.family, m->remote.ip))
		return NULL;
	ip = local_ip_of(m->remote.ip, m->remote.family);
	return locals_ip_find(l, &ip, m->remote.family) == 0 ? from : NULL;
}

static enum tp_drop inject_one(
	struct stage_worker *w, const struct tp_ring_slot *slot, struct stage_pkt *pkt)
{
	struct message m = {.remote = slot->remote,
		.next_hop = slot->next_hop,
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
	why = next_hop_resolve(w, m.next_hop, &hop, &port);
	if (why != TP_DROP_none)
		return why;
	if (pkt->tailroom < FRONT + m.len)
		return TP_DROP_no_memory;
	memcpy(start + FRONT, slot->data, m.len);
	core_datagram_write(&w->context, start + FRONT, m.len, &from->addr, &m.remote, &out);
	if (out.len > w->ports[port].mtu)
		return TP_DROP_too_big;
	ethernet_write(
		out.ip - CORE_ETH_LEN, out.ip_len == CORE_IPV4_HEADER_LEN, hop, &w->ports[port]);
	pkt->data = out.ip - 14;
	pkt->len = (uint16_t)(out.len + 14);
	pkt->headroom = (uint16_t)(pkt->headroom + (pkt->data - start));
	pkt->tailroom = (uint16_t)(pkt->tailroom - (pkt->data - start) - pkt->len);
	pkt->verdict = STAGE_SEND;
	pkt->tx_port = port;
	tp_count(&w->stats->path_packets[TP_PATH_inject], 1);
	tp_count(&w->stats->path_octets[TP_PATH_inject], m.len);
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
