// SPDX-License-Identifier: BSD-3-Clause
// A channel at one end and IPv6 at both: <core/channel4.h>'s for the other family.
#pragma once

#include <core/channel4.h>

#define CORE_CHANNEL6_HEADERS (WIRE_ETH_LEN + WIRE_IPV6_HEADER_LEN + WIRE_UDP_HEADER_LEN)

// Bytes of an entry's header with a channel's.
#define CORE_CHANNEL6_HEADER_LEN                                                                   \
	(WIRE_IPV6_HEADER_LEN + WIRE_UDP_HEADER_LEN + TP_CHANNEL_HEADER_LEN)

// Whether the entry's header is IPv6's, with `extra` bytes behind UDP, and leaves.
CORE_INLINE bool core_channel6_fits(const struct tp_entry *e, unsigned extra)
{
	const uint8_t want[2] = {(uint8_t)(WIRE_IPV6_HEADER_LEN + WIRE_UDP_HEADER_LEN + extra), 0};

	return entry_sum_word(&e->header_len) == entry_sum_word(want) && e->header[0] == 0x60;
}

// Whether a plain IPv6 frame has a hop left. A UDP checksum it has, or it were not plain.
CORE_INLINE bool core_channel6_simple(const uint8_t *frame)
{
	return frame[WIRE_ETH_LEN + WIRE_IPV6_HOP_LIMIT] > 1;
}

// The first eight bytes of the header that leaves, as stored: no flow label, one hop less.
CORE_INLINE uint64_t core_move6_read(const uint8_t *in, uint32_t udp_len_be)
{
	uint64_t hops = in[WIRE_IPV6_HOP_LIMIT] - 1u;
	uint32_t class;

	// Version and traffic class.
	memcpy(&class, in, sizeof(class));
	return (class & 0xf0ffu) | (uint64_t)udp_len_be << 32 | (uint64_t)WIRE_PROTO_UDP << 48 |
	       hops << 56;
}

// Rewrites an exact and simple frame, as core_channel4_move does.
CORE_INLINE uint8_t *core_channel6_move(uint8_t *frame, const struct tp_entry *e, bool to_peer,
	const uint8_t eth[16], uint32_t data_len)
{
	const uint32_t udp_len =
		WIRE_UDP_HEADER_LEN + (to_peer ? 0 : TP_CHANNEL_HEADER_LEN) + data_len;
	uint8_t *in = frame + WIRE_ETH_LEN, *udp = in + WIRE_IPV6_HEADER_LEN;
	uint8_t *out = to_peer ? in + TP_CHANNEL_HEADER_LEN : in - TP_CHANNEL_HEADER_LEN;
	uint32_t data_len_be = entry_sum_be16((uint16_t)data_len);
	uint32_t udp_len_be = entry_sum_be16((uint16_t)udp_len);
	uint32_t csum = core_channel4_csum(
		core_channel4_sum(entry_sum_word(udp + WIRE_UDP_CSUM), e, data_len_be, to_peer));
	uint64_t head = core_move6_read(in, udp_len_be);

	memcpy(out - WIRE_ETH_LEN, eth, 16);
	memcpy(out, &head, sizeof(head));
	memcpy(out + WIRE_IPV6_SRC, e->header + WIRE_IPV6_SRC, 36); // addresses and ports
	udp = out + WIRE_IPV6_HEADER_LEN;
	core_channel4_put_udp(udp, udp_len_be, csum);
	if (!to_peer)
		core_channel4_put_channel(udp + WIRE_UDP_HEADER_LEN,
			e->header + WIRE_IPV6_HEADER_LEN + WIRE_UDP_HEADER_LEN, data_len_be);
	return out - WIRE_ETH_LEN;
}

// Rewrites an exact and simple frame of ChannelData, as core_channel4_turn does.
CORE_INLINE void core_channel6_turn(uint8_t *frame, const struct tp_entry *channel,
	const struct tp_entry *peer, const uint8_t eth[16])
{
	uint8_t *ip = frame + WIRE_ETH_LEN, *udp = ip + WIRE_IPV6_HEADER_LEN;
	uint32_t sum = CORE_SUM_ZERO + entry_sum_word(udp + WIRE_UDP_CSUM) + channel->sum_in -
		       peer->sum_out;
	uint64_t head = core_move6_read(ip, entry_sum_word(ip + WIRE_IPV6_PAYLOAD_LEN));

	memcpy(frame, eth, 16);
	memcpy(ip, &head, sizeof(head));
	memcpy(ip + WIRE_IPV6_SRC, peer->header + WIRE_IPV6_SRC, 36); // addresses and ports
	core_channel4_put2(udp + WIRE_UDP_CSUM, core_channel4_csum(sum));
	memcpy(udp + WIRE_UDP_HEADER_LEN, peer->header + WIRE_IPV6_HEADER_LEN + WIRE_UDP_HEADER_LEN,
		2);
}
