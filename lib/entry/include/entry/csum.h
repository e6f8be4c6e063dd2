// SPDX-License-Identifier: BSD-3-Clause
// Internet checksums (RFC 1071), full and incremental (RFC 1624).
//
// A sum here is the ones' complement sum of 16-bit words as stored: read from memory in host order
// and never swapped (RFC 1071 2 B), so it goes back to memory the same way. Sums live in 64-bit
// accumulators and are folded at the end; 0 and 0xffff are the same sum. To subtract a word is to
// add its complement.
// Checksums from the sums of a table entry: <turnpike/entry.h> defines the bytes they cover.
#pragma once

#include <turnpike/base.h>

// Folds an accumulator of at most 32 bits to the 16 it stands for. Added to itself turned round,
// its lower half carries into the upper one, which is the end-around carry.
static inline uint16_t entry_sum_fold32(uint32_t sum)
{
	sum += sum << 16 | sum >> 16;
	return (uint16_t)(sum >> 16);
}

// The same for any accumulator.
static inline uint16_t entry_sum_fold(uint64_t sum)
{
	sum += sum << 32 | sum >> 32;
	return entry_sum_fold32((uint32_t)(sum >> 32));
}

// A 16-bit word as stored.
static inline uint16_t entry_sum_word(const void *p)
{
	uint16_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

// A value in host order as the word it is on the wire.
static inline uint16_t entry_sum_be16(uint16_t v)
{
	return tp_htons(v);
}

// Over four bytes, which may be added to an accumulator a few billion times without overflow.
static inline uint64_t entry_sum_4(const void *p)
{
	uint32_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static inline uint64_t entry_sum_16(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return entry_sum_4(b) + entry_sum_4(b + 4) + entry_sum_4(b + 8) + entry_sum_4(b + 12);
}

static inline uint64_t entry_sum_20(const void *p)
{
	return entry_sum_16(p) + entry_sum_4((const uint8_t *)p + 16);
}

// Adds two accumulators whose sum may need a 65th bit, which comes round.
static inline uint64_t entry_sum_add(uint64_t a, uint64_t b)
{
	uint64_t sum = a + b;

	return sum + (sum < a);
}

static inline uint64_t entry_sum_8(const void *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

// Over 20, 36 and 48 bytes, quickly, as accumulators that are full: only entry_sum_add adds to
// them.
#if defined(__x86_64__)
static inline uint64_t entry_sum_full_20(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;
	uint64_t sum = entry_sum_8(b), last = entry_sum_4(b + 16);

	// Compilers store the sums in between.
	__asm__("addq %1, %0\n\tadcq %2, %0\n\tadcq $0, %0"
		: "+r"(sum)
		: "m"(*(const uint8_t(*)[8])(b + 8)), "r"(last)
		: "cc");
	return sum;
}

static inline uint64_t entry_sum_full_36(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;
	uint64_t sum = entry_sum_8(b), last = entry_sum_4(b + 32);

	__asm__("addq %1, %0\n\tadcq %2, %0\n\tadcq %3, %0\n\tadcq %4, %0\n\tadcq $0, %0"
		: "+r"(sum)
		: "m"(*(const uint8_t(*)[8])(b + 8)), "m"(*(const uint8_t(*)[8])(b + 16)),
		"m"(*(const uint8_t(*)[8])(b + 24)), "r"(last)
		: "cc");
	return sum;
}

static inline uint64_t entry_sum_full_48(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;
	uint64_t sum = entry_sum_8(b);

	__asm__("addq %1, %0\n\tadcq %2, %0\n\tadcq %3, %0\n\tadcq %4, %0\n\tadcq %5, %0\n\t"
		"adcq $0, %0"
		: "+r"(sum)
		: "m"(*(const uint8_t(*)[8])(b + 8)), "m"(*(const uint8_t(*)[8])(b + 16)),
		"m"(*(const uint8_t(*)[8])(b + 24)), "m"(*(const uint8_t(*)[8])(b + 32)),
		"m"(*(const uint8_t(*)[8])(b + 40))
		: "cc");
	return sum;
}
#else
static inline uint64_t entry_sum_full_20(const void *p)
{
	return entry_sum_20(p);
}

static inline uint64_t entry_sum_full_36(const void *p)
{
	return entry_sum_20(p) + entry_sum_16((const uint8_t *)p + 20);
}

static inline uint64_t entry_sum_full_48(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return entry_sum_16(b) + entry_sum_16(b + 16) + entry_sum_16(b + 32);
}
#endif

// Over any bytes that begin at an even offset of the datagram; an odd last byte is padded with
// zero.
uint64_t entry_sum(const void *p, size_t len);

// The same for bytes that begin at an odd offset of the datagram if `odd`: they fall on the other
// halves of the words.
uint64_t entry_sum_at(const void *p, size_t len, bool odd);

// Adds UDP's pseudo header without its length: both addresses and the protocol.
uint64_t entry_sum_addresses(const uint8_t *src, const uint8_t *dst, unsigned ip_len);

// The checksum field of a UDP datagram whose words sum up to `sum`: 0 would mean "none" (RFC 768).
static inline uint16_t entry_csum_udp(uint64_t sum)
{
	uint16_t c = (uint16_t)~entry_sum_fold(sum);

	return c == 0 ? 0xffffu : c;
}

// The same for a sum of at most 32 bits.
static inline uint16_t entry_csum_udp32(uint32_t sum)
{
	uint16_t c = (uint16_t)~entry_sum_fold32(sum);

	return c == 0 ? 0xffffu : c;
}

// Whether the UDP checksum over header and payload at `udp` (`len` bytes, at least 8) is right.
// An IPv4 checksum of zero, "none", counts as right; an IPv6 one does not (RFC 8200 8.1).
bool entry_csum_udp_right(
	const uint8_t *src, const uint8_t *dst, unsigned ip_len, const uint8_t *udp, size_t len);
