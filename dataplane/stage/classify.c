// SPDX-License-Identifier: BSD-3-Clause
#include "item.h"

// How far ahead of the parser the frames' first lines are fetched.
#define AHEAD 4u

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
	it->state = ITEM_DONE;
	it->pkt->verdict = STAGE_KERNEL;
	burst_count(b, TP_PATH_to_kernel, it->pkt->len);
}

// Whether the frame is addressed to the port it came in by. The kernel drops what is not (or takes
// multicast), so it is the judge of everything else.
static inline bool mac_is_ours(const struct stage_worker *w, const struct stage_pkt *pkt)
{
	const struct stage_port *port;

	if (pkt->rx_port >= w->n_ports)
		return false;
	port = &w->ports[pkt->rx_port];
	return port->any_mac || memcmp(pkt->data, port->mac, 6) == 0;
}

// Where the packet came from and arrived, in registers: reading fields of different width back at
// once would stall.
struct arrival {
	struct local_ip src;
	struct core_ports ports;
	uint16_t local_id;
	uint8_t family;
};

static inline void key_from_source(
	struct tp_key *key, const struct arrival *from, uint8_t kind, uint16_t selector)
{
	memcpy(key->ip, from->src.word, 16);
	key->port_be = from->ports.src_be;
	key->local_id = from->local_id;
	key->selector = selector;
	key->kind = kind;
	key->family = from->family;
}

static void classify_send(struct burst *b, struct item *it, const struct arrival *from)
{
	enum tp_drop why = core_send_parse(
		core_packet_payload(&it->in), core_packet_payload_len(&it->in), &it->send);

	if (why != TP_DROP_none) {
		item_drop(b, it, why);
		return;
	}
	it->take = TAKE_SEND;
	key_from_source(&it->key, from, TP_KIND_ALLOCATION, 0);
	item_ask(it, STEP_CLIENT);
}

// Requests end here, so their checksum must be right before anything believes them.
static void classify_request(
	struct burst *b, struct item *it, const struct arrival *from, bool binding)
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
	key_from_source(&it->key, from, TP_KIND_ALLOCATION, 0);
	item_ask(it, STEP_CLIENT);
}

static void classify_client(struct burst *b, struct item *it, const struct arrival *from)
{
	const uint8_t *msg = core_packet_payload(&it->in);
	size_t len = core_packet_payload_len(&it->in);
	enum tp_drop why = TP_DROP_none;

	switch (core_message_kind(msg, len, b->locals->path.channel_max, &why)) {
	case CORE_MESSAGE_CHANNEL:
		it->take = TAKE_CHANNEL;
		key_from_source(&it->key, from, TP_KIND_CHANNEL, tp_load_be16(msg));
		item_ask(it, STEP_CHANNEL);
		break;
	case CORE_MESSAGE_SEND:
		classify_send(b, it, from);
		break;
	case CORE_MESSAGE_BINDING:
		classify_request(b, it, from, true);
		break;
	case CORE_MESSAGE_STUN:
		classify_request(b, it, from, false);
		break;
	case CORE_MESSAGE_DROP:
		item_drop(b, it, why);
		break;
	}
}

// The word is needed only if the peer has no channel, but then at once.
static inline void prefetch_port_index(const struct burst *b, const struct arrival *from)
{
	uint32_t array = b->locals->by_id[from->local_id].port_index;

	if (array < b->w->n_port_indexes)
		__builtin_prefetch(
			&b->w->port_indexes[(size_t)array * 65536 + tp_ntohs(from->ports.dst_be)]);
}

static inline void classify_peer(struct burst *b, struct item *it, const struct arrival *from)
{
	it->take = TAKE_DATAGRAM;
	it->port_be = from->ports.dst_be;
	key_from_source(&it->key, from, TP_KIND_PEER, from->ports.dst_be);
	prefetch_port_index(b, from);
	item_ask(it, STEP_PEER);
}

