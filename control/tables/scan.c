// SPDX-License-Identifier: BSD-3-Clause
// The chains as a dead writer left them. In order, they read correctly; an overflow bucket may have
// become empty and still be linked. Everything else that is amiss is damage, and is cut out.
#include "tables.h"

#define AHEAD 4u // buckets

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

// Whether the key stands in front of this place of the chain already: a reader finds that one, and
// so does everybody else.
static bool key_is_before(const struct tables *t, uint32_t main, const struct tp_bucket *b,
	unsigned slot, uint16_t sig, const struct tp_key *key)
{
	const struct tp_bucket *at = &t->shm.buckets[main];

	for (;;) {
		unsigned match = tp_bucket_match(at, sig);

		if (at == b)
			match &= (1u << slot) - 1;
		for (; match != 0; match &= match - 1) {
			uint32_t i = atomic_load_explicit(
				&at->idx[__builtin_ctz(match)], memory_order_relaxed);

			if (i != 0 && tp_key_equal(&entry_of(t, i)->key, key))
				return true;
		}
		if (at == b)
			return false;
		at = &t->shm.buckets[atomic_load_explicit(&at->next, memory_order_relaxed)];
	}
}

// Number of entries that stay. Buckets in front of this one have been scanned.
static unsigned bucket_scan(
	struct tables *t, struct tp_bucket *b, uint32_t main, struct tables_recovery *result)
{
	unsigned n = 0;

	for (unsigned s = 0; s < TP_BUCKET_SLOTS; s++) {
		uint32_t i = atomic_load_explicit(&b->idx[s], memory_order_relaxed);
		uint16_t sig = atomic_load_explicit(&b->sig[s], memory_order_relaxed);

		if (i == 0)
			continue;
		if (entry_belongs(t, i, main, sig) &&
			!key_is_before(t, main, b, s, sig, &entry_of(t, i)->key)) {
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

// A bucket's entries lie anywhere: prefetched some buckets ahead, they arrive in time.
static void bucket_prefetch(const struct tables *t, const struct tp_bucket *b)
{
	for (unsigned s = 0; s < TP_BUCKET_SLOTS; s++) {
		uint32_t i = atomic_load_explicit(&b->idx[s], memory_order_relaxed);

		if (i == 0 || i >= t->shm.table.n_entries)
			continue;
		__builtin_prefetch(&entry_of(t, i)->key);
		__builtin_prefetch(&t->slot_state[i], 1);
	}
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

void tables_scan_chains(struct tables *t, uint8_t *linked, struct tables_recovery *result)
{
	for (uint32_t b = 0; b < t->shm.n_main_buckets; b++) {
		if (b + AHEAD < t->shm.n_main_buckets)
			bucket_prefetch(t, &t->shm.buckets[b + AHEAD]);
		chain_scan(t, linked, b, result);
	}
	for (uint32_t b = 0; b < t->shm.table.n_buckets; b++)
		if (linked[b] == 2)
			linked[b] = 0;
}
