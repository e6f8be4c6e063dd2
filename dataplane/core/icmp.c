// SPDX-License-Identifier: BSD-3-Clause
#include <core/icmp.h>

#include <entry/csum.h>
#include <entry/wire.h>

#define OWN_TTL 64u
// Internetwork control (RFC 1812 4.3.2.5).
#define OWN_TOS 0xc0u

uint32_t core_misfit_mtu(const struct core_misfit *m)
{
	uint32_t around = m->out_ip_len + WIRE_UDP_HEADER_LEN + m->front, data;

	if (m->leg_mtu < around)
		return 0;
	data = m->leg_mtu - around;
	if (m->padded)
		data &= ~3u;
	return m->in_ip_len + WIRE_UDP_HEADER_LEN + m->wrapped + data;
}

static void ethernet_back(uint8_t *eth, const uint8_t *frame)
{
	uint8_t came[WIRE_ETH_LEN];

	memcpy(came, frame, sizeof(came));
	memcpy(eth + WIRE_ETH_DST, came + WIRE_ETH_SRC, 6);
	memcpy(eth + WIRE_ETH_SRC, came + WIRE_ETH_DST, 6);
	memcpy(eth + WIRE_ETH_TYPE, came + WIRE_ETH_TYPE, 2);
}

static void csum_put(uint8_t *at, uint64_t sum)
{
	uint16_t csum = (uint16_t)~entry_sum_fold(sum);

	memcpy(at, &csum, sizeof(csum));
}

static void icmp_put(uint8_t *icmp, uint8_t type, uint8_t code, uint32_t rest)
{
	memset(icmp, 0, WIRE_ICMP_LEN);
	icmp[WIRE_ICMP_TYPE] = type;
	icmp[WIRE_ICMP_CODE] = code;
	tp_store_be32(icmp + WIRE_ICMP_REST, rest);
}

// `quote`: the packet that came, in place; `src` and `dst` point into it.
static size_t ipv4_put(const struct core_packet *in, uint8_t *quote, size_t quoted, uint32_t mtu)
{
	uint8_t *icmp = quote - WIRE_ICMP_LEN, *ip = icmp - WIRE_IPV4_HEADER_LEN;
	size_t most = CORE_ICMP_MAX_IPV4 - WIRE_IPV4_HEADER_LEN - WIRE_ICMP_LEN, total;

	if (quoted > most)
		quoted = most;
	total = WIRE_IPV4_HEADER_LEN + WIRE_ICMP_LEN + quoted;
	icmp_put(icmp, WIRE_ICMP_UNREACHABLE, WIRE_ICMP_TOO_BIG, mtu & 0xffff);
	csum_put(icmp + WIRE_ICMP_CSUM, entry_sum(icmp, WIRE_ICMP_LEN + quoted));

	memset(ip, 0, WIRE_IPV4_HEADER_LEN);
	ip[0] = 0x45;
	ip[WIRE_IPV4_TOS] = OWN_TOS;
	tp_store_be16(ip + WIRE_IPV4_TOTAL_LEN, (uint16_t)total);
	tp_store_be16(ip + WIRE_IPV4_FRAG, WIRE_IPV4_DF);
	ip[WIRE_IPV4_TTL] = OWN_TTL;
	ip[WIRE_IPV4_PROTO] = WIRE_PROTO_ICMP;
	memcpy(ip + WIRE_IPV4_SRC, in->dst_ip, 4);
	memcpy(ip + WIRE_IPV4_DST, in->src_ip, 4);
	csum_put(ip + WIRE_IPV4_CSUM, entry_sum(ip, WIRE_IPV4_HEADER_LEN));
	return total;
}

static size_t ipv6_put(const struct core_packet *in, uint8_t *quote, size_t quoted, uint32_t mtu)
{
	uint8_t *icmp = quote - WIRE_ICMP_LEN, *ip = icmp - WIRE_IPV6_HEADER_LEN;
	size_t most = CORE_ICMP_MAX_IPV6 - WIRE_IPV6_HEADER_LEN - WIRE_ICMP_LEN, len;

	if (quoted > most)
		quoted = most;
	len = WIRE_ICMP_LEN + quoted;
	icmp_put(icmp, WIRE_ICMPV6_TOO_BIG, 0, mtu);

	memset(ip, 0, WIRE_IPV6_SRC);
	tp_store_be32(ip, 6u << 28 | OWN_TOS << 20);
	tp_store_be16(ip + WIRE_IPV6_PAYLOAD_LEN, (uint16_t)len);
	ip[WIRE_IPV6_NEXT] = WIRE_PROTO_ICMPV6;
	ip[WIRE_IPV6_HOP_LIMIT] = OWN_TTL;
	memcpy(ip + WIRE_IPV6_SRC, in->dst_ip, 16);
	memcpy(ip + WIRE_IPV6_DST, in->src_ip, 16);
	// The pseudo header of RFC 8200 8.1.
	csum_put(icmp + WIRE_ICMP_CSUM,
		entry_sum(ip + WIRE_IPV6_SRC, 32) + entry_sum_be16((uint16_t)len) +
			entry_sum_be16(WIRE_PROTO_ICMPV6) + entry_sum(icmp, len));
	return WIRE_IPV6_HEADER_LEN + len;
}

