// SPDX-License-Identifier: BSD-3-Clause
// The chains of the table, written in the orders of <turnpike/table.h>: an entry is whole before
// its index is stored, an overflow bucket is whole before it is linked, and one that is unlinked
// keeps its own link until a grace period has passed. Each visible change is one 32-bit store
// (release), so a writer killed anywhere leaves chains that read correctly.
#include "tables.h"

#include "mutant.h"

#include <errno.h>

static void entry_fill(struct tp_entry *e, const struct tp_entry *content)
{
	struct tp_entry filled = *content;

	// Never less than before: generation 0 means that no reader ever saw the slot.
	filled.generation = e->generation + 1;
	if (mutant_is(MUTANT_PUBLISH_FIRST)) {
		e->key = content->key;
		mutant_pause();
	}
	memcpy(e, &filled, sizeof(*e));
}

static void slot_publish(struct tp_bucket *b, unsigned s, uint16_t sig, uint32_t slot)
{
	atomic_store_explicit(&b->sig[s], sig, memory_order_relaxed);
	atomic_store_explicit(&b->idx[s], slot, memory_order_release);
}

// A place in the chain: bucket and slot number.
struct place {
	struct tp_bucket *bucket;
	uint32_t number;	  // of the bucket
	struct tp_bucket *before; // NULL: a main bucket
	unsigned slot;
};

static struct tp_bucket *bucket_next(
	const struct tables *t, const struct tp_bucket *b, uint32_t *number)
{
	*number = atomic_load_explicit(&b->next, memory_order_relaxed);
	return *number != 0 ? &t->shm.buckets[*number] : NULL;
}

// The slot that holds `value` (0: a free one). `last` and `length` are of the chain when none does.
static bool chain_find(const struct tables *t, uint64_t hash, uint32_t value, struct place *p,
	struct tp_bucket **last, unsigned *length)
{
	struct tp_bucket *before = NULL;
	uint32_t number = tp_table_bucket_of(&t->shm.table, hash);
	struct tp_bucket *b = &t->shm.buckets[number];

	for (*length = 0; b != NULL; (*length)++) {
		for (unsigned s = 0; s < TP_BUCKET_SLOTS; s++) {
			if (atomic_load_explicit(&b->idx[s], memory_order_relaxed) == value) {
				*p = (struct place){b, number, before, s};
				return true;
			}
		}
		before = b;
		b = bucket_next(t, b, &number);
	}
	*last = before;
	return false;
}

static uint32_t overflow_take(struct tables *t)
{
	return tables_pool_take(&t->buckets);
}

static void overflow_retire(struct tables *t, uint32_t bucket)
{
	if (mutant_is(MUTANT_NO_GRACE_PERIOD))
		tables_pool_give(&t->buckets, bucket);
	else
		tables_pool_retire(&t->buckets, bucket, tables_grace_tag(t));
}

static void overflow_fill(struct tp_bucket *b, uint16_t sig, uint32_t slot)
{
	for (unsigned s = 1; s < TP_BUCKET_SLOTS; s++)
		atomic_store_explicit(&b->idx[s], 0, memory_order_relaxed);
	atomic_store_explicit(&b->next, 0, memory_order_relaxed);
	slot_publish(b, 0, sig, slot);
}

int tables_bucket_insert(struct tables *t, uint32_t slot, const struct tp_entry *content)
{
	uint64_t hash = tp_table_hash(&t->shm.table, &content->key);
	uint16_t sig = tp_table_sig_of(hash);
	struct tp_entry *e = entry_of(t, slot);
	struct tp_bucket *last;
	struct place p;
	unsigned length;
	uint32_t number;

	if (chain_find(t, hash, 0, &p, &last, &length)) {
		if (mutant_is(MUTANT_PUBLISH_FIRST))
			slot_publish(p.bucket, p.slot, sig, slot);
		entry_fill(e, content);
		slot_publish(p.bucket, p.slot, sig, slot);
		return 0;
	}
	// Readers give up on a longer chain.
	number = length < TP_CHAIN_MAX ? overflow_take(t) : 0;
	if (number == 0)
		return -ENOSPC;
	entry_fill(e, content);
	overflow_fill(&t->shm.buckets[number], sig, slot);
	atomic_store_explicit(&last->next, number, memory_order_release);
	return 0;
}

void tables_bucket_replace(
	struct tables *t, uint32_t old, uint32_t fresh, const struct tp_entry *content)
{
	uint64_t hash = tp_table_hash(&t->shm.table, &content->key);
	struct tp_bucket *last;
	struct place p;
	unsigned length;

	if (!chain_find(t, hash, old, &p, &last, &length))
		return;
	if (mutant_is(MUTANT_PUBLISH_FIRST))
		atomic_store_explicit(&p.bucket->idx[p.slot], fresh, memory_order_release);
	entry_fill(entry_of(t, fresh), content);
	atomic_store_explicit(&p.bucket->idx[p.slot], fresh, memory_order_release);
}

static bool bucket_is_empty(const struct tp_bucket *b)
{
	for (unsigned s = 0; s < TP_BUCKET_SLOTS; s++)
		if (atomic_load_explicit(&b->idx[s], memory_order_relaxed) != 0)
			return false;
	return true;
}

void tables_bucket_remove(struct tables *t, uint32_t slot)
{
	uint64_t hash = tp_table_hash(&t->shm.table, &entry_of(t, slot)->key);
	struct tp_bucket *last;
	struct place p;
	unsigned length;

	if (!chain_find(t, hash, slot, &p, &last, &length))
		return;
	atomic_store_explicit(&p.bucket->idx[p.slot], 0, memory_order_release);
	if (p.before == NULL || !bucket_is_empty(p.bucket))
		return;
	// A reader may stand in the bucket: its own link stays for it to go on.
	atomic_store_explicit(&p.before->next,
		atomic_load_explicit(&p.bucket->next, memory_order_relaxed), memory_order_release);
	overflow_retire(t, p.number);
}
