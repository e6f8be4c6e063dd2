// SPDX-License-Identifier: BSD-3-Clause
// A channel at one end and IPv4 at both: nearly all media. The headers move by the four octets of
// the channel's own and nothing else does, so this is <core/rewrite.h>'s core_channel_to_peer and
// core_peer_to_channel with all that varies taken out. It writes what they would.
#pragma once

#include <core/put.h>

#define CORE_CHANNEL4_HEADERS (CORE_ETH_LEN + CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN)

// Whether a plain IPv4 frame (ChannelData, if `to_peer`) has a UDP checksum and no padding. If not,
// this is no way for it.
CORE_INLINE bool core_channel4_simple(const uint8_t *frame, bool to_peer)
{
	const uint8_t *udp = frame + CORE_ETH_LEN + CORE_IPV4_HEADER_LEN;

	return core_sum_word(udp + CORE_UDP_CSUM) != 0 &&
	       (!to_peer || tp_load_be16(udp + CORE_UDP_LEN) ==
				    CORE_UDP_HEADER_LEN + TP_CHANNEL_HEADER_LEN +
					    (uint32_t)tp_load_be16(udp + CORE_UDP_HEADER_LEN + 2));
}

// The UDP checksum that leaves, by the one that came.
CORE_INLINE uint16_t core_channel4_csum(const uint8_t *udp, const struct tp_entry *e,
	uint16_t udp_len_be, uint16_t data_len_be, bool to_peer)
{
	uint32_t sum = CORE_SUM_ZERO + (core_sum_word(udp + CORE_UDP_CSUM) ^ 0xffffu) + e->sum_out -
		       e->sum_in;

	sum += 2u * udp_len_be - 2u * core_sum_word(udp + CORE_UDP_LEN);
	return core_csum_udp32(to_peer ? sum - data_len_be : sum + data_len_be);
}

// The first twelve octets of an IP header, by those of the one that came. All words are as stored.
CORE_INLINE void core_channel4_put_ip(struct core_context *c, const uint8_t *in, uint8_t *out,
	uint16_t sum_ip, uint32_t total_len)
{
	const uint32_t version = core_sum_be16(0x4500), proto = core_sum_be16(CORE_PROTO_UDP);
	uint16_t tos = core_sum_word(in), total_len_be = core_sum_be16((uint16_t)total_len);
	uint16_t ttl = (uint16_t)(core_sum_word(in + CORE_IPV4_TTL) - core_sum_be16(0x0100));
	uint16_t frag = core_sum_word(in + CORE_IPV4_FRAG) & core_sum_be16(CORE_IPV4_DF), id = 0;
	uint16_t csum;

	if (frag == 0)
		id = core_sum_be16(++c->ip_id);
	csum = (uint16_t)~core_sum_fold32(
		(uint32_t)sum_ip + tos - version + total_len_be + id + frag + ttl - proto);
	memcpy(out, &tos, 2);
	memcpy(out + CORE_IPV4_TOTAL_LEN, &total_len_be, 2);
	memcpy(out + CORE_IPV4_ID, &id, 2);
	memcpy(out + CORE_IPV4_FRAG, &frag, 2);
	memcpy(out + CORE_IPV4_TTL, &ttl, 2);
	memcpy(out + CORE_IPV4_CSUM, &csum, 2);
}

// `e`: the client's CHANNEL, or the peer's PEER, whose header is IPv4's. The frame begins four
// octets further on afterwards, or four less, for which there must be `headroom`. Fills in the
// octets relayed; returns the reason why not, and has written nothing then.
CORE_INLINE enum tp_drop core_channel4_move(struct core_context *c, uint8_t *frame,
	const struct tp_entry *e, bool to_peer, uint32_t headroom, uint32_t max_len,
	uint32_t *data_len)
{
	uint8_t *in = frame + CORE_ETH_LEN, *udp = in + CORE_IPV4_HEADER_LEN;
	uint8_t *out = to_peer ? in + TP_CHANNEL_HEADER_LEN : in - TP_CHANNEL_HEADER_LEN;
	uint32_t in_len = tp_load_be16(udp + CORE_UDP_LEN);
	uint32_t udp_len =
		to_peer ? in_len - TP_CHANNEL_HEADER_LEN : in_len + TP_CHANNEL_HEADER_LEN;
	uint16_t udp_len_be = core_sum_be16((uint16_t)udp_len), data_len_be, csum;

	*data_len = (to_peer ? udp_len : in_len) - CORE_UDP_HEADER_LEN;
	data_len_be = to_peer ? core_sum_word(udp + CORE_UDP_HEADER_LEN + 2)
			      : core_sum_be16((uint16_t)*data_len);
	if (__builtin_expect(in[CORE_IPV4_TTL] <= 1, 0))
		return TP_DROP_ttl_expired;
	if (__builtin_expect(CORE_IPV4_HEADER_LEN + udp_len > max_len, 0))
		return TP_DROP_too_big;
	if (__builtin_expect(!to_peer && headroom < TP_CHANNEL_HEADER_LEN, 0))
		return TP_DROP_no_memory;
	csum = core_channel4_csum(udp, e, udp_len_be, data_len_be, to_peer);
	core_channel4_put_ip(c, in, out, e->sum_ip, CORE_IPV4_HEADER_LEN + udp_len);
	memcpy(out + CORE_IPV4_SRC, e->header + CORE_IPV4_SRC, 12); // addresses and ports
	udp = out + CORE_IPV4_HEADER_LEN;
	memcpy(udp + CORE_UDP_LEN, &udp_len_be, sizeof(udp_len_be));
	memcpy(udp + CORE_UDP_CSUM, &csum, sizeof(csum));
	if (!to_peer) {
		memcpy(udp + CORE_UDP_HEADER_LEN,
			e->header + CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN, 2);
		memcpy(udp + CORE_UDP_HEADER_LEN + 2, &data_len_be, sizeof(data_len_be));
	}
	return TP_DROP_none;
}