uint8_t *core_icmp_too_big(
	const struct core_packet *in, uint8_t *frame, size_t frame_len, uint32_t mtu, size_t *len)
{
	bool v4 = in->family == TP_FAMILY_IPV4;
	unsigned front = WIRE_ICMP_LEN + (v4 ? WIRE_IPV4_HEADER_LEN : WIRE_IPV6_HEADER_LEN);
	uint8_t *quote = frame + WIRE_ETH_LEN, *out = frame - front;
	size_t quoted = frame_len - WIRE_ETH_LEN;

	// The Ethernet header lies where the new IP header comes.
	ethernet_back(out, frame);
	*len = WIRE_ETH_LEN +
	       (v4 ? ipv4_put(in, quote, quoted, mtu) : ipv6_put(in, quote, quoted, mtu));
	return out;
}

// ---- errors of others ---------------------------------------------------------------------------

// Whether an ICMP message of this type carries the packet it is about.
static bool is_error(uint8_t family, uint8_t type)
{
	if (family == TP_FAMILY_IPV6)
		return type >= 1 && type <= 4;
	return type == WIRE_ICMP_UNREACHABLE || type == 4 || type == WIRE_ICMP_EXCEEDED ||
	       type == 12;
}

static bool is_too_big(uint8_t family, const struct core_quote *q)
{
	return family == TP_FAMILY_IPV6
		       ? q->type == WIRE_ICMPV6_TOO_BIG
		       : q->type == WIRE_ICMP_UNREACHABLE && q->code == WIRE_ICMP_TOO_BIG;
}

// RFC 8656 11.5.
static bool is_relayed(uint8_t family, uint8_t type)
{
	if (family == TP_FAMILY_IPV6)
		return type == WIRE_ICMPV6_UNREACHABLE || type == WIRE_ICMPV6_TOO_BIG ||
		       type == WIRE_ICMPV6_EXCEEDED;
	return type == WIRE_ICMP_UNREACHABLE || type == WIRE_ICMP_EXCEEDED;
}

// The MTU of a router that names none (RFC 1191 7.1): the common one below the packet's length.
static uint32_t plateau_below(uint32_t len)
{
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508};

	for (size_t i = 0; i < TP_ARRAY_LEN(plateaus); i++)
		if (plateaus[i] < len)
			return plateaus[i];
	return CORE_MTU_MIN_IPV4;
}

static void mtu_read(const struct core_packet *p, struct core_quote *q)
{
	bool v4 = p->family == TP_FAMILY_IPV4;
	uint32_t least = v4 ? CORE_LEG_MIN_IPV4 : CORE_LEG_MIN_IPV6, mtu;

	q->value = q->leg_mtu = 0;
	if (!is_too_big(p->family, q))
		return;
	q->value = tp_load_be32(p->l4 + WIRE_ICMP_REST) & (v4 ? 0xffffu : UINT32_MAX);
	mtu = v4 && q->value == 0 ? plateau_below(q->len) : q->value;
	if (mtu < least)
		mtu = least;
	if (mtu < q->len)
		q->leg_mtu = mtu;
}

static size_t quoted_ipv4(struct core_quote *q, const uint8_t *ip, size_t have)
{
	size_t header_len;

	if (have < WIRE_IPV4_HEADER_LEN || ip[0] >> 4 != 4 ||
		ip[WIRE_IPV4_PROTO] != WIRE_PROTO_UDP ||
		(tp_load_be16(ip + WIRE_IPV4_FRAG) & 0x1fff) != 0)
		return 0;
	header_len = (ip[0] & 0xfu) * 4;
	if (header_len < WIRE_IPV4_HEADER_LEN || have < header_len + 4)
		return 0;
	q->len = tp_load_be16(ip + WIRE_IPV4_TOTAL_LEN);
	q->src = tp_addr_ipv4(tp_load_be32(ip + WIRE_IPV4_SRC), tp_load_be16(ip + header_len));
	q->dst = tp_addr_ipv4(
		tp_load_be32(ip + WIRE_IPV4_DST), tp_load_be16(ip + header_len + WIRE_UDP_DPORT));
	return header_len;
}

