// SPDX-License-Identifier: BSD-3-Clause
#include <core/packet.h>

#include <entry/csum.h>
#include <entry/wire.h>

#define EXTENSIONS_MAX 8u

static void set_fault(struct core_packet *p, enum tp_drop reason)
{
	if (p->fault == TP_DROP_none)
		p->fault = (uint8_t)reason;
}

// `have` bytes of the frame are at l4, `l4_len` of them belong to the packet if it is sane.
static void parse_udp(struct core_packet *p, size_t have)
{
	p->kind = CORE_UDP;
	if (have >= WIRE_UDP_HEADER_LEN) {
		p->has_ports = true;
		memcpy(&p->ports, p->l4, sizeof(p->ports));
		p->csum = entry_sum_word(p->l4 + WIRE_UDP_CSUM);
	}
	if (p->fault != TP_DROP_none)
		return;
	p->l4_len_be = entry_sum_be16((uint16_t)p->l4_len);
	if (p->l4_len < WIRE_UDP_HEADER_LEN)
		p->fault = TP_DROP_short_frame;
	else if (tp_load_be16(p->l4 + WIRE_UDP_LEN) != p->l4_len)
		p->fault = TP_DROP_bad_udp_length;
	else if (p->csum == 0 && p->family == TP_FAMILY_IPV6)
		p->fault = TP_DROP_bad_udp_checksum;
}

static bool ipv4_csum_right(const uint8_t *ip, unsigned len)
{
	return entry_sum_fold(entry_sum(ip, len)) == 0xffff;
}

static void parse_ipv4(struct core_packet *p, uint8_t *ip, size_t have)
{
	unsigned header_len, total_len, frag;

	p->kind = CORE_BROKEN;
	if (have < WIRE_IPV4_HEADER_LEN) {
		p->fault = TP_DROP_short_frame;
		return;
	}
	header_len = (ip[0] & 0xfu) * 4;
	if (ip[0] >> 4 != 4 || header_len < WIRE_IPV4_HEADER_LEN) {
		p->fault = TP_DROP_bad_ip;
		return;
	}
	p->family = TP_FAMILY_IPV4;
	p->src_ip = ip + WIRE_IPV4_SRC;
	p->dst_ip = ip + WIRE_IPV4_DST;
	p->tos = ip[WIRE_IPV4_TOS];
	p->ttl = ip[WIRE_IPV4_TTL];
	frag = tp_load_be16(ip + WIRE_IPV4_FRAG);
	p->df = frag & WIRE_IPV4_DF;
	total_len = tp_load_be16(ip + WIRE_IPV4_TOTAL_LEN);

	if (total_len < header_len || total_len > have || header_len > have)
		p->fault = TP_DROP_bad_ip;
	else if (!ipv4_csum_right(ip, header_len))
		p->fault = TP_DROP_bad_ip_checksum;
	else if (header_len > WIRE_IPV4_HEADER_LEN)
		p->fault = TP_DROP_ip_options;
	if (header_len > have)
		header_len = (unsigned)have;
	p->l4 = ip + header_len;
	p->l4_len = total_len - header_len;

	p->kind = CORE_OTHER;
	if (ip[WIRE_IPV4_PROTO] == WIRE_PROTO_UDP) {
		if (frag & WIRE_IPV4_FRAG_MASK)
			p->kind = CORE_FRAGMENT;
		else
			parse_udp(p, have - header_len);
	} else if (ip[WIRE_IPV4_PROTO] == WIRE_PROTO_ICMP && !(frag & WIRE_IPV4_FRAG_MASK)) {
		p->kind = CORE_ICMP;
	}
}

// Headers that may stand between IPv6 and the upper layer (RFC 8200 4, RFC 6564).
static bool is_extension(uint8_t next)
{
	return next == 0 || next == 43 || next == 60 || next == 135 || next == 139 || next == 140;
}

