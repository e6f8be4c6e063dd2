// SPDX-License-Identifier: BSD-3-Clause
// The quick way in: a plain packet, from a host that may send it, to a listener or a relay of ours.
// Whatever is otherwise goes the general way, which knows all the reasons; both come to the same
// (tests/unit/stage/lanes_test.c).
#include "hash.h"

// How far ahead of the parser the frames' first lines are fetched.
#define AHEAD 4u

// Own address that a packet arrived at, or NULL when it is not for us. Neighbours in a burst are
// mostly for the same one.
CORE_INLINE const struct own_ip *own_arrived(
	struct burst *b, const struct local_ip *dst, uint8_t family)
{
	const struct own_ip *o = b->last_own;
	unsigned i;

	if (STAGE_LIKELY(o->ip.word[0] == dst->word[0] && o->ip.word[1] == dst->word[1] &&
			 o->family == family))
		return o;
	i = locals_ip_find(b->locals, dst, family);
	o = &b->locals->ips[i];
	if (!o->arrives)
		return NULL;
	b->last_own = o;
	return o;
}

CORE_INLINE void ask_from(struct burst *b, struct item *it, const struct arrival *from,
	uint64_t kind, uint64_t selector, enum item_step step, struct hasher h)
{
	ask(b, it, &b->open[0][step], h, from->src.word[0], from->src.word[1],
		key_tail(from->src_port_be, from->local_id, selector, kind, from->family));
}

CORE_INLINE void from_client(struct burst *b, struct item *it, const struct core_packet *in,
	const struct arrival *from, struct hasher h)
{
	const uint8_t *msg = core_packet_payload(in);
	unsigned len = core_packet_payload_len(in), number;

	if (STAGE_UNLIKELY(len < TP_CHANNEL_HEADER_LEN)) {
		item_message(b, it);
		return;
	}
	number = tp_load_be16(msg);
	if (number >= TP_CHANNEL_MIN && number <= b->locals->path.channel_max &&
		tp_load_be16(msg + 2) <= len - TP_CHANNEL_HEADER_LEN) {
		it->take = TAKE_CHANNEL;
		ask_from(b, it, from, TP_KIND_CHANNEL, number, STEP_CHANNEL, h);
	} else if (number == TP_TURN_SEND_INDICATION &&
		   core_send_plain(msg, len, &item_more(b, it)->send)) {
		it->take = TAKE_SEND;
		ask_from(b, it, from, TP_KIND_ALLOCATION, 0, STEP_CLIENT, h);
	} else {
		item_message(b, it);
	}
}

// False: for the general way.
CORE_INLINE bool classify_plain(
	struct burst *b, struct item *it, uint8_t *frame, bool v4, struct hasher h)
{
	struct arrival from;
	struct core_packet in;
	struct local_ip dst;
	const struct own_ip *own;
	uint64_t dst_port_be;
	bool listener;

	core_plain_read(&in, frame, v4);
	dst = local_ip_of(in.dst_ip, in.family);
	own = own_arrived(b, &dst, in.family);
	if (STAGE_UNLIKELY(own == NULL))
		return false;
	from.family = in.family;
	from.src_port_be = in.ports.src_be;
	from.src = local_ip_of(in.src_ip, in.family);
	dst_port_be = in.ports.dst_be;
	from.local_id = locals_role_find(b->locals, own, in.ports.dst_be, &listener);
	if (STAGE_UNLIKELY(from.local_id == 0 || from.src_port_be == 0 ||
			   core_source_bad(in.family, in.src_ip) ||
			   locals_ip_find(b->locals, &from.src, in.family) != 0))
		return false;
	it->v4 = v4;
	it->hairpin = false;
	it->local_id = (uint16_t)from.local_id;
	it->port_be = (uint16_t)dst_port_be;
	if (listener) {
		from_client(b, it, &in, &from, h);
		return true;
	}
	it->take = TAKE_DATAGRAM;
	ask_from(b, it, &from, TP_KIND_PEER, dst_port_be, STEP_PEER, h);
	return true;
}

CORE_INLINE bool classify_quickly(struct burst *b, struct item *it, struct hasher h)
{
	const struct stage_pkt *pkt = it->pkt;
	uint8_t *frame = pkt->data;
	unsigned type;

	if (STAGE_UNLIKELY(pkt->len < CORE_ETH_LEN || pkt->rx_port >= b->w->n_ports ||
			   !stage_mac_is_ours(&b->w->ports[pkt->rx_port], frame)))
		return false;
	type = tp_load_be16(frame + CORE_ETH_TYPE);
	if (type == CORE_ETHERTYPE_IPV4 && core_plain_ipv4(frame, pkt->len))
		return classify_plain(b, it, frame, true, h);
	if (type == CORE_ETHERTYPE_IPV6 && core_plain_ipv6(frame, pkt->len))
		return classify_plain(b, it, frame, false, h);
	return false;
}

CORE_INLINE void classify_all(struct burst *b, struct stage_pkt *pkts, unsigned n, struct hasher h)
{
	bool quick = b->locals != NULL && !b->w->general_only;
	uint64_t octets = 0;

	for (unsigned i = 0; i < n && i < AHEAD; i++)
		__builtin_prefetch(pkts[i].data);
	for (unsigned i = 0; i < n; i++) {
		struct item *it = &b->items[i];

		if (i + AHEAD < n)
			__builtin_prefetch(pkts[i + AHEAD].data);
		octets += pkts[i].len;
		it->pkt = &pkts[i];
		if (!quick || !classify_quickly(b, it, h))
			item_classify(b, it);
	}
	tp_count(&b->w->stats->rx_packets, n);
	tp_count(&b->w->stats->rx_octets, octets);
}

static void classify_siphash(struct burst *b, struct stage_pkt *pkts, unsigned n)
{
	const struct hasher h = {hash_words_siphash, b->w->table.hash_key};

	classify_all(b, pkts, n, h);
}

#if TP_HASH_HAS_AES
__attribute__((target("aes,sse4.1"))) static void classify_aes(
	struct burst *b, struct stage_pkt *pkts, unsigned n)
{
	uint8_t key[TP_HASH_KEY_LEN] TP_ALIGNED(16);
	const struct hasher h = {tp_hash_aes_words, key};

	memcpy(key, b->w->table.hash_key, sizeof(key));
	classify_all(b, pkts, n, h);
}
#endif

void burst_classify(struct burst *b, struct stage_pkt *pkts, unsigned n)
{
#if TP_HASH_HAS_AES
	if (b->w->table.hash_kind == TP_HASH_KIND_AES) {
		classify_aes(b, pkts, n);
		return;
	}
#endif
	classify_siphash(b, pkts, n);
}