static size_t quoted_ipv6(struct core_quote *q, const uint8_t *ip, size_t have)
{
	size_t header_len = WIRE_IPV6_HEADER_LEN;

	if (have < header_len || ip[0] >> 4 != 6)
		return 0;
	if (ip[WIRE_IPV6_NEXT] == WIRE_NEXT_FRAGMENT && have >= header_len + WIRE_FRAGMENT_LEN &&
		ip[header_len] == WIRE_PROTO_UDP &&
		(tp_load_be16(ip + header_len + 2) & 0xfff8) == 0)
		header_len += WIRE_FRAGMENT_LEN;
	else if (ip[WIRE_IPV6_NEXT] != WIRE_PROTO_UDP)
		return 0;
	if (have < header_len + 4)
		return 0;
	q->len = WIRE_IPV6_HEADER_LEN + (uint32_t)tp_load_be16(ip + WIRE_IPV6_PAYLOAD_LEN);
	q->src = tp_addr_ipv6(ip + WIRE_IPV6_SRC, tp_load_be16(ip + header_len));
	q->dst = tp_addr_ipv6(ip + WIRE_IPV6_DST, tp_load_be16(ip + header_len + WIRE_UDP_DPORT));
	return header_len;
}

bool core_quote_read(const struct core_packet *p, struct core_quote *q)
{
	const uint8_t *ip = p->l4 + WIRE_ICMP_LEN;
	size_t have, header_len;

	if (p->kind != CORE_ICMP || p->fault != TP_DROP_none || p->l4_len < WIRE_ICMP_LEN ||
		!is_error(p->family, p->l4[WIRE_ICMP_TYPE]))
		return false;
	q->type = p->l4[WIRE_ICMP_TYPE];
	q->code = p->l4[WIRE_ICMP_CODE];
	q->relayed = is_relayed(p->family, q->type);
	have = p->l4_len - WIRE_ICMP_LEN;
	header_len =
		p->family == TP_FAMILY_IPV4 ? quoted_ipv4(q, ip, have) : quoted_ipv6(q, ip, have);
	if (header_len == 0)
		return false;
	header_len += WIRE_UDP_HEADER_LEN;
	q->first = have > header_len ? ip[header_len] : -1;
	mtu_read(p, q);
	return true;
}

static bool csum_right(const struct core_packet *p)
{
	uint64_t sum = entry_sum(p->l4, p->l4_len);

	if (p->family == TP_FAMILY_IPV6)
		sum += entry_sum(p->src_ip, 16) + entry_sum(p->dst_ip, 16) +
		       entry_sum_be16((uint16_t)p->l4_len) + entry_sum_be16(WIRE_PROTO_ICMPV6);
	return entry_sum_fold(sum) == 0xffff;
}

// The UDP header says how long the IP packet was, but for the first one of several fragments.
static bool lengths_agree(const struct core_packet *p, const struct core_quote *q)
{
	const uint8_t *ip = p->l4 + WIRE_ICMP_LEN;
	size_t have = p->l4_len - WIRE_ICMP_LEN, header_len;
	bool fragment;

	if (p->family == TP_FAMILY_IPV4) {
		header_len = (ip[0] & 0xfu) * 4;
		fragment = (tp_load_be16(ip + WIRE_IPV4_FRAG) & WIRE_IPV4_FRAG_MASK) != 0;
	} else {
		fragment = ip[WIRE_IPV6_NEXT] == WIRE_NEXT_FRAGMENT;
		header_len = WIRE_IPV6_HEADER_LEN + (fragment ? WIRE_FRAGMENT_LEN : 0);
	}
	if (have < header_len + WIRE_UDP_HEADER_LEN || q->len < header_len + WIRE_UDP_HEADER_LEN)
		return false;
	return fragment || q->len - header_len == tp_load_be16(ip + header_len + WIRE_UDP_LEN);
}

bool core_quote_plausible(const struct core_packet *p, const struct core_quote *q)
{
	if (!lengths_agree(p, q) || (is_too_big(p->family, q) && q->value >= q->len))
		return false;
	return csum_right(p);
}
