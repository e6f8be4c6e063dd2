// SPDX-License-Identifier: BSD-3-Clause
#include <core/packet.h>

#include <core/csum.h>
#include <core/wire.h>

#define EXTENSIONS_MAX 8u

static void set_fault(struct core_packet *p, enum tp_drop reason)
{
	if (p->fault == TP_DROP_none)
		p->fault = (uint8_t)reason;
}

// `have` octets of the frame are at l4, `l4_len` of them belong to the packet if it is sane.
static void parse_udp(struct core_packet *p, size_t have)
{
	p->kind = CORE_UDP;
	if (have >= CORE_UDP_HEADER_LEN) {
		p->has_ports = true;
		memcpy(&p->ports, p->l4, sizeof(p->ports));
		p->csum = core_sum_word(p->l4 + CORE_UDP_CSUM);
	}
	if (p->fault != TP_DROP_none)
		return;
	p->l4_len_be = core_sum_be16((uint16_t)p->l4_len);
	if (p->l4_len < CORE_UDP_HEADER_LEN)
		p->fault = TP_DROP_short_frame;
	else if (tp_load_be16(p->l4 + CORE_UDP_LEN) != p->l4_len)
		p->fault = TP_DROP_bad_udp_length;
	else if (p->csum == 0 && p->family == TP_FAMILY_IPV6)
		p->fault = TP_DROP_bad_udp_checksum;
}

static bool ipv4_csum_right(const uint8_t *ip, unsigned len)
{
	return core_sum_fold(core_sum(ip, len)) == 0xffff;
}

static void parse_ipv4(struct core_packet *p, uint8_t *ip, size_t have)
{
	unsigned header_len, total_len, frag;

	p->kind = CORE_BROKEN;
	if (have < CORE_IPV4_HEADER_LEN) {
		p->fault = TP_DROP_short_frame;
		return;
	}
	header_len = (ip[0] & 0xfu) * 4;
	if (ip[0] >> 4 != 4 || header_len < CORE_IPV4_HEADER_LEN) {
		p->fault = TP_DROP_bad_ip;
		return;
	}
	p->family = TP_FAMILY_IPV4;
	p->src_ip = ip + CORE_IPV4_SRC;
	p->dst_ip = ip + CORE_IPV4_DST;
	p->tos = ip[CORE_IPV4_TOS];
	p->ttl = ip[CORE_IPV4_TTL];
	frag = tp_load_be16(ip + CORE_IPV4_FRAG);
	p->df = frag & CORE_IPV4_DF;
	total_len = tp_load_be16(ip + CORE_IPV4_TOTAL_LEN);

	if (total_len < header_len || total_len > have || header_len > have)
		p->fault = TP_DROP_bad_ip;
	else if (!ipv4_csum_right(ip, header_len))
		p->fault = TP_DROP_bad_ip_checksum;
	else if (header_len > CORE_IPV4_HEADER_LEN)
		p->fault = TP_DROP_ip_options;
	if (header_len > have)
		header_len = (unsigned)have;
	p->l4 = ip + header_len;
	p->l4_len = total_len - header_len;

	p->kind = CORE_OTHER;
	if (ip[CORE_IPV4_PROTO] == CORE_PROTO_UDP) {
		if (frag & CORE_IPV4_FRAG_MASK)
			p->kind = CORE_FRAGMENT;
		else
			parse_udp(p, have - header_len);
	} else if (ip[CORE_IPV4_PROTO] == CORE_PROTO_ICMP && !(frag & CORE_IPV4_FRAG_MASK)) {
		p->kind = CORE_ICMP;
	}
}

// Headers that may stand between IPv6 and the upper layer (RFC 8200 4, RFC 6564).
static bool is_extension(uint8_t next)
{
	return next == 0 || next == 43 || next == 60 || next == 135 || next == 139 || next == 140;
}

