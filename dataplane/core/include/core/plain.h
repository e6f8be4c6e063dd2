// SPDX-License-Identifier: BSD-3-Clause
// The plain packet: Ethernet, IPv4 without options or IPv6 without extension headers, one whole UDP
// datagram, lengths and IPv4 header checksum right. Nothing else is ever forwarded, so this is all
// that the quick way through the packet path must understand; the rest is left to core_parse.
//
// A plain packet's description costs a few loads from its headers, so it is not kept between the
// passes of a burst but read again.
#pragma once

#include <core/csum.h>
#include <core/packet.h>
#include <core/wire.h>

// How many addresses' octets stand in front of the UDP header.
static inline unsigned core_plain_ip_len(bool v4)
{
	return v4 ? CORE_IPV4_HEADER_LEN : CORE_IPV6_HEADER_LEN;
}

// Describes a frame known to be plain, all but low and high.
static inline void core_plain_read(struct core_packet *p, uint8_t *frame, bool v4)
{
	uint8_t *ip = frame + CORE_ETH_LEN;

	p->l4 = ip + core_plain_ip_len(v4);
	p->src_ip = ip + (v4 ? CORE_IPV4_SRC : CORE_IPV6_SRC);
	p->dst_ip = ip + (v4 ? CORE_IPV4_DST : CORE_IPV6_DST);
	memcpy(&p->ports, p->l4, sizeof(p->ports));
	p->l4_len_be = core_sum_word(p->l4 + CORE_UDP_LEN);
	p->l4_len = tp_ntohs((uint16_t)p->l4_len_be);
	p->csum = core_sum_word(p->l4 + CORE_UDP_CSUM);
	p->kind = CORE_UDP;
	p->fault = TP_DROP_none;
	p->family = v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6;
	p->tos = v4 ? ip[CORE_IPV4_TOS] : (uint32_t)tp_load_be16(ip) >> 4 & 0xffu;
	p->ttl = v4 ? ip[CORE_IPV4_TTL] : ip[CORE_IPV6_HOP_LIMIT];
	p->df = v4 && (ip[CORE_IPV4_FRAG] & CORE_IPV4_DF >> 8) != 0;
	p->has_ports = true;
}

// Whether the header of twenty octets sums up to 0xffff. Its ones' complement sum is its value
// modulo 65,535, in whatever words it is added up; and what is divisible by an odd number is, times
// that number's inverse modulo 2^64, a small number (Granlund, Montgomery 1994). It is never zero.
static inline bool core_plain_ipv4_csum_right(const uint8_t *ip)
{
	return core_sum_full_20(ip) * 0xfffefffefffeffffull <= UINT64_MAX / 0xffffu;
}

// `len` octets at `frame`, at least an Ethernet header.
static inline bool core_plain_ipv4(const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + CORE_ETH_LEN, *udp = ip + CORE_IPV4_HEADER_LEN;
	unsigned total_len;

	if (len < CORE_ETH_LEN + CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN || ip[0] != 0x45 ||
		ip[CORE_IPV4_PROTO] != CORE_PROTO_UDP ||
		(core_sum_word(ip + CORE_IPV4_FRAG) & core_sum_be16(CORE_IPV4_FRAG_MASK)) != 0)
		return false;
	total_len = tp_load_be16(ip + CORE_IPV4_TOTAL_LEN);
	if (total_len > len - CORE_ETH_LEN ||
		total_len < CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN ||
		tp_load_be16(udp + CORE_UDP_LEN) != total_len - CORE_IPV4_HEADER_LEN)
		return false;
	return core_plain_ipv4_csum_right(ip);
}

static inline bool core_plain_ipv6(const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + CORE_ETH_LEN, *udp = ip + CORE_IPV6_HEADER_LEN;
	unsigned udp_len;

	if (len < CORE_ETH_LEN + CORE_IPV6_HEADER_LEN + CORE_UDP_HEADER_LEN || ip[0] >> 4 != 6 ||
		ip[CORE_IPV6_NEXT] != CORE_PROTO_UDP)
		return false;
	udp_len = tp_load_be16(ip + CORE_IPV6_PAYLOAD_LEN);
	return udp_len <= len - CORE_ETH_LEN - CORE_IPV6_HEADER_LEN &&
	       udp_len >= CORE_UDP_HEADER_LEN && tp_load_be16(udp + CORE_UDP_LEN) == udp_len &&
	       core_sum_word(udp + CORE_UDP_CSUM) != 0;
}
