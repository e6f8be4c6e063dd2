// SPDX-License-Identifier: BSD-3-Clause
// Extracts the payload to relay from a packet, and its part of the sender's checksum. Part of
// <core/rewrite.h>; always inlined, so that each direction gets a copy with its constants folded in
// and a description of the packet that never sees memory.
#pragma once

#include <entry/csum.h>
#include <core/message.h>
#include <core/packet.h>
#include <turnpike/entry.h>

#define CORE_INLINE   static inline __attribute__((always_inline))

// A multiple of 0xffff, thus zero as a ones' complement sum, and larger than the sums subtracted
// from it below.
#define CORE_SUM_ZERO (16u * 0xffffu)

struct core_payload {
	uint8_t *at;
	uint32_t len;
	uint32_t sum;	    // of its words, less than CORE_SUM_ZERO + 0xffff
	bool dont_fragment; // the client asked for it
};

// The sum of the payload alone, from the sender's checksum. `taken`: all in front of and behind it
// but the two UDP lengths, at most ten times 0xffff.
CORE_INLINE uint32_t entry_sum_left(const struct core_packet *p, uint32_t taken)
{
	return CORE_SUM_ZERO + (p->csum ^ 0xffffu) - taken - 2u * p->l4_len_be;
}

CORE_INLINE struct core_payload core_take_channel(
	const struct core_packet *p, const struct tp_entry *channel)
{
	uint8_t *msg = core_packet_payload(p);
	uint32_t len_be = entry_sum_word(msg + 2), len = tp_ntohs((uint16_t)len_be);
	uint32_t behind = core_packet_payload_len(p) - TP_CHANNEL_HEADER_LEN - len;
	struct core_payload d = {.at = msg + TP_CHANNEL_HEADER_LEN, .len = len};
	uint32_t taken = channel->sum_in + len_be;

	// Padding is allowed over UDP too (RFC 8656 12.5) and is not relayed.
	if (__builtin_expect(behind != 0, 0))
		taken += entry_sum_fold(entry_sum_at(d.at + len, behind, len & 1));
	d.sum = entry_sum_left(p, taken);
	return d;
}

// The sum of the bytes in front of DATA's value: nearly always a header and an IPv4 address.
CORE_INLINE uint32_t entry_sum_front(const uint8_t *msg, uint32_t len)
{
	if (__builtin_expect(len == TP_STUN_HEADER_LEN + 16, 1))
		return entry_sum_fold(entry_sum_full_36(msg));
	return entry_sum_fold(entry_sum(msg, len));
}

// The sum of the bytes behind it: none, or padding and a FINGERPRINT. `odd`: it begins at an odd
// offset.
CORE_INLINE uint32_t entry_sum_behind(const uint8_t *at, uint32_t len, bool odd)
{
	if (len == 0)
		return 0;
	if (__builtin_expect(len == 8, 1))
		return entry_sum_fold(entry_sum_4(at) + entry_sum_4(at + 4));
	return entry_sum_fold(entry_sum_at(at, len, odd));
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
	uint32_t taken = client->sum_in + entry_sum_front(msg, send->data_off) +
			 entry_sum_behind(msg + end, len - end, end & 1);

	d.sum = entry_sum_left(p, taken);
	return d;
}

// `sum_in`: at most twice 0xffff.
CORE_INLINE struct core_payload core_take_datagram(const struct core_packet *p, uint32_t sum_in)
{
	struct core_payload d = {.at = core_packet_payload(p), .len = core_packet_payload_len(p)};

	d.sum = entry_sum_left(p, sum_in);
	return d;
}
