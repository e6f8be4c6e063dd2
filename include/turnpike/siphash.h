// SPDX-License-Identifier: BSD-3-Clause
// SipHash (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), 64-bit output.
// SipHash-2-4 for MACs of nonces, SipHash-1-3 for table keys on CPUs without AES instructions.
#pragma once

#include <turnpike/base.h>

static inline uint64_t tp_siphash_rotl(uint64_t x, unsigned b)
{
	return x << b | x >> (64 - b);
}

// One load: byte by byte it costs more than the rounds.
static inline uint64_t tp_siphash_load_word(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static inline uint64_t tp_siphash_load_rest(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static inline void tp_siphash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = tp_siphash_rotl(v[1], 13) ^ v[0];
	v[0] = tp_siphash_rotl(v[0], 32);
	v[2] += v[3];
	v[3] = tp_siphash_rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = tp_siphash_rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = tp_siphash_rotl(v[1], 17) ^ v[2];
	v[2] = tp_siphash_rotl(v[2], 32);
}

// Written out: compilers keep the state in memory around a loop of two.
static inline void tp_siphash_compress(uint64_t v[4], uint64_t m, unsigned c_rounds)
{
	v[3] ^= m;
	tp_siphash_round(v);
	if (c_rounds == 2)
		tp_siphash_round(v);
	v[0] ^= m;
}

// c_rounds: 1 or 2; d_rounds: 3 or 4. Both constants.
static inline uint64_t tp_siphash(
	const uint8_t key[16], const void *data, size_t len, unsigned c_rounds, unsigned d_rounds)
{
	const uint8_t *p = (const uint8_t *)data;
	uint64_t k0 = tp_siphash_load_word(key);
	uint64_t k1 = tp_siphash_load_word(key + 8);
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull,
		k0 ^ 0x6c7967656e657261ull, k1 ^ 0x7465646279746573ull};
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8)
		tp_siphash_compress(v, tp_siphash_load_word(p), c_rounds);
	tp_siphash_compress(v, (uint64_t)len << 56 | tp_siphash_load_rest(p, left), c_rounds);
	v[2] ^= 0xff;
	tp_siphash_round(v);
	tp_siphash_round(v);
	tp_siphash_round(v);
	if (d_rounds == 4)
		tp_siphash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline uint64_t tp_siphash24(const uint8_t key[16], const void *data, size_t len)
{
	return tp_siphash(key, data, len, 2, 4);
}

static inline uint64_t tp_siphash13(const uint8_t key[16], const void *data, size_t len)
{
	return tp_siphash(key, data, len, 1, 3);
}
