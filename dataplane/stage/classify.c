// SPDX-License-Identifier: BSD-3-Clause
// The quick way in: a plain packet, from a host that may send it, to a listener or a relay of ours.
// Whatever is otherwise goes the general way, which knows all the reasons; both come to the same
// (tests/fuzz/packet_lanes.c).
#include "hash.h"
#include "known.h"

#include <core/indication4.h>

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

// A client's message of `len` octets. `tail`: of its key, without kind and selector.
CORE_INLINE void from_client(struct burst *b, struct item *it, const uint8_t *msg, unsigned len,
	const struct local_ip *src, uint64_t tail, struct hasher h)
{
	unsigned number;

	if (STAGE_UNLIKELY(len < TP_CHANNEL_HEADER_LEN)) {
		item_message(b, it);
		return;
	}
	number = tp_load_be16(msg);
	if (number >= TP_CHANNEL_MIN && number <= b->locals->path.channel_max &&
		tp_load_be16(msg + 2) <= len - TP_CHANNEL_HEADER_LEN) {
		it->take = TAKE_CHANNEL;
		ask(b, it, &b->open[0][STEP_CHANNEL], h, src->word[0], src->word[1],
			tail | key_tail(0, 0, number, TP_KIND_CHANNEL, 0));
	} else if (number == TP_TURN_SEND_INDICATION &&
		   core_send_plain(msg, len, &item_more(b, it)->send)) {
		it->take = TAKE_SEND;
		ask(b, it, &b->open[0][STEP_CLIENT], h, src->word[0], src->word[1],
			tail | key_tail(0, 0, 0, TP_KIND_ALLOCATION, 0));
	} else {
		item_message(b, it);
	}
}

CORE_INLINE void from_peer(struct burst *b, struct item *it, const struct local_ip *src,
	uint64_t tail, uint64_t dst_port_be, struct hasher h)
{
	it->take = TAKE_DATAGRAM;
	ask(b, it, &b->open[0][STEP_PEER], h, src->word[0], src->word[1],
		tail | key_tail(0, 0, dst_port_be, TP_KIND_PEER, 0));
}

#if STAGE_HAS_KNOWN
// False: for the next quick way; nothing has been done.
CORE_INLINE bool classify_known(
	struct burst *b, struct item *it, uint8_t *frame, uint32_t len, struct hasher h)
{
	struct known *k = &b->known;
	const uint8_t *ip = frame + CORE_ETH_LEN, *udp = ip + CORE_IPV4_HEADER_LEN;
	const uint8_t *msg = udp + CORE_UDP_HEADER_LEN;
	uint32_t dst, number;
	uint64_t src_port_be, dst_port_be, tail;
	struct local_ip src;
	enum item_step step;

	if (STAGE_UNLIKELY(it->pkt->rx_port != k->rx_port || len < KNOWN_HEADERS ||
			   !known_shape(k, frame, len)))
		return false;
	src = local_ip_of(ip + CORE_IPV4_SRC, TP_FAMILY_IPV4);
	memcpy(&dst, ip + CORE_IPV4_DST, sizeof(dst));
	src_port_be = core_sum_word(udp + CORE_UDP_SPORT);
	dst_port_be = core_sum_word(udp + CORE_UDP_DPORT);
	if (STAGE_UNLIKELY(!known_len(udp + CORE_UDP_LEN, len - KNOWN_UDP_OFFSET) ||
			   !core_plain_ipv4_csum_right(ip) || src_port_be == 0 ||
			   locals_source4_suspect(b->locals, local_ip4(&src))))
		return false;
	if (dst_port_be == k->listener_port_be && dst == k->listener_ip) {
		it->traits = k->client_traits;
		tail = k->client_tail | key_tail(src_port_be, 0, 0, 0, 0);
		number = tp_load_be16(msg);
		if (STAGE_LIKELY(number - TP_CHANNEL_MIN < k->channels &&
				 known_len(msg + 2, len - KNOWN_HEADERS))) {
			step = STEP_CHANNEL;
			tail |= key_tail(0, 0, number, TP_KIND_CHANNEL, 0);
		} else if (STAGE_LIKELY(core_send4_shape(msg, len - CORE_CHANNEL4_HEADERS))) {
			it->take = TAKE_SEND;
			step = STEP_CLIENT;
			tail |= key_tail(0, 0, 0, TP_KIND_ALLOCATION, 0);
		} else {
			it->exact4 = false;
			from_client(b, it, msg, len - KNOWN_UDP_OFFSET - CORE_UDP_HEADER_LEN, &src,
				tail, h);
			return true;
		}
	} else {
		if (!known_relay(k, b->locals, dst) ||
			!known_relayed(k, b->locals, (uint16_t)dst_port_be))
			return false;
		it->traits = k->peer_traits | item_traits(0, dst_port_be, 0, false, false);
		step = STEP_PEER;
		tail = k->peer_tail | key_tail(src_port_be, 0, dst_port_be, TP_KIND_PEER, 0);
	}
	ask(b, it, &b->open[0][step], h, src.word[0], 0, tail);
	return true;
}
#endif