// Follows extension headers to the upper layer's, so as to tell whose the packet is; it will not be
// forwarded. Returns the protocol found, or the one that could not be passed. A fragment header
// ends the walk: `fragment` is set and the protocol is the one inside.
static uint8_t skip_extensions(
	const uint8_t *ip, size_t have, uint8_t next, size_t *at, bool *fragment)
{
	for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
		if (next == CORE_NEXT_FRAGMENT && *at + 8 <= have) {
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
	size_t payload_len, at = CORE_IPV6_HEADER_LEN;
	bool fragment = false;
	uint8_t next;

	p->kind = CORE_BROKEN;
	if (have < CORE_IPV6_HEADER_LEN) {
		p->fault = TP_DROP_short_frame;
		return;
	}
	if (ip[0] >> 4 != 6) {
		p->fault = TP_DROP_bad_ip;
		return;
	}
	p->family = TP_FAMILY_IPV6;
	p->src_ip = ip + CORE_IPV6_SRC;
	p->dst_ip = ip + CORE_IPV6_DST;
	p->tos = tp_load_be16(ip) >> 4 & 0xffu;
	p->ttl = ip[CORE_IPV6_HOP_LIMIT];
	payload_len = tp_load_be16(ip + CORE_IPV6_PAYLOAD_LEN);
	if (payload_len > have - CORE_IPV6_HEADER_LEN)
		p->fault = TP_DROP_bad_ip;
	next = ip[CORE_IPV6_NEXT];
	if (next != CORE_PROTO_UDP && next != CORE_PROTO_ICMPV6) {
		next = skip_extensions(ip, have, next, &at, &fragment);
		set_fault(p, TP_DROP_ip6_extension);
	}
	if (at > have)
		at = have;
	p->l4 = ip + at;
	// Wraps when the extensions claim more than the payload: the fault is set then.
	p->l4_len = (uint32_t)(payload_len + CORE_IPV6_HEADER_LEN - at);

	p->kind = CORE_OTHER;
	if (next == CORE_PROTO_UDP) {
		if (fragment)
			p->kind = CORE_FRAGMENT;
		else
			parse_udp(p, have - at);
	} else if (next == CORE_PROTO_ICMPV6 && !fragment) {
		p->kind = CORE_ICMP;
	}
}

void core_parse(struct core_packet *p, uint8_t *frame, size_t len)
{
	unsigned type;

	p->fault = TP_DROP_none;
	p->has_ports = false;
	p->df = false;
	if (len < CORE_ETH_LEN) {
		p->kind = CORE_BROKEN;
		p->fault = TP_DROP_short_frame;
		return;
	}
	type = tp_load_be16(frame + CORE_ETH_TYPE);
	if (type == CORE_ETHERTYPE_IPV4)
		parse_ipv4(p, frame + CORE_ETH_LEN, len - CORE_ETH_LEN);
	else if (type == CORE_ETHERTYPE_IPV6)
		parse_ipv6(p, frame + CORE_ETH_LEN, len - CORE_ETH_LEN);
	else
		p->kind = CORE_OTHER;
}

bool core_packet_csum_right(const struct core_packet *p)
{
	return core_csum_udp_right(
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

// Whether an ICMP message of this type carries the packet it is about.
static bool icmp_is_error(const struct core_packet *p)
{
	uint8_t type = p->l4[0];

	if (p->family == TP_FAMILY_IPV6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 4 || type == 11 || type == 12;
}

bool core_icmp_quoted_source(const struct core_packet *p, struct tp_addr *source)
{
	const uint8_t *ip = p->l4 + 8;
	size_t have, header_len;

	if (p->kind != CORE_ICMP || p->fault != TP_DROP_none || p->l4_len < 8 || !icmp_is_error(p))
		return false;
	have = p->l4_len - 8u;
	if (p->family == TP_FAMILY_IPV4) {
		if (have < CORE_IPV4_HEADER_LEN || ip[0] >> 4 != 4 ||
			ip[CORE_IPV4_PROTO] != CORE_PROTO_UDP)
			return false;
		header_len = (ip[0] & 0xfu) * 4;
		if (header_len < CORE_IPV4_HEADER_LEN || have < header_len + 4)
			return false;
		*source = tp_addr_ipv4(tp_load_be32(ip + CORE_IPV4_SRC),
			tp_load_be16(ip + header_len + CORE_UDP_SPORT));
		return true;
	}
	if (have < CORE_IPV6_HEADER_LEN + 4 || ip[0] >> 4 != 6 ||
		ip[CORE_IPV6_NEXT] != CORE_PROTO_UDP)
		return false;
	*source = tp_addr_ipv6(
		ip + CORE_IPV6_SRC, tp_load_be16(ip + CORE_IPV6_HEADER_LEN + CORE_UDP_SPORT));
	return true;
}
