// SPDX-License-Identifier: BSD-3-Clause
#include "item.h"

// A client's Send to another client of this relay asks four questions; nothing asks more.
#define ROUNDS_MAX 4u

static inline void prefetch(const void *p)
{
	__builtin_prefetch(p, 0, 3);
}

static inline void prefetch_bucket(const struct tp_table *t, struct item *it)
{
	it->bucket = &t->buckets[tp_table_bucket_of(t, it->hash)];
	prefetch(it->bucket);
}

#if TP_HASH_HAS_AES
__attribute__((target("aes,sse4.1"))) static void hash_aes(
	struct burst *b, const struct open_list *open)
{
	const struct tp_table *t = &b->w->table;

	for (unsigned i = 0; i < open->n; i++) {
		struct item *it = &b->items[open->at[i]];

		it->hash = tp_hash_aes(t->hash_key, &it->key);
		prefetch_bucket(t, it);
	}
}
#endif

static void hash_siphash(struct burst *b, const struct open_list *open)
{
	const struct tp_table *t = &b->w->table;

	for (unsigned i = 0; i < open->n; i++) {
		struct item *it = &b->items[open->at[i]];

		it->hash = tp_hash_siphash(t->hash_key, &it->key);
		prefetch_bucket(t, it);
	}
}

static void hash_all(struct burst *b, const struct open_list *open)
{
#if TP_HASH_HAS_AES
	if (b->w->table.hash_kind == TP_HASH_KIND_AES) {
		hash_aes(b, open);
		return;
	}
#endif
	hash_siphash(b, open);
}

static void match_all(struct burst *b, const struct open_list *open)
{
	const struct tp_table *t = &b->w->table;

	for (unsigned i = 0; i < open->n; i++) {
		struct item *it = &b->items[open->at[i]];
		unsigned mask = tp_bucket_match(it->bucket, tp_table_sig_of(it->hash));
		uint32_t index;

		it->candidate = 0;
		if (mask == 0)
			continue;
		index = atomic_load_explicit(
			&it->bucket->idx[__builtin_ctz(mask)], memory_order_acquire);
		if (index == 0 || index >= t->n_entries)
			continue;
		it->candidate = index;
		prefetch(&t->entries[index]);
		prefetch(t->entries[index].header);
		prefetch(&b->w->cells[index]);
	}
}

static void collect(struct burst *b, struct open_list *open, unsigned n)
{
	open->n = 0;
	for (unsigned i = 0; i < n; i++)
		if (b->items[i].state == ITEM_OPEN)
			open->at[open->n++] = (uint8_t)i;
}

void burst_lookup(struct burst *b, unsigned n)
{
	struct open_list open;

	collect(b, &open, n);
	for (unsigned round = 0; open.n != 0 && round < ROUNDS_MAX; round++) {
		hash_all(b, &open);
		match_all(b, &open);
		burst_settle(b, &open);
	}
}
