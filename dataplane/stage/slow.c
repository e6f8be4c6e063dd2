// SPDX-License-Identifier: BSD-3-Clause
// Classify on the slow path: from any frame to its first look-up or its verdict.
#include "burst.h"

static bool has_twin(const struct burst *b, const struct pkt_ctx *p)
{
	return p->pkt->rx_port < b->w->n_ports &&
	       b->w->ports[p->pkt->rx_port].kernel == STAGE_KERNEL_TWIN;
}

// IEEE 802.1Q and 802.1ad.
static bool is_tagged(const struct stage_pkt *pkt)
{
	uint16_t type = pkt->len < 14 ? 0 : tp_load_be16(pkt->data + 12);

	return type == 0x8100 || type == 0x88a8;
}

static void pkt_kernel(struct burst *b, struct pkt_ctx *p)
{
	if (p->pkt->rx_port < b->w->n_ports &&
		b->w->ports[p->pkt->rx_port].kernel == STAGE_KERNEL_NONE) {
		pkt_drop(b, p, is_tagged(p->pkt) ? TP_DROP_vlan_tag : TP_DROP_not_ours);
		return;
	}
	p->pkt->verdict = STAGE_KERNEL;
	burst_count(b, TP_PATH_to_kernel, p->pkt->len);
}

static bool mac_is_ours(const struct stage_worker *w, const struct stage_pkt *pkt)
{
	return pkt->rx_port < w->n_ports && stage_mac_is_ours(&w->ports[pkt->rx_port], pkt->data);
}

// Where a packet came from and arrived. Whole words, for the compiler's sake: one stored narrow and
// read back wide stalls.
struct arrival {
	struct local_ip src;
	uint64_t src_port_be;
	uint64_t local_id;
	uint64_t family;
};

static void key_from_source(
	struct pkt_ctx *p, const struct arrival *from, uint64_t kind, uint64_t selector)
{
	uint64_t tail = key_tail(from->src_port_be, from->local_id, selector, kind, from->family);
	uint8_t *key = (uint8_t *)&p->lookup.key;

	memcpy(key, from->src.word, sizeof(from->src.word));
	memcpy(key + sizeof(from->src.word), &tail, sizeof(tail));
}

static void message_send(struct burst *b, struct pkt_ctx *p, const struct core_packet *in,
	const struct arrival *from)
{
	enum tp_drop why = core_send_parse(
		core_packet_payload(in), core_packet_payload_len(in), &pkt_cold(b, p)->send);

	if (why != TP_DROP_none) {
		pkt_drop(b, p, why);
		return;
	}
	p->form = FORM_SEND;
	key_from_source(p, from, TP_KIND_ALLOCATION, 0);
	lookup_enqueue(b, p, STEP_CLIENT);
}

// Requests end here, so their checksum must be right before anything believes them.
static void message_request(struct burst *b, struct pkt_ctx *p, const struct core_packet *in,
	const struct arrival *from, bool binding)
{
	const uint8_t *msg = core_packet_payload(in);
	size_t len = core_packet_payload_len(in);
	struct core_request r = {0};
	bool has_fingerprint;

	if (p->message == NULL && !core_packet_csum_right(in)) {
		pkt_drop(b, p, TP_DROP_bad_udp_checksum);
		return;
	}
	if (binding && b->locals->path.secure_stun == 0 && b->locals->path.nat_discovery == 0) {
		switch (core_binding_parse(msg, len, &has_fingerprint)) {
		case CORE_BINDING_DROP:
			pkt_drop(b, p, TP_DROP_bad_stun);
			return;
		case CORE_BINDING_ANSWER:
			pkt_answer(b, p, in, has_fingerprint);
			return;
		case CORE_BINDING_PUNT:
			break;
		}
	} else if (!core_request_parse(msg, len, &r)) {
		pkt_drop(b, p, TP_DROP_bad_stun);
		return;
	} else if (pkt_challenge(b, p, in, &r)) {
		return;
	}
	p->form = FORM_REQUEST;
	p->is_signed = r.has_integrity;
	key_from_source(p, from, TP_KIND_ALLOCATION, 0);
	lookup_enqueue(b, p, STEP_CLIENT);
}

void pkt_message(struct burst *b, struct pkt_ctx *p)
{
	const uint8_t *msg;
	size_t len;
	struct core_packet in;
	struct arrival from = {.local_id = p->local_id};
	enum tp_drop why = TP_DROP_none;

	pkt_read(p, &in);
	msg = core_packet_payload(&in);
	len = core_packet_payload_len(&in);
	from.src = local_ip_of(in.src_ip, in.family);
	from.src_port_be = in.ports.src_be;
	from.family = in.family;
	switch (core_message_kind(msg, len, b->locals->path.channel_max, &why)) {
	case CORE_MESSAGE_CHANNEL:
		p->form = FORM_CHANNEL;
		key_from_source(p, &from, TP_KIND_CHANNEL, tp_load_be16(msg));
		lookup_enqueue(b, p, STEP_CHANNEL);
		break;
	case CORE_MESSAGE_SEND:
		message_send(b, p, &in, &from);
		break;
	case CORE_MESSAGE_BINDING:
		message_request(b, p, &in, &from, true);
		break;
	case CORE_MESSAGE_CLASSIC:
		pkt_classic(b, p, &in);
		break;
	case CORE_MESSAGE_STUN:
		message_request(b, p, &in, &from, false);
		break;
	case CORE_MESSAGE_DROP:
		pkt_drop(b, p, why);
		break;
	}
}

