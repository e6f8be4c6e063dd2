// SPDX-License-Identifier: BSD-3-Clause
// The keyed hash of table keys. Keys hold addresses that an attacker chooses, so the hash is keyed
// with random bytes of the segment: AES rounds where the CPU has them, SipHash-1-3 elsewhere.
// CRC32C and jhash are no choice: 4,096 addresses of one IPv6 /64 collide for every seed.
//
// Both processes must use the kind that the segment's header names (it was chosen by the writer).
#pragma once

#include <turnpike/base.h>
#include <turnpike/siphash.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define TP_HASH_HAS_AES 1
#else
#define TP_HASH_HAS_AES 0
#endif

#define TP_HASH_KIND_SIPHASH 1u
#define TP_HASH_KIND_AES     2u
#define TP_HASH_KEY_LEN	     64u
#define TP_KEY_LEN	     24u // bytes of a table key: struct tp_key

// Whether this CPU can compute the kind.
static inline bool tp_hash_supported(uint32_t kind)
{
#if TP_HASH_HAS_AES
	if (kind == TP_HASH_KIND_AES)
		return __builtin_cpu_supports("aes") && __builtin_cpu_supports("sse4.1");
#endif
	return kind == TP_HASH_KIND_SIPHASH;
}

static inline uint64_t tp_hash_siphash(const uint8_t hkey[TP_HASH_KEY_LEN], const void *key)
{
	return tp_siphash13(hkey, key, TP_KEY_LEN);
}

#if TP_HASH_HAS_AES
// Five rounds, each with a secret round key; two absorb the address, three the rest. The key's
// sixteen bytes of address and, in the lower half of `rest`, its last eight: values still in
// registers need not be stored first.
__attribute__((target("aes,sse4.1"))) static inline uint64_t tp_hash_aes_vectors(
	const uint8_t hkey[TP_HASH_KEY_LEN], __m128i h, __m128i rest)
{
	__m128i k0 = _mm_loadu_si128((const __m128i *)(const void *)hkey);
	__m128i k1 = _mm_loadu_si128((const __m128i *)(const void *)(hkey + 16));
	__m128i k2 = _mm_loadu_si128((const __m128i *)(const void *)(hkey + 32));
	__m128i k3 = _mm_loadu_si128((const __m128i *)(const void *)(hkey + 48));

	h = _mm_aesenc_si128(_mm_xor_si128(h, k0), k1);
	h = _mm_aesenc_si128(h, k2);
	h = _mm_aesenc_si128(_mm_xor_si128(h, rest), k3);
	h = _mm_aesenc_si128(h, k0);
	h = _mm_aesenc_si128(h, k1);
	return (uint64_t)_mm_cvtsi128_si64(h);
}

__attribute__((target("aes,sse4.1"))) static inline uint64_t tp_hash_aes(
	const uint8_t hkey[TP_HASH_KEY_LEN], const void *key)
{
	const uint8_t *k = (const uint8_t *)key;

	return tp_hash_aes_vectors(hkey, _mm_loadu_si128((const __m128i *)(const void *)k),
		_mm_loadl_epi64((const __m128i *)(const void *)(k + 16)));
}
#endif

// One key by the named kind. The packet path calls the kind's function directly instead.
static inline uint64_t tp_hash(uint32_t kind, const uint8_t hkey[TP_HASH_KEY_LEN], const void *key)
{
#if TP_HASH_HAS_AES
	if (kind == TP_HASH_KIND_AES)
		return tp_hash_aes(hkey, key);
#endif
	(void)kind;
	return tp_hash_siphash(hkey, key);
}
