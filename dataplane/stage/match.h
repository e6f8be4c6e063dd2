// SPDX-License-Identifier: BSD-3-Clause
// From a look-up to the entry whose signature matches: found and prefetched a few packets ahead of
// the one that is settled. A whole burst at once would exceed a core's outstanding loads.
#pragma once

#include "burst.h"

#define MATCH_CHUNK 8u // packets of a list that are matched together

// How much is prefetched of an entry.
enum match_fetch {
	// Its first line.
	FETCH_FOUND,
	// Its header and its cell, too: packets leave by it.
	FETCH_LEAVING,
	// The same; where there is no channel, the port's slot that names the allocation.
	FETCH_PEER,
};

// A copy of the table's view, so that no store to a packet makes it be loaded again.
struct matcher {
	const struct tp_entry *entries;
	struct tp_cell *cells;
	uint32_t last; // entries but one
};

static inline struct matcher matcher_of(const struct burst *b)
{
	return (struct matcher){
		.entries = b->w->table.entries,
		.cells = b->w->cells,
		.last = b->w->table.n_entries - 1,
	};
}

static inline enum match_fetch match_fetch_of(enum lookup_step step)
{
	if (step == STEP_PEER)
		return FETCH_PEER;
	return step == STEP_CLIENT || step == STEP_PERMISSION_IN ? FETCH_FOUND : FETCH_LEAVING;
}

// Searches the whole chain. <match.c>
uint32_t match_search(const struct burst *b, const struct lookup *l);

// Returns the entry whose key is the packet's, or 0. Where the signature was another's, the whole
// chain is searched.
static inline uint32_t lookup_confirm(const struct burst *b, const struct lookup *l)
{
	if (STAGE_LIKELY(tp_key_equal(&entry_at(b, l->found)->key, &l->key)))
		return l->found;
	return l->found == 0 ? 0 : match_search(b, l);
}

// The index of the first slot that shows the hash's signature, or NULL.
#if defined(__SSE2__)
// Where writers store the signatures one by one, one plain load reads them all.
__attribute__((no_sanitize("thread"))) static inline const _Atomic uint32_t *bucket_first(
	const struct tp_bucket *bucket, const uint64_t *hash)
{
	__m128i sig = _mm_loadl_epi64((const __m128i *)(const void *)hash);
	__m128i have = _mm_load_si128((const __m128i *)(const void *)bucket->sig);
	unsigned mask;

	sig = _mm_shufflelo_epi16(sig, 0xff);
	sig = _mm_unpacklo_epi64(sig, sig);
	mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi16(have, sig));
	if (STAGE_UNLIKELY(mask == 0))
		return NULL;
	// Two bits for each slot, of which the lower is the first to be set.
	return (const _Atomic uint32_t *)((const uint8_t *)bucket->idx +
					  2u * (unsigned)__builtin_ctz(mask));
}
#else
static inline const _Atomic uint32_t *bucket_first(
	const struct tp_bucket *bucket, const uint64_t *hash)
{
	return tp_bucket_first(bucket, tp_table_sig_of(*hash));
}
#endif

// Returns the index of the entry that is nearly always the one, or 0. The first slot whose
// signature matches nearly always is, and where there is none the chain nearly always ends.
CORE_INLINE uint32_t match_one(
	struct burst *b, const struct lookup *l, const struct matcher *m, enum match_fetch fetch)
{
	const _Atomic uint32_t *slot = bucket_first(l->bucket, &l->hash);
	uint32_t index = 0;

	if (STAGE_LIKELY(slot != NULL))
		index = atomic_load_explicit(slot, memory_order_acquire);
	if (STAGE_UNLIKELY(index - 1 >= m->last)) {
		if (slot != NULL ||
			atomic_load_explicit(&l->bucket->next, memory_order_acquire) != 0)
			index = match_search(b, l);
		if (index == 0) {
			if (fetch == FETCH_PEER)
				__builtin_prefetch(
					port_slot(b, l->key.local_id, l->key.selector), 0, 3);
			return 0;
		}
	}
	__builtin_prefetch(&m->entries[index], 0, 3);
	if (fetch != FETCH_FOUND) {
		__builtin_prefetch(m->entries[index].header, 0, 3);
		__builtin_prefetch(&m->cells[index], 1, 3);
	}
	return index;
}
