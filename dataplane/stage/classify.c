// SPDX-License-Identifier: BSD-3-Clause
#include "item.h"

static void item_kernel(struct burst *b, struct item *it)
{
	it->state = ITEM_DONE;
	it->pkt->verdict = STAGE_KERNEL;
	burst_count(b, TP_PATH_to_kernel, it->pkt->len);
}

// Whether the frame is addressed to the port it came in by. The kernel drops what is not (or takes
// multicast), so it is the judge of everything else.
static bool mac_is_ours(const struct stage_worker *w, const struct stage_pkt *pkt)
{
	const struct stage_port *port;

	if (pkt->rx_port >= w->n_ports)
		return false;
	port = &w->ports[pkt->rx_port];
	return port->any_mac || memcmp(pkt->data, port->mac, 6) == 0;
}

static void key_from_source(const struct item *it, struct tp_key *key, uint8_t kind,
	uint16_t local_id, uint16_t selector)
{
	struct local_ip ip = local_ip_of(it->in.src_ip, it->in.family);

	memcpy(key->ip, ip.word, 16);
	key->port_be = it->in.src_port_be;
	key->local_id = local_id;
	key->selector = selector;
	key->kind = kind;
	key->family = it->in.family;
}

static void classify_send(struct burst *b, struct item *it, const uint8_t *msg, size_t len)
{
	enum tp_drop why = core_send_parse(msg, len, &it->send);

	if (why != TP_DROP_none) {
		item_drop(b, it, why);
		return;
	}
	it->take = TAKE_SEND;
	key_from_source(it, &it->key, TP_KIND_ALLOCATION, it->local_id, 0);
	item_ask(it, STEP_CLIENT);
}

// Requests end here, so their checksum must be right before anything believes them.
static void classify_request(struct burst *b, struct item *it, bool binding)
{
	const uint8_t *msg = core_packet_payload(&it->in);
	size_t len = core_packet_payload_len(&it->in);

	if (!core_packet_csum_right(&it->in)) {
		item_drop(b, it, TP_DROP_bad_udp_checksum);
		return;
	}
	if (binding) {
		switch (core_binding_parse(msg, len, &it->has_fingerprint)) {
		case CORE_BINDING_DROP:
			item_drop(b, it, TP_DROP_bad_stun);
			return;
		case CORE_BINDING_ANSWER:
			if (b->locals->path.secure_stun == 0) {
				item_answer(b, it);
				return;
			}
			break;
		case CORE_BINDING_PUNT:
			break;
		}
	}
	it->take = TAKE_REQUEST;
	key_from_source(it, &it->key, TP_KIND_ALLOCATION, it->local_id, 0);
	item_ask(it, STEP_CLIENT);
}

static void classify_client(struct burst *b, struct item *it)
{
	const uint8_t *msg = core_packet_payload(&it->in);
	size_t len = core_packet_payload_len(&it->in);
	enum tp_drop why = TP_DROP_none;

	switch (core_message_kind(msg, len, b->locals->path.channel_max, &why)) {
	case CORE_MESSAGE_CHANNEL:
		it->take = TAKE_CHANNEL;
		key_from_source(it, &it->key, TP_KIND_CHANNEL, it->local_id, tp_load_be16(msg));
		item_ask(it, STEP_CHANNEL);
		break;
	case CORE_MESSAGE_SEND:
		classify_send(b, it, msg, len);
		break;
	case CORE_MESSAGE_BINDING:
		classify_request(b, it, true);
		break;
	case CORE_MESSAGE_STUN:
		classify_request(b, it, false);
		break;
	case CORE_MESSAGE_DROP:
		item_drop(b, it, why);
		break;
	}
}

// The word is needed only if the peer has no channel, but then at once.
static void prefetch_port_index(const struct burst *b, const struct item *it)
{
	uint32_t array = b->locals->by_id[it->local_id].port_index;

	if (array < b->w->n_port_indexes)
		__builtin_prefetch(
			&b->w->port_indexes[(size_t)array * 65536 + tp_ntohs(it->port_be)]);
}

