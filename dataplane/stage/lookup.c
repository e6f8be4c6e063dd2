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

// What matching reads, out of the worker so that no store to an item can change it.
struct matcher {
	const struct tp_bucket *buckets;
	const struct tp_entry *entries;
	struct tp_cell *cells;
	uint32_t bucket_mask;
	uint32_t last; // entries but one
};

__attribute__((noinline)) static uint32_t search(const struct burst *b, const struct item *it)
{
	return tp_table_find(&b->w->table, &it->key, it->hash);
}

// The first slot whose signature matches is nearly always the one, and where there is none the
// chain nearly always ends.
CORE_INLINE uint32_t match(
	struct burst *b, const struct item *it, const struct matcher *m, enum match_fetch fetch)
{
	const struct tp_bucket *bucket = &m->buckets[(uint32_t)it->hash & m->bucket_mask];
	const _Atomic uint32_t *slot = tp_bucket_first(bucket, tp_table_sig_of(it->hash));
	uint32_t index = 0;

	if (STAGE_LIKELY(slot != NULL))
		index = atomic_load_explicit(slot, memory_order_acquire);
	if (STAGE_UNLIKELY(index - 1 >= m->last)) {
		if (slot != NULL || atomic_load_explicit(&bucket->next, memory_order_acquire) != 0)
			index = search(b, it);
		if (index == 0) {
			if (fetch == FETCH_PEER)
				__builtin_prefetch(port_slot(b, it->local_id, it->port_be), 0, 3);
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

CORE_INLINE void match_some(struct burst *b, const struct open_list *list, unsigned i, unsigned end,
	enum match_fetch fetch)
{
	const struct tp_table *t = &b->w->table;
	const struct matcher m = {.buckets = t->buckets,
		.entries = t->entries,
		.cells = b->w->cells,
		.bucket_mask = t->bucket_mask,
		.last = t->n_entries - 1};

	for (; i < end; i++) {
		struct item *it = &b->items[list->at[i]];

		it->candidate = match(b, it, &m, fetch);
	}
}

void match_chunk(struct burst *b, const struct open_list *list, unsigned i, enum match_fetch fetch)
{
	unsigned end = i + 2 * MATCH_CHUNK < list->n ? i + 2 * MATCH_CHUNK : list->n;

	i = i == 0 ? 0 : i + MATCH_CHUNK;
	switch (fetch) {
	case FETCH_FOUND:
		match_some(b, list, i, end, FETCH_FOUND);
		break;
	case FETCH_LEAVING:
		match_some(b, list, i, end, FETCH_LEAVING);
		break;
	case FETCH_PEER:
		match_some(b, list, i, end, FETCH_PEER);
		break;
	}
}

// For the clock alone: settling matches a few ahead of itself, so that the two can't be told apart.
// Here everything is matched by itself; settling does it again, from the cache by then.
static void match_all(struct burst *b, const struct open_list *open)
{
	static const enum match_fetch fetch[STEPS] = {[STEP_CHANNEL] = FETCH_LEAVING,
		[STEP_CLIENT] = FETCH_FOUND,
		[STEP_PERMISSION_OUT] = FETCH_LEAVING,
		[STEP_PEER] = FETCH_PEER,
		[STEP_PERMISSION_IN] = FETCH_FOUND};

	for (unsigned s = 0; s < STEPS; s++)
		for (unsigned i = 0; i < open[s].n; i += MATCH_CHUNK)
			match_chunk(b, &open[s], i, fetch[s]);
}

static bool any_open(const struct open_list *open)
{
	unsigned n = 0;

	for (unsigned s = 0; s < STEPS; s++)
		n += open[s].n;
	return n != 0;
}

CORE_INLINE void look_up(struct burst *b, struct stopwatch *t)
{
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		const struct open_list *open = b->open[round & 1];

		b->next = b->open[~round & 1];
		for (unsigned s = 0; s < STEPS; s++)
			b->next[s].n = 0;
		if (!any_open(open))
			return;
		if (t != NULL)
			match_all(b, open);
		lap_end(t, STAGE_LAP_LOOKUP);
		burst_settle(b, open);
		lap_end(t, STAGE_LAP_SETTLE);
	}
	// Still open is what asked more than there are questions: never with sane code.
	for (unsigned s = 0; s < STEPS; s++)
		for (unsigned i = 0; i < b->next[s].n; i++)
			item_drop(b, &b->items[b->next[s].at[i]], TP_DROP_table_corrupt);
}

void burst_lookup(struct burst *b)
{
	look_up(b, NULL);
}

void burst_lookup_timed(struct burst *b, struct stopwatch *t)
{
	look_up(b, t);
}