// True: goes on.
static bool source_right(struct burst *b, struct pkt_ctx *p, const struct core_packet *in,
	const struct arrival *from)
{
	if (in->fault != TP_DROP_none)
		pkt_drop(b, p, in->fault);
	else if (core_source_bad(in->family, in->src_ip) || from->src_port_be == 0)
		pkt_drop(b, p, TP_DROP_bad_source);
	else if (locals_ip_find(b->locals, &from->src, in->family) != 0)
		pkt_drop(b, p, TP_DROP_own_source);
	else
		return true;
	return false;
}

// Takes the fragment header out of an atomic fragment, so that it is a plain packet from here on.
static void fragment_header_remove(struct stage_pkt *pkt, struct core_packet *in)
{
	uint8_t *ip = pkt->data + WIRE_ETH_LEN;
	uint8_t next = ip[WIRE_IPV6_HEADER_LEN];

	tp_store_be16(ip + WIRE_IPV6_PAYLOAD_LEN,
		(uint16_t)(tp_load_be16(ip + WIRE_IPV6_PAYLOAD_LEN) - WIRE_FRAGMENT_LEN));
	ip[WIRE_IPV6_NEXT] = next;
	memmove(pkt->data + WIRE_FRAGMENT_LEN, pkt->data, WIRE_ETH_LEN + WIRE_IPV6_HEADER_LEN);
	pkt->data += WIRE_FRAGMENT_LEN;
	pkt->len = (uint16_t)(pkt->len - WIRE_FRAGMENT_LEN);
	pkt->headroom = (uint16_t)(pkt->headroom + WIRE_FRAGMENT_LEN);
	core_parse(in, pkt->data, pkt->len);
}

static void peer_enqueue(struct burst *b, struct pkt_ctx *p, const struct core_packet *in,
	const struct arrival *from)
{
	p->v4 = in->family == TP_FAMILY_IPV4;
	p->hairpin = false;
	p->local_id = (uint16_t)from->local_id;
	p->port_be = in->ports.dst_be;
	p->form = FORM_DATAGRAM;
	key_from_source(p, from, TP_KIND_PEER, in->ports.dst_be);
	lookup_enqueue(b, p, STEP_PEER);
}

// UDP to our address but not to one of our ports belongs to the kernel, even if malformed.
static void classify_udp(
	struct burst *b, struct pkt_ctx *p, struct core_packet *in, const struct own_ip *own)
{
	struct arrival from = {.src_port_be = in->ports.src_be, .family = in->family};
	bool listener;

	if (!in->has_ports) {
		pkt_drop(b, p, in->fault);
		return;
	}
	from.src = local_ip_of(in->src_ip, in->family);
	from.local_id = locals_role_find(b->locals, own, in->ports.dst_be, &listener);
	if (from.local_id == 0) {
		pkt_kernel(b, p);
		return;
	}
	if (!source_right(b, p, in, &from))
		return;
	if (in->atomic)
		fragment_header_remove(p->pkt, in);
	if (!listener) {
		peer_enqueue(b, p, in, &from);
		return;
	}
	p->v4 = in->family == TP_FAMILY_IPV4;
	p->hairpin = false;
	p->local_id = (uint16_t)from.local_id;
	p->port_be = in->ports.dst_be;
	if (!records_classify(b, p, in))
		pkt_message(b, p);
}

// Own address a packet arrived at, or NULL when it is not for us.
static const struct own_ip *own_arrived(const struct burst *b, const struct core_packet *in)
{
	struct local_ip dst = local_ip_of(in->dst_ip, in->family);
	const struct own_ip *own = &b->locals->ips[locals_ip_find(b->locals, &dst, in->family)];

	return own->arrives ? own : NULL;
}

void slow_classify(struct burst *b, struct stage_pkt *pkt)
{
	struct pkt_ctx *p = &b->ctx[pkt_number(b, pkt)];
	const struct own_ip *own;
	struct core_packet in;

	p->pkt = pkt;
	p->message = NULL;
	in.low = pkt->data - pkt->headroom;
	in.high = pkt->data + pkt->len + pkt->tailroom;
	core_parse(&in, pkt->data, pkt->len);
	if (in.kind == CORE_BROKEN) {
		pkt_drop(b, p, in.fault);
	} else if (in.kind == CORE_OTHER || !mac_is_ours(b->w, pkt)) {
		pkt_kernel(b, p);
	} else if (b->locals == NULL) {
		// A twin's kernel has the guard before its sockets: it may see our packets.
		if (in.kind == CORE_ICMP || has_twin(b, p))
			pkt_kernel(b, p);
		else
			pkt_drop(b, p, TP_DROP_not_ready);
	} else if ((own = own_arrived(b, &in)) == NULL) {
		pkt_kernel(b, p);
	} else if (in.kind == CORE_UDP) {
		classify_udp(b, p, &in, own);
	} else if (in.kind == CORE_FRAGMENT && in.fault != TP_DROP_none) {
		pkt_drop(b, p, in.fault);
	} else if (in.kind == CORE_FRAGMENT) {
		pkt->verdict = STAGE_FRAGMENT;
	} else if (!icmp_classify(b, p, &in)) {
		pkt_kernel(b, p);
	}
}

void peer_classify(struct burst *b, struct pkt_ctx *p, struct core_packet *in)
{
	const struct own_ip *own = own_arrived(b, in);
	struct arrival from = {.src = local_ip_of(in->src_ip, in->family),
		.src_port_be = in->ports.src_be,
		.family = in->family};
	bool listener = false;

	if (own != NULL)
		from.local_id = locals_role_find(b->locals, own, in->ports.dst_be, &listener);
	if (from.local_id == 0 || listener)
		pkt_drop(b, p, TP_DROP_own_source);
	else
		peer_enqueue(b, p, in, &from);
}
