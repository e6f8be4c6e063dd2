// SPDX-License-Identifier: BSD-3-Clause
// The bucketised RCU hash table: its layout and the reader's half. The writer's half is in
// control/tables.
//
// A bucket is one cache line, written by the control process only: eight 16-bit signatures, eight
// 32-bit entry indexes, a link to an overflow bucket. Index 0 is empty, so entry 0 has no key.
// Entries never move while published: a reader needs no retry.
//
// The orders, each visible change ONE 32-bit store by the single writer:
//   insert   fill the entry; sig[s] (relaxed); idx[s] (release)
//   replace  fill a new entry; idx[s] (release); retire the old
//   delete   idx[s] = 0; retire the entry. An overflow bucket that became empty: the previous
//            bucket's next = its next, its own next stays; retire it
// A retired slot is reused only after a grace period (struct tp_tables_header.gp_req).
#pragma once

#include <stdatomic.h>

#include <turnpike/entry.h>
#include <turnpike/limits.h>

#define TP_BUCKET_SLOTS 8u

struct tp_bucket {
	// Relaxed: a hint, never a proof.
	_Atomic uint16_t sig[TP_BUCKET_SLOTS];
	_Atomic uint32_t idx[TP_BUCKET_SLOTS];
	// Bucket number of the overflow bucket; 0: none.
	_Atomic uint32_t next;
	uint32_t reserved[3];
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct tp_bucket, 64);
TP_ASSERT_OFFSET(struct tp_bucket, idx, 16);
TP_ASSERT_OFFSET(struct tp_bucket, next, 48);

// A process's validated view of the table. Bounds come from here, never from the segment again.
struct tp_table {
	// Main ones first, then the overflow buckets.
	const struct tp_bucket *buckets;
	const struct tp_entry *entries;
	uint32_t bucket_mask; // main buckets - 1
	uint32_t n_buckets;   // main and overflow
	uint32_t n_entries;
	uint32_t hash_kind; // TP_HASH_KIND_*
	uint8_t hash_key[TP_HASH_KEY_LEN];
};

static inline uint32_t tp_table_bucket_of(const struct tp_table *t, uint64_t hash)
{
	return (uint32_t)hash & t->bucket_mask;
}

static inline uint16_t tp_table_sig_of(uint64_t hash)
{
	return (uint16_t)(hash >> 48);
}

static inline uint64_t tp_table_hash(const struct tp_table *t, const struct tp_key *key)
{
	return tp_hash(t->hash_kind, t->hash_key, key);
}

// Word by word: a wide load right after narrower stores to the same bytes would stall.
static inline bool tp_key_equal(const struct tp_key *a, const struct tp_key *b)
{
	const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
	uint64_t x0, x1, x2, y0, y1, y2;

	memcpy(&x0, x, 8);
	memcpy(&y0, y, 8);
	memcpy(&x1, x + 8, 8);
	memcpy(&y1, y + 8, 8);
	memcpy(&x2, x + 16, 8);
	memcpy(&y2, y + 16, 8);
	return ((x0 ^ y0) | (x1 ^ y1) | (x2 ^ y2)) == 0;
}

// Bit s is set where slot s shows the signature.
#if defined(__SSE2__)
__attribute__((no_sanitize("thread"))) // one plain load of eight words the writer stores one by one
static inline unsigned
tp_bucket_match(const struct tp_bucket *b, uint16_t sig)
{
	__m128i have = _mm_load_si128((const __m128i *)(const void *)b->sig);
	__m128i same = _mm_cmpeq_epi16(have, _mm_set1_epi16((short)sig));

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(same, _mm_setzero_si128()));
}

// The index of the first slot that shows the signature, or NULL.
__attribute__((no_sanitize("thread"))) static inline const _Atomic uint32_t *tp_bucket_first(
	const struct tp_bucket *b, uint16_t sig)
{
	__m128i have = _mm_load_si128((const __m128i *)(const void *)b->sig);
	unsigned mask =
		(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi16(have, _mm_set1_epi16((short)sig)));

	// Two bits for each slot.
	return mask == 0 ? NULL : &b->idx[(unsigned)__builtin_ctz(mask) / 2];
}
#else
static inline unsigned tp_bucket_match(const struct tp_bucket *b, uint16_t sig)
{
	unsigned mask = 0;

	for (unsigned s = 0; s < TP_BUCKET_SLOTS; s++)
		if (atomic_load_explicit(&b->sig[s], memory_order_relaxed) == sig)
			mask |= 1u << s;
	return mask;
}

static inline const _Atomic uint32_t *tp_bucket_first(const struct tp_bucket *b, uint16_t sig)
{
	unsigned mask = tp_bucket_match(b, sig);

	return mask == 0 ? NULL : &b->idx[__builtin_ctz(mask)];
}
#endif

// The entry's index, or 0. Safe against any content of the segment: indexes and links are bounded.
static inline uint32_t tp_table_find(
	const struct tp_table *t, const struct tp_key *key, uint64_t hash)
{
	uint32_t b = tp_table_bucket_of(t, hash);
	uint16_t sig = tp_table_sig_of(hash);

	for (unsigned hops = 0; hops < TP_CHAIN_MAX; hops++) {
		const struct tp_bucket *bucket = &t->buckets[b];

		for (unsigned m = tp_bucket_match(bucket, sig); m != 0; m &= m - 1) {
			unsigned s = (unsigned)__builtin_ctz(m);
			uint32_t i = atomic_load_explicit(&bucket->idx[s], memory_order_acquire);

			if (i != 0 && i < t->n_entries && tp_key_equal(&t->entries[i].key, key))
				return i;
		}
		b = atomic_load_explicit(&bucket->next, memory_order_acquire);
		if (b == 0 || b >= t->n_buckets)
			return 0;
	}
	return 0;
}
