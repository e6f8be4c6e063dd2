// SPDX-License-Identifier: BSD-3-Clause
// The IP header of a packet that IPv4 brought and IPv4 takes on.
#pragma once

#include <core/put.h>

// The first twelve octets of the header that leaves, as eight and four in the host's order, so that
// few words are at hand at a time.
struct core_move4 {
	uint64_t head;
	uint32_t tail;
};

// By those of the one that came. `sum_ip`: struct tp_entry's.
CORE_INLINE struct core_move4 core_move4_read(
	struct core_context *c, const uint8_t *in, uint32_t sum_ip, uint32_t total_len)
{
	const uint32_t twice = 0x4500 + CORE_PROTO_UDP; // in sum_ip as well
	uint64_t head = tp_load_be64(in) & (0xffffull << 48 | CORE_IPV4_DF);
	uint32_t ttl = tp_load_be16(in + CORE_IPV4_TTL) - 0x0100u;
	uint64_t sum;

	head |= (uint64_t)total_len << 32;
	if (!(head & CORE_IPV4_DF))
		head |= (uint32_t)(uint16_t)++c->ip_id << 16;
	sum = head + ttl + tp_ntohs((uint16_t)sum_ip) + CORE_SUM_ZERO - twice;
	return (struct core_move4){head, ttl << 16 | (uint16_t)~core_sum_fold(sum)};
}

CORE_INLINE void core_move4_write(const struct core_move4 *ip, uint8_t *out)
{
	tp_store_be64(out, ip->head);
	tp_store_be32(out + CORE_IPV4_TTL, ip->tail);
}
