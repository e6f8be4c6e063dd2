// SPDX-License-Identifier: BSD-3-Clause
// Enqueuing look-ups on the fast path. The kind of hash is chosen once per burst: the fast path is
// compiled for each, with the hash folded in.
#pragma once

#include "burst.h"

#if STAGE_HAS_FAST
#include <smmintrin.h>

STAGE_TARGET CORE_INLINE __m128i fast_load(const void *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

STAGE_TARGET CORE_INLINE __m128i fast_load_aligned(const void *p)
{
	return _mm_load_si128((const __m128i *)p);
}

// Hashes a key that is still in registers: its address and its last word.
typedef uint64_t hash_words(const uint8_t hkey[TP_HASH_KEY_LEN], __m128i ip, __m128i tail);

// The secret is best a copy on the stack: no store to a packet can change that, so it is not loaded
// again for each.
struct hasher {
	hash_words *words;
	const uint8_t *key;
	const struct tp_bucket *buckets;
	uint32_t bucket_mask;
};

STAGE_TARGET static inline uint64_t hash_words_siphash(
	const uint8_t hkey[TP_HASH_KEY_LEN], __m128i ip, __m128i tail)
{
	uint64_t key[3];

	_mm_storeu_si128((__m128i *)(void *)key, ip);
	_mm_storel_epi64((__m128i *)(void *)(key + 2), tail);
	return tp_hash_siphash(hkey, key);
}

// Returns the look-up; the caller may fill in its other fields.
STAGE_TARGET CORE_INLINE struct lookup *fast_enqueue(struct fast_list *list, const struct hasher *h,
	struct stage_pkt *pkt, __m128i ip, __m128i tail)
{
	struct lookup *l = list->end++;
	uint64_t hash = h->words(h->key, ip, tail);
	const struct tp_bucket *bucket = &h->buckets[(uint32_t)hash & h->bucket_mask];

	__builtin_prefetch(bucket, 0, 3);
	_mm_store_si128((__m128i *)(void *)&l->key, ip);
	_mm_storel_epi64((__m128i *)(void *)((uint8_t *)&l->key + 16), tail);
	l->hash = hash;
	l->bucket = bucket;
	l->pkt = pkt;
	return l;
}

// Enqueues the look-up of the PERMISSION of the allocation for this peer (tp_key_permission).
STAGE_TARGET CORE_INLINE struct lookup *fast_enqueue_permission(struct fast_list *list,
	const struct hasher *h, struct stage_pkt *pkt, __m128i ip, uint32_t allocation, bool v4)
{
	const uint64_t tail =
		key_tail(0, 0, 0, TP_KIND_PERMISSION, v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6);

	// Its halves are neighbours.
	return fast_enqueue(list, h, pkt, ip,
		_mm_cvtsi64_si128((long long)(tail | (uint64_t)allocation << 16)));
}
#endif
