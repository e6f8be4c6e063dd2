// SPDX-License-Identifier: BSD-3-Clause
// A plain packet: Ethernet, IPv4 without options or IPv6 without extension headers, one whole UDP
// datagram, lengths and IPv4 header checksum right. No other packet is ever forwarded. Its
// description costs a few loads, so it is not kept between the stages of a burst but read again.
#pragma once

#include <entry/csum.h>
#include <core/packet.h>
#include <entry/wire.h>

// How many addresses' bytes stand in front of the UDP header.
static inline unsigned core_plain_ip_len(bool v4)
{
	return v4 ? WIRE_IPV4_HEADER_LEN : WIRE_IPV6_HEADER_LEN;
}

// How many bytes stand in front of the payload.
static inline unsigned core_plain_headers(bool v4)
{
	return WIRE_ETH_LEN + core_plain_ip_len(v4) + WIRE_UDP_HEADER_LEN;
}

// Describes a frame known to be plain, all but low and high.
static inline void core_plain_read(struct core_packet *p, uint8_t *frame, bool v4)
{
	uint8_t *ip = frame + WIRE_ETH_LEN;

	p->l4 = ip + core_plain_ip_len(v4);
	p->src_ip = ip + (v4 ? WIRE_IPV4_SRC : WIRE_IPV6_SRC);
	p->dst_ip = ip + (v4 ? WIRE_IPV4_DST : WIRE_IPV6_DST);
	memcpy(&p->ports, p->l4, sizeof(p->ports));
	p->l4_len_be = entry_sum_word(p->l4 + WIRE_UDP_LEN);
	p->l4_len = tp_ntohs((uint16_t)p->l4_len_be);
	p->csum = entry_sum_word(p->l4 + WIRE_UDP_CSUM);
	p->kind = CORE_UDP;
	p->fault = TP_DROP_none;
	p->family = v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6;
	p->tos = v4 ? ip[WIRE_IPV4_TOS] : (uint32_t)tp_load_be16(ip) >> 4 & 0xffu;
	p->ttl = v4 ? ip[WIRE_IPV4_TTL] : ip[WIRE_IPV6_HOP_LIMIT];
	p->df = v4 && (ip[WIRE_IPV4_FRAG] & WIRE_IPV4_DF >> 8) != 0;
	p->has_ports = true;
	p->fragmented = false;
}

// Whether the header of twenty bytes sums up to 0xffff. Its ones' complement sum is its value
// modulo 65,535, regardless of the word size of the addition; and a multiple of an odd number is,
// times that number's inverse modulo 2^64, a small number (Granlund, Montgomery 1994). It is never
// zero.
static inline bool core_plain_ipv4_csum_right(const uint8_t *ip)
{
	return entry_sum_full_20(ip) * 0xfffefffefffeffffull <= UINT64_MAX / 0xffffu;
}
