// SPDX-License-Identifier: BSD-3-Clause
// The chains as a dead writer left them. In order, they read correctly; an overflow bucket may have
// become empty and still be linked. Everything else that is amiss is damage, and is cut out.
#include "tables.h"

// Whether the index in a slot of a chain may stay.
static bool entry_belongs(const struct tables *t, uint32_t i, uint32_t main, uint16_t sig)
{
	const struct tp_key *key;
	uint64_t hash;

	if (i >= t->shm.table.n_entries || t->slot_state[i] != SLOT_IDLE)
		return false;
	key = &entry_of(t, i)->key;
	if (key->kind < TP_KIND_ALLOCATION || key->kind > TP_KIND_PERMISSION ||
		(key->family != TP_FAMILY_IPV4 && key->family != TP_FAMILY_IPV6))
		return false;
	hash = tp_table_hash(&t->shm.table, key);
	return tp_table_bucket_of(&t->shm.table, hash) == main && tp_table_sig_of(hash) == sig;
}

// Number of entries that stay.
static unsigned bucket_scan(
	struct tables *t, struct tp_bucket *b, uint32_t main, struct tables_recovery *result)
{
	unsigned n = 0;

	for (unsigned s = 0; s < TP_BUCKET_SLOTS; s++) {
		uint32_t i = atomic_load_explicit(&b->idx[s], memory_order_relaxed);
		uint16_t sig = atomic_load_explicit(&b->sig[s], memory_order_relaxed);

		if (i == 0)
			continue;
		if (entry_belongs(t, i, main, sig)) {
			t->slot_state[i] = SLOT_LIVE;
			n++;
			continue;
		}
		atomic_store_explicit(&b->idx[s], 0, memory_order_release);
		result->corrupt++;
		result->removed++;
	}
	return n;
}

static void chain_scan(
	struct tables *t, uint8_t *linked, uint32_t main, struct tables_recovery *result)
{
	struct tp_bucket *last = &t->shm.buckets[main]; // that stays
	uint32_t next;

	linked[main] = 1;
	bucket_scan(t, last, main, result);
	for (unsigned length = 1; (next = atomic_load(&last->next)) != 0;) {
		struct tp_bucket *b = &t->shm.buckets[next];

		if (next < t->shm.n_main_buckets || next >= t->shm.table.n_buckets ||
			linked[next] != 0 || length == TP_CHAIN_MAX) {
			atomic_store_explicit(&last->next, 0, memory_order_release);
			result->corrupt++;
			return;
		}
		if (bucket_scan(t, b, main, result) == 0) {
			atomic_store_explicit(
				&last->next, atomic_load(&b->next), memory_order_release);
			linked[next] = 2; // seen, so that a loop ends; cleared by the caller
			continue;
		}
		linked[next] = 1;
		length++;
		last = b;
	}
}

// A key that is there twice: a reader finds one of them, and so does everybody else.
static void duplicates_remove(struct tables *t, struct tables_recovery *result)
{
	for (uint32_t i = 1; i < t->shm.table.n_entries; i++) {
		const struct tp_key *key = &entry_of(t, i)->key;

		if (t->slot_state[i] != SLOT_LIVE ||
			tp_table_find(&t->shm.table, key, tp_table_hash(&t->shm.table, key)) == i)
			continue;
		bucket_remove(t, i);
		t->slot_state[i] = SLOT_IDLE;
		result->corrupt++;
		result->removed++;
	}
}

void scan_chains(struct tables *t, uint8_t *linked, struct tables_recovery *result)
{
	for (uint32_t b = 0; b < t->shm.n_main_buckets; b++)
		chain_scan(t, linked, b, result);
	for (uint32_t b = 0; b < t->shm.table.n_buckets; b++)
		if (linked[b] == 2)
			linked[b] = 0;
	duplicates_remove(t, result);
}