static void classify_peer(struct burst *b, struct item *it)
{
	it->take = TAKE_DATAGRAM;
	it->port_be = it->in.dst_port_be;
	key_from_source(it, &it->key, TP_KIND_PEER, it->local_id, it->port_be);
	prefetch_port_index(b, it);
	item_ask(it, STEP_PEER);
}

// True: goes on. What is ours by address but not by port is the kernel's, malformed or not.
static bool source_right(struct burst *b, struct item *it)
{
	struct local_ip ip = local_ip_of(it->in.src_ip, it->in.family);

	if (it->in.fault != TP_DROP_none)
		item_drop(b, it, it->in.fault);
	else if (core_source_bad(it->in.family, it->in.src_ip) || it->in.src_port_be == 0)
		item_drop(b, it, TP_DROP_bad_source);
	else if (locals_ip_find(b->locals, &ip, it->in.family) != 0)
		item_drop(b, it, TP_DROP_own_source);
	else
		return true;
	return false;
}

static void classify_udp(struct burst *b, struct item *it, unsigned own)
{
	const struct stage_locals *l = b->locals;
	uint16_t port = tp_ntohs(it->in.dst_port_be);
	uint16_t relay_id = l->ips[own].relay_id;

	if (!it->in.has_ports) {
		item_drop(b, it, it->in.fault);
		return;
	}
	it->local_id = (uint16_t)locals_listener_find(l, own, it->in.dst_port_be);
	if (it->local_id != 0) {
		if (source_right(b, it))
			classify_client(b, it);
	} else if (relay_id != 0 && locals_port_relayed(l, port)) {
		it->local_id = relay_id;
		if (source_right(b, it))
			classify_peer(b, it);
	} else {
		item_kernel(b, it);
	}
}

static void classify_icmp(struct burst *b, struct item *it)
{
	const struct stage_locals *l = b->locals;
	struct tp_addr quoted;
	struct local_ip ip;
	unsigned own;

	if (core_icmp_quoted_source(&it->in, &quoted)) {
		ip = local_ip_of(quoted.ip, quoted.family);
		own = locals_ip_find(l, &ip, quoted.family);
		if (own != 0 && (locals_listener_find(l, own, quoted.port_be) != 0 ||
					(l->ips[own].relay_id != 0 &&
						locals_port_relayed(l, tp_addr_port(&quoted))))) {
			item_drop(b, it, TP_DROP_icmp);
			return;
		}
	}
	item_kernel(b, it);
}

void item_classify(struct burst *b, struct item *it, struct stage_pkt *pkt)
{
	struct local_ip dst;
	unsigned own;

	it->pkt = pkt;
	it->hairpin = false;
	core_parse(&it->in, pkt->data, pkt->len);
	it->in.low = pkt->data - pkt->headroom;
	it->in.high = pkt->data + pkt->len + pkt->tailroom;
	if (it->in.kind == CORE_BROKEN) {
		item_drop(b, it, it->in.fault);
		return;
	}
	if (it->in.kind == CORE_OTHER || !mac_is_ours(b->w, pkt)) {
		item_kernel(b, it);
		return;
	}
	if (b->locals == NULL) {
		if (it->in.kind == CORE_ICMP)
			item_kernel(b, it);
		else
			item_drop(b, it, TP_DROP_not_ready);
		return;
	}
	dst = local_ip_of(it->in.dst_ip, it->in.family);
	own = locals_ip_find(b->locals, &dst, it->in.family);
	if (own == 0 || !b->locals->ips[own].arrives)
		item_kernel(b, it);
	else if (it->in.kind == CORE_UDP)
		classify_udp(b, it, own);
	else if (it->in.kind == CORE_FRAGMENT)
		item_drop(b, it, TP_DROP_fragment);
	else
		classify_icmp(b, it);
}
