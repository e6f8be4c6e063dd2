// SPDX-License-Identifier: BSD-3-Clause
// A channel at one end and IPv4 at both: nearly all media. The headers move by the four octets of
// the channel's own and nothing else does, so this is <core/rewrite.h>'s core_channel_to_peer and
// core_peer_to_channel with all that varies taken out. It writes what they would.
#pragma once

#include <core/put.h>

#define CORE_CHANNEL4_HEADERS (CORE_ETH_LEN + CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN)

// Whether the entry's header is IPv4's and leaves, for a channel at the end that `to_peer` says.
CORE_INLINE bool core_channel4_fits(const struct tp_entry *e, bool to_peer)
{
	const uint8_t want[2] = {
		CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN + (to_peer ? 0 : TP_CHANNEL_HEADER_LEN),
		0};

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

// The first twelve octets of an IP header, each word read just before the place where it stood may
// be written: from the front for a frame that moves to the front, from the back for the other.
CORE_INLINE void core_channel4_ip(struct core_context *c, const uint8_t *in, uint8_t *out,
	const uint8_t eth[16], uint32_t sum, uint32_t total_be, bool to_front)
{
	const uint32_t df = core_sum_be16(CORE_IPV4_DF);
	uint32_t tos, frag, id = 0, ttl;

	sum += total_be;
	if (to_front) {
		tos = core_sum_word(in);
		memcpy(out - CORE_ETH_LEN, eth, 16);
		core_channel4_put2(out, tos);
		sum += tos;
		core_channel4_put2(out + CORE_IPV4_TOTAL_LEN, total_be);
	} else {
		ttl = core_sum_word(in + CORE_IPV4_TTL) - core_sum_be16(0x0100);
		core_channel4_put2(out + CORE_IPV4_TTL, ttl);
		sum += ttl;
	}
	frag = core_sum_word(in + CORE_IPV4_FRAG) & df;
	if (frag == 0)
		id = core_sum_be16(++c->ip_id);
	core_channel4_put2(out + CORE_IPV4_ID, id);
	core_channel4_put2(out + CORE_IPV4_FRAG, frag);
	sum += id + frag;
	if (to_front) {
		ttl = core_sum_word(in + CORE_IPV4_TTL) - core_sum_be16(0x0100);
		core_channel4_put2(out + CORE_IPV4_TTL, ttl);
		sum += ttl;
	} else {
		core_channel4_put2(out + CORE_IPV4_TOTAL_LEN, total_be);
		tos = core_sum_word(in);
		memcpy(out - CORE_ETH_LEN, eth, 16);
		core_channel4_put2(out, tos);
		sum += tos;
	}
	core_channel4_put2(out + CORE_IPV4_CSUM, ~core_sum_fold32(sum));
}

// The twelve octets behind them, addresses and ports, and the rest of the UDP header.
CORE_INLINE void core_channel4_udp(
	uint8_t *out, const struct tp_entry *e, uint32_t udp_len_be, uint32_t csum)
{
	uint8_t *udp = out + CORE_IPV4_HEADER_LEN;

	core_channel4_put2(udp + CORE_UDP_CSUM, csum);
	core_channel4_put2(udp + CORE_UDP_LEN, udp_len_be);
	memcpy(out + CORE_IPV4_SRC, e->header + CORE_IPV4_SRC, 12);
}

// Rewrites an exact and simple frame by the client's CHANNEL or the peer's PEER that fits. `eth`:
// the Ethernet header to send, and two octets of anything. The frame begins four octets further on
// afterwards, or four less, for which there must be room; returns where. `data_len`: octets
// relayed.
CORE_INLINE uint8_t *core_channel4_move(struct core_context *c, uint8_t *frame,
	const struct tp_entry *e, bool to_peer, const uint8_t eth[16], uint32_t data_len)
{
	const uint32_t fixed = core_sum_be16(0x4500) + core_sum_be16(CORE_PROTO_UDP);
	const uint32_t udp_len =
		CORE_UDP_HEADER_LEN + (to_peer ? 0 : TP_CHANNEL_HEADER_LEN) + data_len;
	uint8_t *in = frame + CORE_ETH_LEN, *udp = in + CORE_IPV4_HEADER_LEN;
	uint8_t *out = to_peer ? in + TP_CHANNEL_HEADER_LEN : in - TP_CHANNEL_HEADER_LEN;
	uint32_t data_len_be = core_sum_be16((uint16_t)data_len);
	uint32_t udp_len_be = core_sum_be16((uint16_t)udp_len);
	uint32_t total_be = core_sum_be16((uint16_t)(CORE_IPV4_HEADER_LEN + udp_len));
	uint32_t csum =
		core_channel4_csum(core_sum_word(udp + CORE_UDP_CSUM), e, data_len_be, to_peer);

	if (to_peer) {
		core_channel4_udp(out, e, udp_len_be, csum);
		core_channel4_ip(c, in, out, eth, e->sum_ip - fixed, total_be, false);
	} else {
		core_channel4_ip(c, in, out, eth, e->sum_ip - fixed, total_be, true);
		core_channel4_udp(out, e, udp_len_be, csum);
		udp = out + CORE_IPV4_HEADER_LEN;
		memcpy(udp + CORE_UDP_HEADER_LEN,
			e->header + CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN, 2);
		core_channel4_put2(udp + CORE_UDP_HEADER_LEN + 2, data_len_be);
	}
	return out - CORE_ETH_LEN;
}
