// SPDX-License-Identifier: BSD-3-Clause
#include "item.h"

// A client's Send to another client of this relay asks four questions; nothing asks more.
#define ROUNDS_MAX 4u

#if TP_HASH_HAS_AES
__attribute__((target("aes,sse4.1"))) static uint64_t hash_aes(
	const struct tp_table *t, const struct tp_key *key)
{
	return tp_hash_aes(t->hash_key, key);
}
#endif

static uint64_t hash_any(const struct tp_table *t, const struct tp_key *key)
{
#if TP_HASH_HAS_AES
	if (t->hash_kind == TP_HASH_KIND_AES)
		return hash_aes(t, key);
#endif
	return tp_hash_siphash(t->hash_key, key);
}

void item_ask(struct burst *b, struct item *it, enum item_step step)
{
	const struct tp_table *t = &b->w->table;

	it->hash = hash_any(t, &it->key);
	bucket_prefetch(t, it->hash);
	item_wait(b, it, step);
}

// What will be read of a candidate: its first line; the header and the cell of an entry that a
// packet leaves by.
CORE_INLINE void match_list(struct burst *b, const struct open_list *list, bool leaving)
{
	const struct tp_table *t = &b->w->table;
	const struct tp_bucket *buckets = t->buckets;
	const struct tp_entry *entries = t->entries;
	const struct tp_cell *cells = b->w->cells;
	uint32_t n_entries = t->n_entries, bucket_mask = t->bucket_mask;

	for (unsigned i = 0; i < list->n; i++) {
		struct item *it = &b->items[list->at[i]];
		const struct tp_bucket *bucket = &buckets[(uint32_t)it->hash & bucket_mask];
		unsigned mask = tp_bucket_match(bucket, tp_table_sig_of(it->hash));
		uint32_t index = 0;

		if (STAGE_LIKELY(mask != 0)) {
			index = atomic_load_explicit(
				&bucket->idx[__builtin_ctz(mask)], memory_order_acquire);
			if (STAGE_UNLIKELY(index >= n_entries))
				index = 0;
			__builtin_prefetch(&entries[index], 0, 3);
			if (leaving) {
				__builtin_prefetch(entries[index].header, 0, 3);
				__builtin_prefetch(&cells[index], 1, 3);
			}
		}
		it->candidate = index;
	}
}

static bool match_all(struct burst *b, const struct open_list *open)
{
	static const bool leaving[STEPS] = {
		[STEP_CHANNEL] = true, [STEP_PERMISSION_OUT] = true, [STEP_PEER] = true};
	unsigned n = 0;

	for (unsigned s = 0; s < STEPS; s++) {
		n += open[s].n;
		if (leaving[s])
			match_list(b, &open[s], true);
		else
			match_list(b, &open[s], false);
	}
	return n != 0;
}

void burst_lookup(struct burst *b)
{
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		const struct open_list *open = b->open[round & 1];

		b->next = b->open[~round & 1];
		for (unsigned s = 0; s < STEPS; s++)
			b->next[s].n = 0;
		if (!match_all(b, open))
			return;
		burst_settle(b, open);
	}
	// Still open is what asked more than there are questions: never with sane code.
	for (unsigned s = 0; s < STEPS; s++)
		for (unsigned i = 0; i < b->next[s].n; i++)
			item_drop(b, &b->items[b->next[s].at[i]], TP_DROP_table_corrupt);
}
