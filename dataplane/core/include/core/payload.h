// SPDX-License-Identifier: BSD-3-Clause
// Taking out of a packet what is to be relayed, and what the sender's checksum says about it. Part
// of <core/rewrite.h>; always inlined, so that each direction gets a copy with its constants folded
// in and a description of the packet that never sees memory.
#pragma once

#include <core/csum.h>
#include <core/message.h>
#include <core/packet.h>
#include <turnpike/entry.h>

#define CORE_INLINE   static inline __attribute__((always_inline))

// A multiple of 0xffff, thus zero as a ones' complement sum, and larger than what is subtracted
// from it below.
#define CORE_SUM_ZERO (16u * 0xffffu)

struct core_payload {
	uint8_t *at;
	uint32_t len;
	uint32_t sum;	    // of its words, less than CORE_SUM_ZERO + 0xffff
	bool dont_fragment; // the client asked for it
};

// The sum of the payload alone: what the sender's checksum leaves of it. `taken`: all in front of
// and behind it but the two UDP lengths, at most ten times 0xffff.
CORE_INLINE uint32_t core_sum_left(const struct core_packet *p, uint32_t taken)
{
	return CORE_SUM_ZERO + (p->csum ^ 0xffffu) - taken - 2u * p->l4_len_be;
}

CORE_INLINE struct core_payload core_take_channel(
	const struct core_packet *p, const struct tp_entry *channel)
{
	uint8_t *msg = core_packet_payload(p);
	uint32_t len_be = core_sum_word(msg + 2), len = tp_ntohs((uint16_t)len_be);
	uint32_t behind = core_packet_payload_len(p) - TP_CHANNEL_HEADER_LEN - len;
	struct core_payload d = {.at = msg + TP_CHANNEL_HEADER_LEN, .len = len};
	uint32_t taken = channel->sum_in + len_be;

	// Padding is allowed over UDP too (RFC 8656 12.5) and is not relayed.
	if (__builtin_expect(behind != 0, 0))
		taken += core_sum_fold(core_sum_at(d.at + len, behind, len & 1));
	d.sum = core_sum_left(p, taken);
	return d;
}

// What stands in front of DATA's value: nearly always a header and an IPv4 address.
CORE_INLINE uint32_t core_sum_front(const uint8_t *msg, uint32_t len)
{
	if (__builtin_expect(len == TP_STUN_HEADER_LEN + 16, 1))
		return core_sum_fold(core_sum_full_36(msg));
	return core_sum_fold(core_sum(msg, len));
}

// What stands behind it: nothing, or padding and a FINGERPRINT. `odd`: it begins at an odd offset.
CORE_INLINE uint32_t core_sum_behind(const uint8_t *at, uint32_t len, bool odd)
{
	if (len == 0)
		return 0;
	if (__builtin_expect(len == 8, 1))
		return core_sum_fold(core_sum_4(at) + core_sum_4(at + 4));
	return core_sum_fold(core_sum_at(at, len, odd));
}

CORE_INLINE struct core_payload core_take_send(
	const struct core_packet *p, const struct core_send *send, const struct tp_entry *client)
{
	uint8_t *msg = core_packet_payload(p);
	uint32_t len = core_packet_payload_len(p);
	uint32_t end = (uint32_t)send->data_off + send->data_len;
	struct core_payload d = {.at = msg + send->data_off,
		.len = send->data_len,
		.dont_fragment = send->dont_fragment};
	uint32_t taken = client->sum_in + core_sum_front(msg, send->data_off) +
			 core_sum_behind(msg + end, len - end, end & 1);

	d.sum = core_sum_left(p, taken);
	return d;
}

// `sum_in`: at most twice 0xffff.
CORE_INLINE struct core_payload core_take_datagram(const struct core_packet *p, uint32_t sum_in)
{
	struct core_payload d = {.at = core_packet_payload(p), .len = core_packet_payload_len(p)};

	d.sum = core_sum_left(p, sum_in);
	return d;
}
