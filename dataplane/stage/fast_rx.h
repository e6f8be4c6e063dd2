// SPDX-License-Identifier: BSD-3-Clause
// Classify on the fast path: a plain packet, without a byte behind it, to the listener or the relay
// that the last such packet of the burst was for. All header fields that must have one value are
// compared at once, three or four times sixteen bytes:
//
//   IPv4           IPv6
//   frame[0..16)   frame[0..16)   destination MAC address, type, version; IPv4: header length
//   frame[16..32)  frame[16..32)  length, protocol; IPv4: fragment bits
//                  frame[38..54)  destination address
//   frame[30..46)  frame[50..66)  destination address (its end), port, UDP length; ChannelData: the
//                                 number and length
#pragma once

#include "hash.h"

#include <core/indication.h>

#if STAGE_HAS_FAST

#define FAST_RX_MIN4	    (CORE_CHANNEL4_HEADERS + TP_CHANNEL_HEADER_LEN)
#define FAST_RX_MIN6	    (CORE_CHANNEL6_HEADERS + TP_CHANNEL_HEADER_LEN)

// Offsets in the sixteen bytes that begin four before the UDP header.
#define FAST_RX_DST	    0
#define FAST_RX_SPORT	    4
#define FAST_RX_DPORT	    6
#define FAST_RX_LEN	    8
#define FAST_RX_MSG	    12

#define FAST_RX_NO_PORT	    0xffu
#define FAST_RX_NO_LISTENER 0x10000u

// Shuffles a zero in.
#define Z		    INT8_MIN

static inline void fast_rx_begin_family(struct fast_rx_family *k)
{
	k->listener_port_be = FAST_RX_NO_LISTENER;
	k->relay_ports = 0;
	memset(&k->group[FAST_RX_RELAY], 0, sizeof(k->group[FAST_RX_RELAY]));
}

static inline void fast_rx_begin(struct fast_rx *k)
{
	k->rx_port = FAST_RX_NO_PORT;
	fast_rx_begin_family(&k->ip4);
	fast_rx_begin_family(&k->ip6);
}

// Sets the common part of all packets of one family that come by this port.
static inline void fast_rx_set_headers(
	struct fast_rx_family *k, const struct stage_port *port, bool v4)
{
	static const uint8_t mask4[2][16] = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0},
		{0xff, 0xff, 0, 0, WIRE_IPV4_FRAG_MASK >> 8, WIRE_IPV4_FRAG_MASK & 0xff, 0, 0xff},
	};
	static const uint8_t mask6[2][16] = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xf0, 0},
		{0, 0, 0xff, 0xff, 0xff},
	};

	memcpy(k->mask, v4 ? mask4 : mask6, sizeof(k->mask));
	memset(k->want, 0, sizeof(k->want));
	if (port->any_mac)
		memset(k->mask[0], 0, sizeof(port->mac));
	else
		memcpy(k->want[0], port->mac, sizeof(port->mac));
	tp_store_be16(&k->want[0][WIRE_ETH_TYPE], v4 ? WIRE_ETHERTYPE_IPV4 : WIRE_ETHERTYPE_IPV6);
	k->want[0][WIRE_ETH_LEN] = v4 ? 0x45 : 0x60;
	k->want[1][v4 ? 7 : 4] = WIRE_PROTO_UDP;
}

static inline void fast_rx_set_group(
	struct fast_rx_group *g, const struct own_ip *own, const int8_t pick[16])
{
	memset(g, 0, sizeof(*g));
	g->dst = own->ip;
	memcpy(g->want + FAST_RX_DST,
		(const uint8_t *)own->ip.word + (own->family == TP_FAMILY_IPV4 ? 0 : 12), 4);
	memset(g->mask + FAST_RX_DST, 0xff, 4);
	memset(g->mask + FAST_RX_LEN, 0xff, 2);
	memcpy(g->pick, pick, sizeof(g->pick));
}

