// SPDX-License-Identifier: BSD-3-Clause
// A channel at one end and IPv4 at both: nearly all media. The headers move by the four bytes of
// the channel's own and nothing else does, so this is <core/rewrite.h>'s core_channel_to_peer and
// core_peer_to_channel with all that varies taken out. The result is the same.
#pragma once

#include <core/move4.h>

// Bytes of an entry's header with a channel's.
#define CORE_CHANNEL4_HEADER_LEN                                                                   \
	(WIRE_IPV4_HEADER_LEN + WIRE_UDP_HEADER_LEN + TP_CHANNEL_HEADER_LEN)
#define CORE_CHANNEL4_HEADERS (WIRE_ETH_LEN + WIRE_IPV4_HEADER_LEN + WIRE_UDP_HEADER_LEN)

// Whether the entry's header is IPv4's, with `extra` bytes behind UDP, and leaves.
CORE_INLINE bool core_channel4_fits(const struct tp_entry *e, unsigned extra)
{
	const uint8_t want[2] = {(uint8_t)(WIRE_IPV4_HEADER_LEN + WIRE_UDP_HEADER_LEN + extra), 0};

	_Static_assert(
		offsetof(struct tp_entry, flags) == offsetof(struct tp_entry, header_len) + 1,
		"compared at once");
	return entry_sum_word(&e->header_len) == entry_sum_word(want) && e->header[0] == 0x45;
}

// Whether a plain IPv4 frame has a UDP checksum and a TTL left.
CORE_INLINE bool core_channel4_simple(const uint8_t *frame)
{
	const uint8_t *ip = frame + WIRE_ETH_LEN;

	return ip[WIRE_IPV4_TTL] > 1 &&
	       entry_sum_word(ip + WIRE_IPV4_HEADER_LEN + WIRE_UDP_CSUM) != 0;
}

// The UDP checksum that leaves. `sum`: the one that came, plus the sums taken off, minus those put
// on, more than 0: the complement of a checksum's sum. Folded, it is never 0, which would mean
// "none", but 0xffff.
CORE_INLINE uint32_t core_channel4_csum(uint32_t sum)
{
	return entry_sum_fold32(sum);
}

// The sum of one that came with a channel's header or leaves with one. Two UDP lengths change by
// its four bytes; its own length comes or goes.
CORE_INLINE uint32_t core_channel4_sum(
	uint32_t csum, const struct tp_entry *e, uint32_t data_len_be, bool to_peer)
{
	const uint32_t moved = 2u * entry_sum_be16(TP_CHANNEL_HEADER_LEN);
	uint32_t sum = CORE_SUM_ZERO + csum + e->sum_in - e->sum_out;

	return to_peer ? sum + moved + data_len_be : sum - moved - data_len_be;
}

CORE_INLINE void core_channel4_put2(uint8_t *at, uint32_t word)
{
	uint16_t w = (uint16_t)word;

	memcpy(at, &w, sizeof(w));
}

// UDP's length and checksum at once, both as stored.
CORE_INLINE void core_channel4_put_udp(uint8_t *udp, uint32_t len_be, uint32_t csum)
{
	uint32_t both = len_be | csum << 16;

	memcpy(udp + WIRE_UDP_LEN, &both, sizeof(both));
}

// A channel's header: its number as in the template, and the length as stored.
CORE_INLINE void core_channel4_put_channel(
	uint8_t *msg, const uint8_t *number, uint32_t data_len_be)
{
	uint32_t both = entry_sum_word(number) | data_len_be << 16;

	memcpy(msg, &both, sizeof(both));
}

// Rewrites an exact and simple frame by the client's CHANNEL or the peer's PEER that fits. `eth`:
// the Ethernet header to send, and two bytes of anything. The frame begins four bytes further on
// afterwards, or four less, for which there must be room; returns where. `data_len`: bytes relayed.
CORE_INLINE uint8_t *core_channel4_move(uint32_t ip_id_be, uint8_t *frame, const struct tp_entry *e,
	bool to_peer, const uint8_t eth[16], uint32_t data_len)
{
	const uint32_t udp_len =
		WIRE_UDP_HEADER_LEN + (to_peer ? 0 : TP_CHANNEL_HEADER_LEN) + data_len;
	uint8_t *in = frame + WIRE_ETH_LEN, *udp = in + WIRE_IPV4_HEADER_LEN;
	uint8_t *out = to_peer ? in + TP_CHANNEL_HEADER_LEN : in - TP_CHANNEL_HEADER_LEN;
	uint32_t data_len_be = to_peer ? entry_sum_word(udp + WIRE_UDP_HEADER_LEN + 2)
				       : entry_sum_be16((uint16_t)data_len);
	uint32_t csum = core_channel4_csum(
		core_channel4_sum(entry_sum_word(udp + WIRE_UDP_CSUM), e, data_len_be, to_peer));
	struct core_move4 ip = core_move4_read(in, e->sum_ip,
		entry_sum_be16((uint16_t)(WIRE_IPV4_HEADER_LEN + udp_len)), ip_id_be);

	memcpy(out - WIRE_ETH_LEN, eth, 16);
	core_move4_write(&ip, out);
	memcpy(out + WIRE_IPV4_SRC, e->header + WIRE_IPV4_SRC, 12); // addresses and ports
	udp = out + WIRE_IPV4_HEADER_LEN;
	core_channel4_put_udp(udp, entry_sum_be16((uint16_t)udp_len), csum);
	if (!to_peer)
		core_channel4_put_channel(udp + WIRE_UDP_HEADER_LEN,
			e->header + WIRE_IPV4_HEADER_LEN + WIRE_UDP_HEADER_LEN, data_len_be);
	return out - WIRE_ETH_LEN;
}

// Rewrites an exact and simple frame of ChannelData, by the sender's CHANNEL, into ChannelData by
// the receiver's PEER with a header of IPv4: <core/rewrite.h>'s core_channel_to_channel. Its place
// and lengths stay the same.
CORE_INLINE void core_channel4_turn(uint32_t ip_id_be, uint8_t *frame,
	const struct tp_entry *channel, const struct tp_entry *peer, const uint8_t eth[16])
{
	uint8_t *ip = frame + WIRE_ETH_LEN, *udp = ip + WIRE_IPV4_HEADER_LEN;
	uint32_t sum = CORE_SUM_ZERO + entry_sum_word(udp + WIRE_UDP_CSUM) + channel->sum_in -
		       peer->sum_out;
	struct core_move4 move = core_move4_read(
		ip, peer->sum_ip, entry_sum_word(ip + WIRE_IPV4_TOTAL_LEN), ip_id_be);

	memcpy(frame, eth, 16);
	core_move4_write(&move, ip);
	memcpy(ip + WIRE_IPV4_SRC, peer->header + WIRE_IPV4_SRC, 12); // addresses and ports
	core_channel4_put2(udp + WIRE_UDP_CSUM, core_channel4_csum(sum));
	memcpy(udp + WIRE_UDP_HEADER_LEN, peer->header + WIRE_IPV4_HEADER_LEN + WIRE_UDP_HEADER_LEN,
		2);
}
