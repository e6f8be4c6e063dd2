// SPDX-License-Identifier: BSD-3-Clause
// Peers on this host's own addresses that the configuration lists: their packets go to the kernel
// instead of a port, and come back from it. A peer behind 1:1 NAT is known to clients by its public
// address; the kernel knows the other one.
#include "forward.h"

static bool is_listed(const struct stage_worker *w, const struct tp_addr *ip, uint16_t port_be)
{
	uint16_t port = tp_ntohs(port_be);

	for (unsigned i = 0; i < w->n_local_peers; i++) {
		const struct stage_local_peer *l = &w->local_peers[i];

		if (tp_addr_same_ip(&l->ip, ip) && port >= l->port_min && port <= l->port_max)
			return true;
	}
	return false;
}

// Puts another address into a packet, source or destination, and mends its checksums.
static void address_put(uint8_t *ip, bool source, const struct tp_addr *now)
{
	bool v4 = now->family == TP_FAMILY_IPV4;
	uint8_t *at = ip + (v4 ? (source ? 12 : 16) : (source ? 8 : 24));
	unsigned header = v4 ? (ip[0] & 15u) * 4 : WIRE_IPV6_HEADER_LEN, len = v4 ? 4 : 16;
	uint8_t *sums[] = {ip + header + WIRE_UDP_CSUM, v4 ? ip + WIRE_IPV4_CSUM : NULL};

	for (unsigned s = 0; s < 2 && sums[s] != NULL; s++) {
		uint32_t sum = (uint16_t)~tp_load_be16(sums[s]);

		if (s == 0 && tp_load_be16(sums[s]) == 0)
			continue; // none
		for (unsigned i = 0; i < len; i += 2)
			sum += (uint16_t)~tp_load_be16(at + i) + tp_load_be16(now->ip + i);
		while (sum > 0xffff)
			sum = (sum & 0xffff) + (sum >> 16);
		sum ^= 0xffff;
		tp_store_be16(sums[s], s == 0 && sum == 0 ? 0xffff : (uint16_t)sum);
	}
	memcpy(at, now->ip, len);
}

// ---- to the peer ------------------------------------------------------------------------------

static struct tp_addr peer_of(struct burst *b, const struct pkt_ctx *p, const struct tp_entry *e)
{
	struct tp_addr a = {.family = TP_FAMILY_IPV4};

	if (e->header[0] >> 4 == 6) {
		a.family = TP_FAMILY_IPV6;
		memcpy(a.ip, e->header + WIRE_IPV6_DST, 16);
		memcpy(&a.port_be, e->header + WIRE_IPV6_HEADER_LEN + WIRE_UDP_DPORT, 2);
	} else {
		memcpy(a.ip, e->header + WIRE_IPV4_DST, 4);
		memcpy(&a.port_be, e->header + WIRE_IPV4_HEADER_LEN + WIRE_UDP_DPORT, 2);
	}
	if (p->form == FORM_SEND)
		a.port_be = pkt_cold(b, p)->send.peer.port_be;
	return a;
}

void local_send(struct burst *b, struct pkt_ctx *p)
{
	const struct tp_entry *e = entry_at(b, p->sent_by);
	const struct local_record *relay = locals_relay(b->locals, e->hairpin_relay_id);
	struct tp_addr peer = peer_of(b, p, e), inside = peer;
	const struct direction_entries entries = {
		.leaving = e,
		.sent_by = e,
		.client = entry_at(b, p->client),
		.leaving_index = p->sent_by,
		.sent_index = p->sent_by,
	};

	if (relay != NULL && tp_addr_same_ip(&relay->external, &peer))
		inside = relay->addr;
	if (!is_listed(b->w, &inside, peer.port_be)) {
		pkt_drop(b, p, TP_DROP_own_address);
		return;
	}
	forward_local(
		b, p, p->form == FORM_SEND ? DIR_SEND_TO_PEER : DIR_CHANNEL_TO_PEER, &entries);
	if (p->pkt->verdict == STAGE_LOCAL && !tp_addr_same_ip(&inside, &peer))
		address_put(p->pkt->data + WIRE_ETH_LEN, false, &inside);
}

// ---- from the peer ----------------------------------------------------------------------------

// The public address of one of ours.
static const struct tp_addr *outside_of(const struct stage_locals *l, const struct core_packet *in)
{
	struct local_ip src = local_ip_of(in->src_ip, in->family);
	const struct own_ip *own = &l->ips[locals_ip_find(l, &src, in->family)];
	const struct local_record *relay = locals_relay(l, own->relay_id);

	return relay == NULL || tp_addr_same_ip(&relay->addr, &relay->external) ? NULL
										: &relay->external;
}

void local_classify(struct burst *b, struct stage_pkt *pkt)
{
	struct pkt_ctx *p = &b->ctx[pkt_number(b, pkt)];
	struct tp_addr src = {0};
	const struct tp_addr *outside;
	struct core_packet in;

	p->pkt = pkt;
	p->message = NULL;
	in.low = pkt->data - pkt->headroom;
	in.high = pkt->data + pkt->len + pkt->tailroom;
	core_parse(&in, pkt->data, pkt->len);
	if (b->locals == NULL) {
		pkt_drop(b, p, TP_DROP_not_ready);
		return;
	}
	if (in.kind != CORE_UDP || in.fault != TP_DROP_none || !in.has_ports) {
		pkt_drop(b, p, in.fault != TP_DROP_none ? in.fault : TP_DROP_not_ours);
		return;
	}
	src.family = in.family;
	memcpy(src.ip, in.src_ip, tp_family_ip_len(in.family));
	if (!is_listed(b->w, &src, in.ports.src_be)) {
		pkt_drop(b, p, TP_DROP_own_source);
		return;
	}
	outside = outside_of(b->locals, &in);
	if (outside != NULL) {
		address_put(pkt->data + WIRE_ETH_LEN, true, outside);
		core_parse(&in, pkt->data, pkt->len);
	}
	peer_classify(b, p, &in);
}
