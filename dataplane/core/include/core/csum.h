// SPDX-License-Identifier: BSD-3-Clause
// Internet checksums (RFC 1071), full and incremental (RFC 1624).
//
// A sum here is the ones' complement sum of 16-bit words as stored: read from memory in host order
// and never swapped (RFC 1071 2 B), so it goes back to memory the same way. Sums live in 64-bit
// accumulators and are folded at the end; 0 and 0xffff are the same sum. To subtract a word is to
// add its complement.
//
// The checksum of a relayed datagram is not computed over its payload. What the sender's checksum
// says about the payload is what is left of it when everything in front of (and behind) the payload
// is taken off; what the relay puts in front is added to that:
//
//   payload = ~arriving - (sum_in  + 2 * UDP length on arrival + length fields and the rest)
//   leaving = ~(payload + (sum_out + 2 * UDP length on leaving + length fields and the rest))
//
// So a checksum that was wrong on arrival is wrong, by the same difference, when it leaves. The UDP
// length counts twice: in the UDP header and in the pseudo header.
//
// struct tp_entry's sums, filled in by <core/template.h>. Both cover source and destination
// address, protocol, source and destination port, and beyond these:
//
//   kind        sum_in (arriving)                   sum_out (leaving)
//   ALLOCATION  client to listener                  listener to client
//   CHANNEL     client to listener, channel number  relayed transport address to peer
//   PEER        peer to relayed transport address   listener to client, channel number
//   PERMISSION  peer to relayed transport address,  relayed transport address to peer,
//               the peer's port excepted            the peer's port excepted
//
// UDP lengths, the channel header's length and all of a STUN message outside DATA are never in
// them. sum_ip covers the IPv4 header template with total length, id, TOS, flags, TTL and checksum
// as zero (so 0x45, the protocol and both addresses); it is 0 for IPv6.
#pragma once

#include <turnpike/base.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

// Folds an accumulator of at most 32 bits to the 16 it stands for. Added to itself turned round,
// its lower half carries into the upper one, which is the end-around carry.
static inline uint16_t core_sum_fold32(uint32_t sum)
{
	sum += sum << 16 | sum >> 16;
	return (uint16_t)(sum >> 16);
}

// The same for any accumulator.
static inline uint16_t core_sum_fold(uint64_t sum)
{
	sum += sum << 32 | sum >> 32;
	return core_sum_fold32((uint32_t)(sum >> 32));
}

// A 16-bit word as stored.
static inline uint16_t core_sum_word(const void *p)
{
	uint16_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

// A value in host order as the word it is on the wire.
static inline uint16_t core_sum_be16(uint16_t v)
{
	return tp_htons(v);
}

// Over four octets, which may be added to an accumulator a few billion times without overflow.
static inline uint64_t core_sum_4(const void *p)
{
	uint32_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static inline uint64_t core_sum_16(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return core_sum_4(b) + core_sum_4(b + 4) + core_sum_4(b + 8) + core_sum_4(b + 12);
}

static inline uint64_t core_sum_20(const void *p)
{
	return core_sum_16(p) + core_sum_4((const uint8_t *)p + 16);
}

// Adds two accumulators whose sum may need a 65th bit, which comes round.
static inline uint64_t core_sum_add(uint64_t a, uint64_t b)
{
	uint64_t sum = a + b;

	return sum + (sum < a);
}

static inline uint64_t core_sum_8(const void *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

// Over 20 and 36 octets, quickly, as accumulators that are full: only core_sum_add adds to them.
#if defined(__x86_64__)
static inline uint64_t core_sum_full_20(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;
	unsigned long long sum8, sum16;
	unsigned char carry = _addcarry_u64(0, core_sum_8(b), core_sum_8(b + 8), &sum8);

	carry = _addcarry_u64(carry, sum8, core_sum_4(b + 16), &sum16);
	return sum16 + carry;
}

static inline uint64_t core_sum_full_36(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;
	unsigned long long sum8, sum16, sum24, sum32;
	unsigned char carry = _addcarry_u64(0, core_sum_8(b), core_sum_8(b + 8), &sum8);

	carry = _addcarry_u64(carry, sum8, core_sum_8(b + 16), &sum16);
	carry = _addcarry_u64(carry, sum16, core_sum_8(b + 24), &sum24);
	carry = _addcarry_u64(carry, sum24, core_sum_4(b + 32), &sum32);
	return sum32 + carry;
}
#else
static inline uint64_t core_sum_full_20(const void *p)
{
	return core_sum_20(p);
}

static inline uint64_t core_sum_full_36(const void *p)
{
	return core_sum_20(p) + core_sum_16((const uint8_t *)p + 20);
}
#endif

// Over any octets that begin at an even offset of the datagram; an odd last octet is padded with
// zero.
uint64_t core_sum(const void *p, size_t len);

// The same for octets that begin at an odd offset of the datagram if `odd`: they fall on the other
// halves of the words.
uint64_t core_sum_at(const void *p, size_t len, bool odd);

// Adds UDP's pseudo header without its length: both addresses and the protocol.
uint64_t core_sum_addresses(const uint8_t *src, const uint8_t *dst, unsigned ip_len);

// The checksum field of a UDP datagram whose words sum up to `sum`: 0 would mean "none" (RFC 768).
static inline uint16_t core_csum_udp(uint64_t sum)
{
	uint16_t c = (uint16_t)~core_sum_fold(sum);

	return c == 0 ? 0xffffu : c;
}

// The same for a sum of at most 32 bits.
static inline uint16_t core_csum_udp32(uint32_t sum)
{
	uint16_t c = (uint16_t)~core_sum_fold32(sum);

	return c == 0 ? 0xffffu : c;
}

// Whether the UDP checksum over header and payload at `udp` (`len` octets, at least 8) is right.
// An IPv4 checksum of zero, "none", counts as right; an IPv6 one does not (RFC 8200 8.1).
bool core_csum_udp_right(
	const uint8_t *src, const uint8_t *dst, unsigned ip_len, const uint8_t *udp, size_t len);
