// SPDX-License-Identifier: BSD-3-Clause
// The quickest way in: a plain IPv4 packet that came by the port of the last one, without a single
// octet behind it. All of its headers that must have one value are compared at once, sixteen octets
// twice; what differs in anything goes the next quick way.
//
//   frame[0..16)   destination MAC address, type, 0x45
//   frame[16..32)  total length, fragment bits, protocol
#pragma once

#include "item.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#define STAGE_HAS_KNOWN 1
#else
#define STAGE_HAS_KNOWN 0
#endif

#define KNOWN_NO_PORT	 0x10000u // no packet has it
#define KNOWN_NOTHING	 0xffu

#define KNOWN_UDP_OFFSET (CORE_ETH_LEN + CORE_IPV4_HEADER_LEN)
#define KNOWN_HEADERS	 (KNOWN_UDP_OFFSET + CORE_UDP_HEADER_LEN + TP_CHANNEL_HEADER_LEN)

static inline void known_init(struct known *k)
{
	k->rx_port = KNOWN_NOTHING;
	k->listener_port_be = KNOWN_NO_PORT;
	k->listener_ip = k->relay_ip = 0;
	k->relay_ports = 0;
}

// What all plain IPv4 packets of this port have in common.
static inline void known_set_port(struct known *k, const struct stage_worker *w, uint8_t rx_port)
{
	static const uint8_t mask[2][16] = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0},
		{0xff, 0xff, 0, 0, CORE_IPV4_FRAG_MASK >> 8, CORE_IPV4_FRAG_MASK & 0xff, 0, 0xff}};
	const struct stage_port *port = &w->ports[rx_port];

	memcpy(k->mask, mask, sizeof(k->mask));
	memset(k->want, 0, sizeof(k->want));
	if (port->any_mac)
		memset(k->mask[0], 0, sizeof(port->mac));
	else
		memcpy(k->want[0], port->mac, sizeof(port->mac));
	k->want[0][12] = CORE_ETHERTYPE_IPV4 >> 8;
	k->want[0][14] = 0x45;
	k->want[1][7] = CORE_PROTO_UDP;
	k->rx_port = rx_port;
}

static inline void known_set_listener(struct known *k, const struct stage_locals *l,
	const struct local_ip *ip, uint16_t port_be, uint64_t id)
{
	k->channels = l->path.channel_max < TP_CHANNEL_MIN
			      ? 0
			      : l->path.channel_max - TP_CHANNEL_MIN + 1u;
	k->listener_ip = local_ip4(ip);
	k->listener_port_be = port_be;
	k->client_tail = key_tail(0, id, 0, 0, TP_FAMILY_IPV4);
	k->client_traits = item_traits(id, port_be, TAKE_CHANNEL, true, true);
}

// Whether there is a relay at this address; it is known then.
static inline bool known_relay(struct known *k, const struct stage_locals *l, uint32_t dst)
{
	const struct own_ip *own;

	if (STAGE_LIKELY(dst == k->relay_ip))
		return true;
	own = &l->ips[locals_ip4_find(l, dst)];
	if (!own->arrives || own->relay_id == 0 || l->path.relay_port_max < l->path.relay_port_min)
		return false;
	k->relay_ip = dst;
	k->relay_port_min = l->path.relay_port_min;
	k->relay_ports = l->path.relay_port_max - k->relay_port_min + 1u;
	k->mixed = own->mixed ? (uint16_t)(own - l->ips) : 0;
	k->peer_tail = key_tail(0, own->relay_id, 0, 0, TP_FAMILY_IPV4);
	k->peer_traits = item_traits(own->relay_id, 0, TAKE_DATAGRAM, true, true);
	return true;
}

// Whether a packet to this port of the known relay's address is for it, and for no listener.
static inline bool known_relayed(
	const struct known *k, const struct stage_locals *l, uint16_t port_be)
{
	return tp_ntohs(port_be) - k->relay_port_min < k->relay_ports &&
	       (STAGE_LIKELY(k->mixed == 0) || locals_listener_find(l, k->mixed, port_be) == 0);
}

// Whether a length on the wire is this one, which is less than 65,536. Turned round to be compared
// as stored: a wider comparison would cost more.
static inline bool known_len(const uint8_t *at, uint32_t len)
{
	return core_sum_word(at) == core_sum_be16((uint16_t)len);
}

#if STAGE_HAS_KNOWN
// Reads 32 octets. `len`: the frame's, at least its headers'.
static inline bool known_shape(const struct known *k, const uint8_t *frame, uint32_t len)
{
	__m128i a = _mm_loadu_si128((const __m128i *)(const void *)frame);
	__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(frame + 16));
	__m128i want = _mm_insert_epi16(*(const __m128i *)(const void *)k->want[1],
		tp_htons((uint16_t)(len - CORE_ETH_LEN)), 0);

	a = _mm_and_si128(_mm_xor_si128(a, *(const __m128i *)(const void *)k->want[0]),
		*(const __m128i *)(const void *)k->mask[0]);
	b = _mm_and_si128(_mm_xor_si128(b, want), *(const __m128i *)(const void *)k->mask[1]);
	return _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_or_si128(a, b), _mm_setzero_si128())) == 0xffff;
}
#endif