// Sets the listener. Channel numbers are compared by their first bits: those above the last power
// of two are left to the slow path.
static inline bool fast_rx_set_listener(const struct burst *b, struct fast_rx_family *k,
	const struct own_ip *own, uint16_t port_be, uint64_t id)
{
	static const int8_t pick[16] = {FAST_RX_SPORT, FAST_RX_SPORT + 1, Z, Z, FAST_RX_MSG + 1,
		FAST_RX_MSG, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z};
	const uint16_t first = tp_htons(TP_CHANNEL_MIN);
	struct fast_rx_group *g = &k->group[FAST_RX_LISTENER];
	uint32_t max = b->locals->path.channel_max, power;
	uint16_t bits;

	if (max < TP_CHANNEL_MIN)
		return false;
	power = 0x80000000u >> __builtin_clz(max - TP_CHANNEL_MIN + 1);
	bits = tp_htons((uint16_t)(0x10000u - power));
	fast_rx_set_group(g, own, pick);
	memcpy(g->want + FAST_RX_DPORT, &port_be, sizeof(port_be));
	memset(g->mask + FAST_RX_DPORT, 0xff, sizeof(port_be));
	memcpy(g->want + FAST_RX_MSG, &first, sizeof(first));
	memcpy(g->message + FAST_RX_MSG, &bits, sizeof(bits));
	memset(g->message + FAST_RX_MSG + 2, 0xff, 2);
	g->tail[0] = key_tail(0, id, 0, TP_KIND_CHANNEL, own->family);
	k->send_tail[0] = key_tail(0, id, 0, TP_KIND_ALLOCATION, own->family);
	k->send_tail[1] = 0;
	k->listener_port_be = port_be;
	return true;
}

static inline void fast_rx_set_relay(
	const struct burst *b, struct fast_rx_family *k, const struct own_ip *own)
{
	static const int8_t pick[16] = {FAST_RX_SPORT, FAST_RX_SPORT + 1, Z, Z, FAST_RX_DPORT,
		FAST_RX_DPORT + 1, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z};
	const struct tp_path_config *path = &b->locals->path;
	struct fast_rx_group *g = &k->group[FAST_RX_RELAY];

	fast_rx_set_group(g, own, pick);
	g->tail[0] = key_tail(0, own->relay_id, 0, TP_KIND_PEER, own->family);
	k->relay_port_min = path->relay_port_min;
	k->relay_ports = path->relay_port_max - path->relay_port_min + 1u;
	k->mixed = own->mixed ? (uint16_t)(own - b->locals->ips) : 0;
}

// Whether the group is for this destination address.
static inline bool fast_rx_is_for(const struct fast_rx_group *g, const struct local_ip *dst)
{
	return g->dst.word[0] == dst->word[0] && g->dst.word[1] == dst->word[1];
}

// Learns the listener or the relay of a packet. False: it is no other than before.
static inline bool fast_rx_learn_group(
	struct burst *b, struct fast_rx_family *k, const uint8_t *frame, bool v4)
{
	const uint8_t *ip = frame + WIRE_ETH_LEN;
	const uint8_t family = v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6;
	struct local_ip dst = local_ip_of(ip + (v4 ? WIRE_IPV4_DST : WIRE_IPV6_DST), family);
	uint16_t port_be = entry_sum_word(ip + core_plain_ip_len(v4) + WIRE_UDP_DPORT);
	bool to_listener = port_be == k->listener_port_be, listener;
	const struct own_ip *own;
	unsigned id;

	if ((to_listener || k->relay_ports != 0) &&
		fast_rx_is_for(&k->group[to_listener ? FAST_RX_LISTENER : FAST_RX_RELAY], &dst))
		return false;
	own = &b->locals->ips[locals_ip_find(b->locals, &dst, family)];
	if (!own->arrives)
		return false;
	id = locals_role_find(b->locals, own, port_be, &listener);
	if (id == 0 || (!listener && to_listener))
		return false;
	// Nothing but records reaches a DTLS listener.
	if (listener && b->locals->by_id[id].transport != TP_TRANSPORT_UDP)
		return false;
	if (listener)
		return fast_rx_set_listener(b, k, own, port_be, id);
	fast_rx_set_relay(b, k, own);
	return true;
}