// Follows extension headers to the upper layer's, so that the packet's owner is known; it will not
// be forwarded. Returns the protocol found, or the one that could not be passed. A fragment header
// ends the walk: `fragment` is set and the protocol is the one inside.
static uint8_t skip_extensions(
	const uint8_t *ip, size_t have, uint8_t next, size_t *at, bool *fragment)
{
	for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
		if (next == WIRE_NEXT_FRAGMENT && *at + 8 <= have) {
			*fragment = true;
			return ip[*at];
		}
		if (!is_extension(next) || *at + 8 > have)
			break;
		next = ip[*at];
		*at += (ip[*at + 1] + 1u) * 8u;
	}
	return next;
}

static void parse_ipv6(struct core_packet *p, uint8_t *ip, size_t have)
{
	size_t payload_len, at = WIRE_IPV6_HEADER_LEN;
	bool fragment = false;
	uint8_t next;

	p->kind = CORE_BROKEN;
	if (have < WIRE_IPV6_HEADER_LEN) {
		p->fault = TP_DROP_short_frame;
		return;
	}
	if (ip[0] >> 4 != 6) {
		p->fault = TP_DROP_bad_ip;
		return;
	}
	p->family = TP_FAMILY_IPV6;
	p->src_ip = ip + WIRE_IPV6_SRC;
	p->dst_ip = ip + WIRE_IPV6_DST;
	p->tos = tp_load_be16(ip) >> 4 & 0xffu;
	p->ttl = ip[WIRE_IPV6_HOP_LIMIT];
	payload_len = tp_load_be16(ip + WIRE_IPV6_PAYLOAD_LEN);
	if (payload_len > have - WIRE_IPV6_HEADER_LEN)
		p->fault = TP_DROP_bad_ip;
	next = ip[WIRE_IPV6_NEXT];
	if (next == WIRE_NEXT_FRAGMENT && have >= at + WIRE_FRAGMENT_LEN &&
		payload_len >= WIRE_FRAGMENT_LEN) {
		next = ip[at];
		fragment = tp_load_be16(ip + at + 2) & WIRE_IPV6_FRAG_MASK;
		at += WIRE_FRAGMENT_LEN;
		p->atomic = !fragment;
	}
	if (next != WIRE_PROTO_UDP && next != WIRE_PROTO_ICMPV6) {
		next = skip_extensions(ip, have, next, &at, &fragment);
		set_fault(p, TP_DROP_ip6_extension);
	}
	if (at > have)
		at = have;
	p->l4 = ip + at;
	// Wraps when the extensions claim more than the payload: the fault is set then.
	p->l4_len = (uint32_t)(payload_len + WIRE_IPV6_HEADER_LEN - at);

	p->kind = CORE_OTHER;
	if (next == WIRE_PROTO_UDP) {
		if (fragment)
			p->kind = CORE_FRAGMENT;
		else
			parse_udp(p, have - at);
	} else if (next == WIRE_PROTO_ICMPV6 && !fragment) {
		p->kind = CORE_ICMP;
	}
}

void core_parse(struct core_packet *p, uint8_t *frame, size_t len)
{
	unsigned type;

	p->fault = TP_DROP_none;
	p->has_ports = false;
	p->atomic = false;
	p->fragmented = false;
	p->df = false;
	if (len < WIRE_ETH_LEN) {
		p->kind = CORE_BROKEN;
		p->fault = TP_DROP_short_frame;
		return;
	}
	type = tp_load_be16(frame + WIRE_ETH_TYPE);
	if (type == WIRE_ETHERTYPE_IPV4)
		parse_ipv4(p, frame + WIRE_ETH_LEN, len - WIRE_ETH_LEN);
	else if (type == WIRE_ETHERTYPE_IPV6)
		parse_ipv6(p, frame + WIRE_ETH_LEN, len - WIRE_ETH_LEN);
	else
		p->kind = CORE_OTHER;
}

bool core_packet_csum_right(const struct core_packet *p)
{
	return entry_csum_udp_right(
		p->src_ip, p->dst_ip, tp_family_ip_len(p->family), p->l4, p->l4_len);
}

bool core_source_bad_ipv6(const uint8_t *ip)
{
	static const uint8_t zero[16];

	if (ip[0] == 0xff)
		return true;
	if (memcmp(ip, zero, 10) != 0)
		return false;
	return (ip[10] == 0xff && ip[11] == 0xff) || (memcmp(ip, zero, 15) == 0 && ip[15] <= 1);
}
