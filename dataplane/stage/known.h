// SPDX-License-Identifier: BSD-3-Clause
// The quickest way in: a plain IPv4 packet that came by the port of the last one, best to the same
// own address. All of its headers that must have one value are compared at once, sixteen octets
// twice; what differs in anything goes the next quick way.
//
//   frame[0..16)   destination MAC address, type, 0x45
//   frame[18..34)  fragment bits, protocol
#pragma once

#include "item.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#define STAGE_HAS_KNOWN 1
#else
#define STAGE_HAS_KNOWN 0
#endif

#define KNOWN_NO_PORT 0x10000u // no packet has it
#define KNOWN_NOTHING 0xffu

// What all plain IPv4 packets of this port have in common.
static inline void known_set_port(struct known *k, const struct stage_worker *w, uint8_t rx_port)
{
	static const uint8_t mask[2][16] = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0},
		{0, 0, CORE_IPV4_FRAG_MASK >> 8, CORE_IPV4_FRAG_MASK & 0xff, 0, 0xff}};
	const struct stage_port *port = &w->ports[rx_port];

	memcpy(k->mask, mask, sizeof(k->mask));
	memset(k->want, 0, sizeof(k->want));
	if (port->any_mac)
		memset(k->mask[0], 0, sizeof(port->mac));
	else
		memcpy(k->want[0], port->mac, sizeof(port->mac));
	k->want[0][12] = CORE_ETHERTYPE_IPV4 >> 8;
	k->want[0][14] = 0x45;
	k->want[1][5] = CORE_PROTO_UDP;
	k->rx_port = rx_port;
}

// What `own`, an IPv4 address that packets arrive at, means.
static inline void known_set_own(
	struct known *k, const struct stage_locals *l, const struct own_ip *own)
{
	k->own = own->ip.word[0];
	k->listener_id = own->listener_id;
	k->listener_port_be = own->listener_id == 0 ? KNOWN_NO_PORT : own->port_be;
	k->relay_id = own->relay_id;
	k->relay_port_min = l->path.relay_port_min;
	k->relay_ports = own->relay_id == 0 || l->path.relay_port_max < k->relay_port_min
				 ? 0
				 : l->path.relay_port_max - k->relay_port_min + 1u;
	k->mixed = own->mixed ? (uint16_t)(own - l->ips) : 0;
	k->client_tail = key_tail(0, k->listener_id, 0, 0, TP_FAMILY_IPV4);
	k->peer_tail = key_tail(0, k->relay_id, 0, 0, TP_FAMILY_IPV4);
}

// Whether packets to this address arrive; it is known then.
static inline bool known_own(
	struct known *k, const struct stage_locals *l, const struct local_ip *dst)
{
	const struct own_ip *own;

	if (STAGE_LIKELY(dst->word[0] == k->own))
		return true;
	own = &l->ips[locals_ip_find(l, dst, TP_FAMILY_IPV4)];
	if (!own->arrives)
		return false;
	known_set_own(k, l, own);
	return true;
}

// Whether a packet to this port is for the relay, and for no listener.
static inline bool known_relayed(
	const struct known *k, const struct stage_locals *l, uint16_t port_be)
{
	return tp_ntohs(port_be) - k->relay_port_min < k->relay_ports &&
	       (STAGE_LIKELY(k->mixed == 0) || locals_listener_find(l, k->mixed, port_be) == 0);
}

#if STAGE_HAS_KNOWN
// Reads 34 octets.
static inline bool known_shape(const struct known *k, const uint8_t *frame)
{
	__m128i a = _mm_loadu_si128((const __m128i *)(const void *)frame);
	__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(frame + 18));

	a = _mm_and_si128(_mm_xor_si128(a, *(const __m128i *)(const void *)k->want[0]),
		*(const __m128i *)(const void *)k->mask[0]);
	b = _mm_and_si128(_mm_xor_si128(b, *(const __m128i *)(const void *)k->want[1]),
		*(const __m128i *)(const void *)k->mask[1]);
	return _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_or_si128(a, b), _mm_setzero_si128())) == 0xffff;
}
#endif