// Learns the port, the listener or the relay of a packet. False: there was nothing new in it, so it
// is not for the fast path.
static inline bool fast_rx_learn(struct burst *b, const struct stage_pkt *pkt)
{
	struct fast_rx *k = &b->rx;
	bool news = false;
	unsigned type;

	if (b->locals == NULL || pkt->len < FAST_RX_MIN4 || pkt->rx_port >= b->w->n_ports)
		return false;
	if (pkt->rx_port != k->rx_port) {
		fast_rx_set_headers(&k->ip4, &b->w->ports[pkt->rx_port], true);
		fast_rx_set_headers(&k->ip6, &b->w->ports[pkt->rx_port], false);
		k->rx_port = pkt->rx_port;
		news = true;
	}
	type = tp_load_be16(pkt->data + WIRE_ETH_TYPE);
	if (type == WIRE_ETHERTYPE_IPV4)
		return fast_rx_learn_group(b, &k->ip4, pkt->data, true) || news;
	if (type == WIRE_ETHERTYPE_IPV6 && pkt->len >= FAST_RX_MIN6) {
		if (!b->any6)
			fast_lists_clear(b->fast6);
		b->any6 = true;
		return fast_rx_learn_group(b, &k->ip6, pkt->data, false) || news;
	}
	return news;
}

// Whether a packet to this port of the relay's address is for it, and for no listener.
static inline bool fast_rx_relayed(
	const struct burst *b, const struct fast_rx_family *k, uint16_t port_be)
{
	return tp_ntohs(port_be) - k->relay_port_min < k->relay_ports &&
	       (STAGE_LIKELY(k->mixed == 0) ||
		       locals_listener_find(b->locals, k->mixed, port_be) == 0);
}

// Compares the headers of a frame of `len` bytes with those that the group is for. `message`: set
// to the bits that differ around the UDP header.
STAGE_TARGET CORE_INLINE bool fast_rx_equal(const struct fast_rx_family *k,
	const struct fast_rx_group *g, const uint8_t *frame, uint32_t len, bool v4,
	__m128i *message)
{
	const unsigned udp_at = WIRE_ETH_LEN + core_plain_ip_len(v4);
	// The lengths of IP, UDP and ChannelData that this frame has; where they are on the wire.
	const __m128i taken = _mm_setr_epi16((short)(v4 ? WIRE_ETH_LEN : udp_at), (short)udp_at,
		v4 ? FAST_RX_MIN4 : FAST_RX_MIN6, 0, 0, 0, 0, 0);
	const __m128i in_ip = v4 ? _mm_setr_epi8(1, 0, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z)
				 : _mm_setr_epi8(Z, Z, 1, 0, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z);
	const __m128i in_udp = _mm_setr_epi8(Z, Z, Z, Z, Z, Z, Z, Z, 3, 2, Z, Z, Z, Z, 5, 4);
	__m128i lens = _mm_shufflelo_epi16(_mm_cvtsi32_si128((int)len), 0), a, b, c;

	lens = _mm_sub_epi16(lens, taken);
	a = _mm_xor_si128(fast_load(frame), fast_load_aligned(k->want[0]));
	b = _mm_xor_si128(fast_load(frame + 16), fast_load_aligned(k->want[1]));
	c = _mm_xor_si128(fast_load(frame + udp_at - 4), fast_load_aligned(g->want));
	b = _mm_xor_si128(b, _mm_shuffle_epi8(lens, in_ip));
	c = _mm_xor_si128(c, _mm_shuffle_epi8(lens, in_udp));
	*message = c;
	a = _mm_or_si128(_mm_and_si128(a, fast_load_aligned(k->mask[0])),
		_mm_and_si128(b, fast_load_aligned(k->mask[1])));
	a = _mm_or_si128(a, _mm_and_si128(c, fast_load_aligned(g->mask)));
	if (!v4)
		a = _mm_or_si128(a, _mm_xor_si128(fast_load(frame + WIRE_ETH_LEN + WIRE_IPV6_DST),
					    fast_load_aligned(&g->dst)));
	return _mm_testz_si128(a, a);
}

// Whether the packet has a source that may send, and the checksums that its family demands. False:
// the slow path has a closer look.
CORE_INLINE bool fast_rx_source_right(const struct stage_locals *l, const uint8_t *ip, bool v4)
{
	struct local_ip src = local_ip_of(
		ip + (v4 ? WIRE_IPV4_SRC : WIRE_IPV6_SRC), v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6);
	const uint8_t *udp = ip + core_plain_ip_len(v4);

	if (entry_sum_word(udp + WIRE_UDP_SPORT) == 0)
		return false;
	if (v4)
		return core_plain_ipv4_csum_right(ip) &&
		       !locals_source4_suspect(l, local_ip4(&src));
	// All addresses that no host may send from are multicast or begin with eight zeros.
	return src.word[0] != 0 && ip[WIRE_IPV6_SRC] != 0xff &&
	       entry_sum_word(udp + WIRE_UDP_CSUM) != 0 &&
	       locals_ip_find(l, &src, TP_FAMILY_IPV6) == 0;
}

