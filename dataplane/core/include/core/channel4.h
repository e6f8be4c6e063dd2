// SPDX-License-Identifier: BSD-3-Clause
// A channel at one end and IPv4 at both: nearly all media. The headers move by the four octets of
// the channel's own and nothing else does, so this is <core/rewrite.h>'s core_channel_to_peer and
// core_peer_to_channel with all that varies taken out. It writes what they would.
#pragma once

#include <core/move4.h>

#define CORE_CHANNEL4_HEADERS (CORE_ETH_LEN + CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN)

// Whether the entry's header is IPv4's, with `extra` octets behind UDP, and leaves.
CORE_INLINE bool core_channel4_fits(const struct tp_entry *e, unsigned extra)
{
	const uint8_t want[2] = {(uint8_t)(CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN + extra), 0};

	_Static_assert(
		offsetof(struct tp_entry, flags) == offsetof(struct tp_entry, header_len) + 1,
		"compared at once");
	return core_sum_word(&e->header_len) == core_sum_word(want) && e->header[0] == 0x45;
}

// Whether a plain IPv4 frame has a UDP checksum and a TTL left.
CORE_INLINE bool core_channel4_simple(const uint8_t *frame)
{
	const uint8_t *ip = frame + CORE_ETH_LEN;

	return ip[CORE_IPV4_TTL] > 1 &&
	       core_sum_word(ip + CORE_IPV4_HEADER_LEN + CORE_UDP_CSUM) != 0;
}

// The UDP checksum that leaves, by the one that came. Two UDP lengths change by the channel
// header's four octets; its own length comes or goes.
CORE_INLINE uint32_t core_channel4_csum(
	uint32_t csum, const struct tp_entry *e, uint32_t data_len_be, bool to_peer)
{
	const uint32_t moved = 2u * core_sum_be16(TP_CHANNEL_HEADER_LEN);
	uint32_t sum = CORE_SUM_ZERO + (csum ^ 0xffffu) + e->sum_out - e->sum_in;

	return core_csum_udp32(to_peer ? sum - moved - data_len_be : sum + moved + data_len_be);
}

CORE_INLINE void core_channel4_put2(uint8_t *at, uint32_t word)
{
	uint16_t w = (uint16_t)word;

	memcpy(at, &w, sizeof(w));
}

// Rewrites an exact and simple frame by the client's CHANNEL or the peer's PEER that fits. `eth`:
// the Ethernet header to send, and two octets of anything. The frame begins four octets further on
// afterwards, or four less, for which there must be room; returns where. `data_len`: octets
// relayed.
CORE_INLINE uint8_t *core_channel4_move(struct core_context *c, uint8_t *frame,
	const struct tp_entry *e, bool to_peer, const uint8_t eth[16], uint32_t data_len)
{
	const uint32_t udp_len =
		CORE_UDP_HEADER_LEN + (to_peer ? 0 : TP_CHANNEL_HEADER_LEN) + data_len;
	uint8_t *in = frame + CORE_ETH_LEN, *udp = in + CORE_IPV4_HEADER_LEN;
	uint8_t *out = to_peer ? in + TP_CHANNEL_HEADER_LEN : in - TP_CHANNEL_HEADER_LEN;
	uint32_t data_len_be = core_sum_be16((uint16_t)data_len);
	uint32_t csum =
		core_channel4_csum(core_sum_word(udp + CORE_UDP_CSUM), e, data_len_be, to_peer);
	struct core_move4 ip = core_move4_read(c, in, e->sum_ip, CORE_IPV4_HEADER_LEN + udp_len);

	memcpy(out - CORE_ETH_LEN, eth, 16);
	core_move4_write(&ip, out);
	memcpy(out + CORE_IPV4_SRC, e->header + CORE_IPV4_SRC, 12); // addresses and ports
	udp = out + CORE_IPV4_HEADER_LEN;
	core_channel4_put2(udp + CORE_UDP_LEN, core_sum_be16((uint16_t)udp_len));
	core_channel4_put2(udp + CORE_UDP_CSUM, csum);
	if (!to_peer) {
		memcpy(udp + CORE_UDP_HEADER_LEN,
			e->header + CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN, 2);
		core_channel4_put2(udp + CORE_UDP_HEADER_LEN + 2, data_len_be);
	}
	return out - CORE_ETH_LEN;
}
