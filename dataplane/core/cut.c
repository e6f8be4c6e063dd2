// SPDX-License-Identifier: BSD-3-Clause
#include <core/cut.h>

#include <string.h>

#include <entry/csum.h>
#include <entry/wire.h>

static bool is_ipv4(const struct core_cut *c)
{
	return c->header_len == WIRE_ETH_LEN + WIRE_IPV4_HEADER_LEN;
}

unsigned core_cut_begin(
	struct core_cut *c, const uint8_t *frame, uint32_t len, uint32_t mtu, uint32_t id)
{
	bool v4 = frame[WIRE_ETH_LEN] >> 4 == 4;
	uint32_t front = v4 ? WIRE_IPV4_HEADER_LEN : WIRE_IPV6_HEADER_LEN + WIRE_FRAGMENT_LEN;

	*c = (struct core_cut){.frame = frame, .id = id};
	c->header_len = WIRE_ETH_LEN + (v4 ? WIRE_IPV4_HEADER_LEN : WIRE_IPV6_HEADER_LEN);
	if (!v4 && mtu > CORE_CUT_IPV6_MAX)
		mtu = CORE_CUT_IPV6_MAX;
	if (len <= c->header_len || mtu < front + 8)
		return 0;
	c->len = len - c->header_len;
	c->room = (mtu - front) & ~7u;
	return (c->len + c->room - 1) / c->room;
}

uint32_t core_cut_frame_max(const struct core_cut *c)
{
	return c->header_len + (is_ipv4(c) ? 0 : WIRE_FRAGMENT_LEN) + c->room;
}

static void put_ipv4(uint8_t *ip, uint32_t at, uint32_t len, bool more)
{
	uint16_t csum;

	tp_store_be16(ip + WIRE_IPV4_TOTAL_LEN, (uint16_t)(WIRE_IPV4_HEADER_LEN + len));
	tp_store_be16(
		ip + WIRE_IPV4_FRAG, (uint16_t)((more ? WIRE_IPV4_MORE_FRAGMENTS : 0) | at / 8));
	memset(ip + WIRE_IPV4_CSUM, 0, 2);
	csum = (uint16_t)~entry_sum_fold(entry_sum(ip, WIRE_IPV4_HEADER_LEN));
	memcpy(ip + WIRE_IPV4_CSUM, &csum, sizeof(csum));
}

static void put_ipv6(const struct core_cut *c, uint8_t *ip, uint32_t len, bool more)
{
	uint8_t *fragment = ip + WIRE_IPV6_HEADER_LEN;

	tp_store_be16(ip + WIRE_IPV6_PAYLOAD_LEN, (uint16_t)(WIRE_FRAGMENT_LEN + len));
	fragment[0] = ip[WIRE_IPV6_NEXT];
	fragment[1] = 0;
	tp_store_be16(fragment + 2, (uint16_t)(c->at | (more ? 1u : 0)));
	tp_store_be32(fragment + 4, c->id);
	ip[WIRE_IPV6_NEXT] = WIRE_NEXT_FRAGMENT;
}

uint32_t core_cut_next(struct core_cut *c, uint8_t *to)
{
	uint32_t left = c->len - c->at, len = left < c->room ? left : c->room;
	uint8_t *ip = to + WIRE_ETH_LEN, *body = to + c->header_len;
	bool more = left > len;

	if (left == 0)
		return 0;
	memcpy(to, c->frame, c->header_len);
	if (is_ipv4(c)) {
		put_ipv4(ip, c->at, len, more);
	} else {
		put_ipv6(c, ip, len, more);
		body += WIRE_FRAGMENT_LEN;
	}
	memcpy(body, c->frame + c->header_len + c->at, len);
	c->at += len;
	return (uint32_t)(body - to) + len;
}