// Enqueues the first look-up of a packet to the group's destination.
STAGE_TARGET CORE_INLINE bool fast_classify_for(struct burst *b, struct stage_pkt *pkt,
	const struct hasher *h, const struct fast_rx_family *k, unsigned for_group, bool v4)
{
	const __m128i pick_ip = _mm_setr_epi8(10, 11, 12, 13, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z);
	const __m128i pick_sport = _mm_setr_epi8(
		FAST_RX_SPORT, FAST_RX_SPORT + 1, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z);
	const struct fast_rx_group *g = &k->group[for_group];
	const uint8_t *frame = pkt->data, *ip = frame + WIRE_ETH_LEN;
	const uint8_t *udp = ip + core_plain_ip_len(v4);
	enum lookup_step step = for_group == FAST_RX_LISTENER ? STEP_CHANNEL : STEP_PEER;
	__m128i message, address, tail;

	if (STAGE_UNLIKELY(!fast_rx_equal(k, g, frame, pkt->len, v4, &message) ||
			   !fast_rx_source_right(b->locals, ip, v4)))
		return false;
	if (for_group == FAST_RX_RELAY &&
		STAGE_UNLIKELY(!fast_rx_relayed(b, k, entry_sum_word(udp + WIRE_UDP_DPORT))))
		return false;
	address = v4 ? _mm_shuffle_epi8(fast_load(frame + 16), pick_ip)
		     : fast_load(ip + WIRE_IPV6_SRC);
	tail = fast_load(udp - 4);
	if (for_group == FAST_RX_LISTENER &&
		!_mm_testz_si128(message, fast_load_aligned(g->message))) {
		if (STAGE_UNLIKELY(!core_indication_shape(
			    udp + WIRE_UDP_HEADER_LEN, pkt->len - core_plain_headers(v4), v4)))
			return false;
		tail = _mm_or_si128(
			_mm_shuffle_epi8(tail, pick_sport), fast_load_aligned(k->send_tail));
		fast_enqueue(burst_fast(b, STEP_CLIENT, v4), h, pkt, address, tail);
		return true;
	}
	tail = _mm_or_si128(
		_mm_shuffle_epi8(tail, fast_load_aligned(g->pick)), fast_load_aligned(g->tail));
	fast_enqueue(burst_fast(b, step, v4), h, pkt, address, tail);
	return true;
}

// Enqueues the packet's first look-up. False: not a packet of the fast path, or the next one to
// learn from; nothing has been done.
STAGE_TARGET CORE_INLINE bool fast_classify(
	struct burst *b, struct stage_pkt *pkt, const struct hasher *h)
{
	const struct fast_rx *k = &b->rx;
	const uint8_t *ip = pkt->data + WIRE_ETH_LEN;

	if (STAGE_UNLIKELY(pkt->rx_port != k->rx_port || pkt->len < FAST_RX_MIN4))
		return false;
	if (STAGE_LIKELY(entry_sum_word(ip - 2) == entry_sum_be16(WIRE_ETHERTYPE_IPV4))) {
		if (entry_sum_word(ip + WIRE_IPV4_HEADER_LEN + WIRE_UDP_DPORT) ==
			k->ip4.listener_port_be)
			return fast_classify_for(b, pkt, h, &k->ip4, FAST_RX_LISTENER, true);
		return fast_classify_for(b, pkt, h, &k->ip4, FAST_RX_RELAY, true);
	}
	if (pkt->len < FAST_RX_MIN6)
		return false;
	if (entry_sum_word(ip + WIRE_IPV6_HEADER_LEN + WIRE_UDP_DPORT) == k->ip6.listener_port_be)
		return fast_classify_for(b, pkt, h, &k->ip6, FAST_RX_LISTENER, false);
	return fast_classify_for(b, pkt, h, &k->ip6, FAST_RX_RELAY, false);
}
#endif