// True: goes on.
static inline bool source_right(struct burst *b, struct item *it, const struct arrival *from)
{
	if (it->in.fault != TP_DROP_none)
		item_drop(b, it, it->in.fault);
	else if (core_source_bad(from->family, it->in.src_ip) || from->ports.src_be == 0)
		item_drop(b, it, TP_DROP_bad_source);
	else if (locals_ip_find(b->locals, &from->src, from->family) != 0)
		item_drop(b, it, TP_DROP_own_source);
	else
		return true;
	return false;
}

// What is ours by address but not by port is the kernel's, malformed or not.
static inline void classify_udp(struct burst *b, struct item *it, unsigned own)
{
	const struct stage_locals *l = b->locals;
	uint16_t relay_id = l->ips[own].relay_id;
	struct arrival from = {.ports = it->in.ports, .family = it->in.family};

	if (!it->in.has_ports) {
		item_drop(b, it, it->in.fault);
		return;
	}
	from.src = local_ip_of(it->in.src_ip, from.family);
	from.local_id = (uint16_t)locals_listener_find(l, own, from.ports.dst_be);
	if (from.local_id != 0) {
		it->local_id = from.local_id;
		if (source_right(b, it, &from))
			classify_client(b, it, &from);
	} else if (relay_id != 0 && locals_port_relayed(l, tp_ntohs(from.ports.dst_be))) {
		from.local_id = relay_id;
		it->local_id = relay_id;
		if (source_right(b, it, &from))
			classify_peer(b, it, &from);
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

// Index of the own address a packet arrived at, 0 when it is not for us. Neighbours in a burst are
// mostly for the same one.
static inline unsigned own_arrived(struct burst *b, const struct core_packet *p)
{
	struct local_ip dst = local_ip_of(p->dst_ip, p->family);
	unsigned own;

	if (b->last_own != 0) {
		const struct own_ip *o = &b->locals->ips[b->last_own];

		if (o->ip.word[0] == dst.word[0] && o->ip.word[1] == dst.word[1] &&
			o->family == p->family)
			return b->last_own;
	}
	own = locals_ip_find(b->locals, &dst, p->family);
	if (own == 0 || !b->locals->ips[own].arrives)
		return 0;
	b->last_own = own;
	return own;
}

// A twin's kernel has the guard before its sockets: it may see what would be ours.
static void classify_unready(struct burst *b, struct item *it)
{
	if (it->in.kind == CORE_ICMP || has_twin(b, it))
		item_kernel(b, it);
	else
		item_drop(b, it, TP_DROP_not_ready);
}

static inline void classify(struct burst *b, struct item *it, struct stage_pkt *pkt)
{
	unsigned own;

	it->pkt = pkt;
	it->hairpin = false;
	it->in.low = pkt->data - pkt->headroom;
	it->in.high = pkt->data + pkt->len + pkt->tailroom;
	core_parse(&it->in, pkt->data, pkt->len);
	if (it->in.kind == CORE_BROKEN)
		item_drop(b, it, it->in.fault);
	else if (it->in.kind == CORE_OTHER || !mac_is_ours(b->w, pkt))
		item_kernel(b, it);
	else if (b->locals == NULL)
		classify_unready(b, it);
	else if ((own = own_arrived(b, &it->in)) == 0)
		item_kernel(b, it);
	else if (it->in.kind == CORE_UDP)
		classify_udp(b, it, own);
	else if (it->in.kind == CORE_FRAGMENT)
		item_drop(b, it, TP_DROP_fragment);
	else
		classify_icmp(b, it);
}

void burst_classify(struct burst *b, struct stage_pkt *pkts, unsigned n)
{
	uint64_t octets = 0;

	for (unsigned i = 0; i < n && i < AHEAD; i++)
		__builtin_prefetch(pkts[i].data);
	for (unsigned i = 0; i < n; i++) {
		if (i + AHEAD < n)
			__builtin_prefetch(pkts[i + AHEAD].data);
		octets += pkts[i].len;
		classify(b, &b->items[i], &pkts[i]);
	}
	tp_count(&b->w->stats->rx_packets, n);
	tp_count(&b->w->stats->rx_octets, octets);
}
