// SPDX-License-Identifier: BSD-3-Clause
// The general way from a frame to its first question or its verdict: every frame may go it.
#include "item.h"

static bool has_twin(const struct burst *b, const struct item *it)
{
	return it->pkt->rx_port < b->w->n_ports &&
	       b->w->ports[it->pkt->rx_port].kernel == STAGE_KERNEL_TWIN;
}

// IEEE 802.1Q and 802.1ad.
static bool is_tagged(const struct stage_pkt *pkt)
{
	uint16_t type = pkt->len < 14 ? 0 : tp_load_be16(pkt->data + 12);

	return type == 0x8100 || type == 0x88a8;
}

static void item_kernel(struct burst *b, struct item *it)
{
	if (it->pkt->rx_port < b->w->n_ports &&
		b->w->ports[it->pkt->rx_port].kernel == STAGE_KERNEL_NONE) {
		item_drop(b, it, is_tagged(it->pkt) ? TP_DROP_vlan_tag : TP_DROP_not_ours);
		return;
	}
	it->pkt->verdict = STAGE_KERNEL;
	burst_count(b, TP_PATH_to_kernel, it->pkt->len);
}

static bool mac_is_ours(const struct stage_worker *w, const struct stage_pkt *pkt)
{
	return pkt->rx_port < w->n_ports && stage_mac_is_ours(&w->ports[pkt->rx_port], pkt->data);
}

static void key_from_source(
	struct item *it, const struct arrival *from, uint64_t kind, uint64_t selector)
{
	item_key_set(it, from->src.word[0], from->src.word[1],
		key_tail(from->src_port_be, from->local_id, selector, kind, from->family));
}

static void message_send(
	struct burst *b, struct item *it, const struct core_packet *in, const struct arrival *from)
{
	enum tp_drop why = core_send_parse(
		core_packet_payload(in), core_packet_payload_len(in), &item_more(b, it)->send);

	if (why != TP_DROP_none) {
		item_drop(b, it, why);
		return;
	}
	it->take = TAKE_SEND;
	key_from_source(it, from, TP_KIND_ALLOCATION, 0);
	item_ask(b, it, STEP_CLIENT);
}

// Requests end here, so their checksum must be right before anything believes them.
static void message_request(struct burst *b, struct item *it, const struct core_packet *in,
	const struct arrival *from, bool binding)
{
	const uint8_t *msg = core_packet_payload(in);
	size_t len = core_packet_payload_len(in);
	bool has_fingerprint;

	if (!core_packet_csum_right(in)) {
		item_drop(b, it, TP_DROP_bad_udp_checksum);
		return;
	}
	if (binding) {
		switch (core_binding_parse(msg, len, &has_fingerprint)) {
		case CORE_BINDING_DROP:
			item_drop(b, it, TP_DROP_bad_stun);
			return;
		case CORE_BINDING_ANSWER:
			if (b->locals->path.secure_stun == 0) {
				item_answer(b, it, in, has_fingerprint);
				return;
			}
			break;
		case CORE_BINDING_PUNT:
			break;
		}
	}
	it->take = TAKE_REQUEST;
	key_from_source(it, from, TP_KIND_ALLOCATION, 0);
	item_ask(b, it, STEP_CLIENT);
}

void item_message(struct burst *b, struct item *it)
{
	struct stage_pkt *pkt = it->pkt;
	const uint8_t *msg;
	size_t len;
	struct core_packet in;
	struct arrival from = {.local_id = it->local_id};
	enum tp_drop why = TP_DROP_none;

	core_plain_read(&in, pkt->data, it->v4);
	in.low = pkt->data - pkt->headroom;
	in.high = pkt->data + pkt->len + pkt->tailroom;
	msg = core_packet_payload(&in);
	len = core_packet_payload_len(&in);
	from.src = local_ip_of(in.src_ip, in.family);
	from.src_port_be = in.ports.src_be;
	from.family = in.family;
	switch (core_message_kind(msg, len, b->locals->path.channel_max, &why)) {
	case CORE_MESSAGE_CHANNEL:
		it->take = TAKE_CHANNEL;
		key_from_source(it, &from, TP_KIND_CHANNEL, tp_load_be16(msg));
		item_ask(b, it, STEP_CHANNEL);
		break;
	case CORE_MESSAGE_SEND:
		message_send(b, it, &in, &from);
		break;
	case CORE_MESSAGE_BINDING:
		message_request(b, it, &in, &from, true);
		break;
	case CORE_MESSAGE_STUN:
		message_request(b, it, &in, &from, false);
		break;
	case CORE_MESSAGE_DROP:
		item_drop(b, it, why);
		break;
	}
}

