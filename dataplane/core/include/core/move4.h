// SPDX-License-Identifier: BSD-3-Clause
// The IP header of a packet that IPv4 brought and IPv4 takes on. Part of the fast path, for hosts
// that store the lower byte first.
#pragma once

#include <core/put.h>

// The first twelve bytes of the header that leaves, as stored, so that few words are at hand at a
// time.
struct core_move4 {
	uint64_t head;
	uint32_t tail;
};

// Makes them from those of the one that came. `sum_ip`: struct tp_entry's. `len_be`: the total
// length; `id_be`: the id that it gets unless it must not be fragmented. Both as stored.
CORE_INLINE struct core_move4 core_move4_read(
	const uint8_t *in, uint32_t sum_ip, uint32_t len_be, uint32_t id_be)
{
	const uint64_t kept = 0xffffull | (uint64_t)(WIRE_IPV4_DF >> 8) << 48; // TOS, DF
	const uint32_t twice = 0x45 + (WIRE_PROTO_UDP << 8);		       // in sum_ip as well
	uint32_t ttl = entry_sum_word(in + WIRE_IPV4_TTL) - 1u;
	uint64_t head, sum;

	memcpy(&head, in, sizeof(head));
	head = (head & kept) | len_be << 16;
	if (!(head >> 48))
		head |= (uint64_t)id_be << 32;
	sum = head + ttl + sum_ip + (CORE_SUM_ZERO - twice);
	return (struct core_move4){head, ttl | (uint32_t)(uint16_t)~entry_sum_fold(sum) << 16};
}

CORE_INLINE void core_move4_write(const struct core_move4 *ip, uint8_t *out)
{
	memcpy(out, &ip->head, sizeof(ip->head));
	memcpy(out + WIRE_IPV4_TTL, &ip->tail, sizeof(ip->tail));
}