// False: for the general way.
CORE_INLINE bool classify_plain(
	struct burst *b, struct item *it, uint8_t *frame, bool v4, struct hasher h)
{
	struct core_packet in;
	struct local_ip dst, src;
	const struct own_ip *own;
	uint64_t tail, id;
	bool listener;

	core_plain_read(&in, frame, v4);
	dst = local_ip_of(in.dst_ip, in.family);
	own = own_arrived(b, &dst, in.family);
	if (STAGE_UNLIKELY(own == NULL))
		return false;
	src = local_ip_of(in.src_ip, in.family);
	id = locals_role_find(b->locals, own, in.ports.dst_be, &listener);
	if (STAGE_UNLIKELY(id == 0 || in.ports.src_be == 0 ||
			   core_source_bad(in.family, in.src_ip) ||
			   locals_ip_find(b->locals, &src, in.family) != 0))
		return false;
	if (STAGE_HAS_KNOWN && v4) {
		known_set_port(&b->known, b->w, it->pkt->rx_port);
		if (listener)
			known_set_listener(&b->known, b->locals, &dst, in.ports.dst_be, id);
	}
	it->traits = item_traits(id, in.ports.dst_be, 0, v4, false);
	tail = key_tail(in.ports.src_be, id, 0, 0, in.family);
	if (listener)
		from_client(b, it, core_packet_payload(&in), core_packet_payload_len(&in), &src,
			tail, h);
	else
		from_peer(b, it, &src, tail, in.ports.dst_be, h);
	return true;
}

// Any frame that is not known.
CORE_INLINE void classify_next(struct burst *b, struct item *it, struct hasher h)
{
	const struct stage_pkt *pkt = it->pkt;
	uint8_t *frame = pkt->data;
	unsigned type;

	if (b->locals != NULL && !b->w->general_only && pkt->len >= CORE_ETH_LEN &&
		pkt->rx_port < b->w->n_ports &&
		stage_mac_is_ours(&b->w->ports[pkt->rx_port], frame)) {
		type = tp_load_be16(frame + CORE_ETH_TYPE);
		if (type == CORE_ETHERTYPE_IPV4 && core_plain_ipv4(frame, pkt->len) &&
			classify_plain(b, it, frame, true, h))
			return;
		if (type == CORE_ETHERTYPE_IPV6 && core_plain_ipv6(frame, pkt->len) &&
			classify_plain(b, it, frame, false, h))
			return;
	}
	item_classify(b, it);
}

// `next`: classify_next for this hasher, not inlined: what is known needs the registers.
CORE_INLINE void classify_all(struct burst *b, struct stage_pkt *pkts, unsigned n, struct hasher h,
	void (*next)(struct burst *b, struct item *it, const uint8_t *key))
{
	uint64_t octets = 0;

	for (unsigned i = 0; i < n; i++) {
		struct item *it = &b->items[i];

		octets += pkts[i].len;
		it->pkt = &pkts[i];
#if STAGE_HAS_KNOWN
		if (STAGE_LIKELY(classify_known(b, it, pkts[i].data, pkts[i].len, h)))
			continue;
#endif
		next(b, it, h.key);
	}
	tp_count(&b->w->stats->rx_packets, n);
	tp_count(&b->w->stats->rx_octets, octets);
}

__attribute__((noinline)) static void next_siphash(
	struct burst *b, struct item *it, const uint8_t *key)
{
	classify_next(b, it, (struct hasher){hash_words_siphash, key});
}

static void classify_siphash(struct burst *b, struct stage_pkt *pkts, unsigned n)
{
	const struct hasher h = {hash_words_siphash, b->w->table.hash_key};

	classify_all(b, pkts, n, h, next_siphash);
}

#if TP_HASH_HAS_AES
__attribute__((target("aes,sse4.1"), noinline)) static void next_aes(
	struct burst *b, struct item *it, const uint8_t *key)
{
	classify_next(b, it, (struct hasher){tp_hash_aes_words, key});
}

__attribute__((target("aes,sse4.1"))) static void classify_aes(
	struct burst *b, struct stage_pkt *pkts, unsigned n)
{
	uint8_t key[TP_HASH_KEY_LEN] TP_ALIGNED(16);
	const struct hasher h = {tp_hash_aes_words, key};

	memcpy(key, b->w->table.hash_key, sizeof(key));
	classify_all(b, pkts, n, h, next_aes);
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