// True: goes on.
static bool source_right(
	struct burst *b, struct item *it, const struct core_packet *in, const struct arrival *from)
{
	if (in->fault != TP_DROP_none)
		item_drop(b, it, in->fault);
	else if (core_source_bad(in->family, in->src_ip) || from->src_port_be == 0)
		item_drop(b, it, TP_DROP_bad_source);
	else if (locals_ip_find(b->locals, &from->src, in->family) != 0)
		item_drop(b, it, TP_DROP_own_source);
	else
		return true;
	return false;
}

// What is ours by address but not by port is the kernel's, malformed or not.
static void classify_udp(
	struct burst *b, struct item *it, const struct core_packet *in, const struct own_ip *own)
{
	struct arrival from = {.src_port_be = in->ports.src_be, .family = in->family};
	bool listener;

	if (!in->has_ports) {
		item_drop(b, it, in->fault);
		return;
	}
	from.src = local_ip_of(in->src_ip, in->family);
	from.local_id = locals_role_find(b->locals, own, in->ports.dst_be, &listener);
	if (from.local_id == 0) {
		item_kernel(b, it);
		return;
	}
	if (!source_right(b, it, in, &from))
		return;
	it->v4 = in->family == TP_FAMILY_IPV4;
	it->exact4 = false;
	it->hairpin = false;
	it->local_id = (uint16_t)from.local_id;
	it->port_be = in->ports.dst_be;
	if (listener) {
		item_message(b, it);
		return;
	}
	it->take = TAKE_DATAGRAM;
	key_from_source(it, &from, TP_KIND_PEER, in->ports.dst_be);
	item_ask(b, it, STEP_PEER);
}

static void classify_icmp(struct burst *b, struct item *it, const struct core_packet *in)
{
	const struct stage_locals *l = b->locals;
	struct tp_addr quoted;
	struct local_ip ip;
	unsigned own;
	bool listener;

	if (core_icmp_quoted_source(in, &quoted)) {
		ip = local_ip_of(quoted.ip, quoted.family);
		own = locals_ip_find(l, &ip, quoted.family);
		if (own != 0 && locals_role_find(l, &l->ips[own], quoted.port_be, &listener) != 0) {
			item_drop(b, it, TP_DROP_icmp);
			return;
		}
	}
	item_kernel(b, it);
}

// Own address a packet arrived at, or NULL when it is not for us.
static const struct own_ip *own_arrived(const struct burst *b, const struct core_packet *in)
{
	struct local_ip dst = local_ip_of(in->dst_ip, in->family);
	const struct own_ip *own = &b->locals->ips[locals_ip_find(b->locals, &dst, in->family)];

	return own->arrives ? own : NULL;
}

void item_classify(struct burst *b, struct item *it)
{
	const struct stage_pkt *pkt = it->pkt;
	const struct own_ip *own;
	struct core_packet in;

	in.low = pkt->data - pkt->headroom;
	in.high = pkt->data + pkt->len + pkt->tailroom;
	core_parse(&in, pkt->data, pkt->len);
	if (in.kind == CORE_BROKEN) {
		item_drop(b, it, in.fault);
	} else if (in.kind == CORE_OTHER || !mac_is_ours(b->w, pkt)) {
		item_kernel(b, it);
	} else if (b->locals == NULL) {
		// A twin's kernel has the guard before its sockets: it may see what would be ours.
		if (in.kind == CORE_ICMP || has_twin(b, it))
			item_kernel(b, it);
		else
			item_drop(b, it, TP_DROP_not_ready);
	} else if ((own = own_arrived(b, &in)) == NULL) {
		item_kernel(b, it);
	} else if (in.kind == CORE_UDP) {
		classify_udp(b, it, &in, own);
	} else if (in.kind == CORE_FRAGMENT) {
		item_drop(b, it, TP_DROP_fragment);
	} else {
		classify_icmp(b, it, &in);
	}
}
