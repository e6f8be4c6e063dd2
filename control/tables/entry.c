// SPDX-License-Identifier: BSD-3-Clause
// One entry: from a free slot to the table, to another slot, and out of it; with its next hop,
// counts, local addresses and links.
#include "tables.h"

#include <errno.h>

bool tables_key_exists(const struct tables *t, const struct tp_key *key)
{
	return tp_table_find(&t->shm.table, key, tp_table_hash(&t->shm.table, key)) != 0;
}

void tables_ring_add(struct tables *t, uint32_t allocation, uint32_t object)
{
	uint32_t last = t->links[allocation].prev;

	t->links[object] = (struct link){.prev = last, .next = allocation};
	t->links[last].next = object;
	t->links[allocation].prev = object;
}

void tables_ring_remove(struct tables *t, uint32_t object)
{
	struct link *l = &t->links[object];

	t->links[l->prev].next = l->next;
	t->links[l->next].prev = l->prev;
	*l = (struct link){0, 0};
}

static bool slots_are_few(const struct tables *t)
{
	return tables_pool_spare(&t->entries) < 2 || t->records.n_free <= RECORDS_SPARE;
}

void tables_room_make(struct tables *t)
{
	tables_cells_look(t);
	while ((slots_are_few(t) || t->buckets.n_free == 0 || t->hop.pool.n_free == 0) &&
		tables_slots_reap(t, REAP_PORTION) != 0)
		;
	while (slots_are_few(t) && tables_last_give_up(t))
		;
}

int tables_pool_empty(struct tables *t)
{
	t->full++;
	if (tables_pool_spare(&t->entries) == 0 && t->entries.end < t->shm.table.n_entries)
		t->full_of_cells++;
	return -ENOSPC;
}

int tables_entry_add(struct tables *t, uint32_t slot, struct tp_entry *content)
{
	int rc;

	if (tables_entry_needs_hop(content) && tables_hop_acquire(t, slot, content) < 0) {
		tables_slot_give(t, slot);
		return tables_pool_empty(t);
	}
	tables_usage_begin(t, slot);
	rc = tables_bucket_insert(t, slot, content);
	if (rc < 0) {
		tables_hop_release(
			t, slot, atomic_load_explicit(&content->egress, memory_order_relaxed));
		tables_slot_give(t, slot);
		return tables_pool_empty(t);
	}
	t->slot_state[slot] = SLOT_LIVE;
	if (tables_entry_needs_hop(content))
		tables_destination_add(t, slot);
	tables_local_reference(t, entry_hairpin_id(content));
	return 0;
}

void tables_entry_end(struct tables *t, uint32_t slot)
{
	tables_bucket_remove(t, slot);
	tables_destination_remove(t, slot);
	tables_local_unreference(t, entry_hairpin_id(entry_of(t, slot)));
	tables_hop_release(
		t, slot, atomic_load_explicit(&entry_of(t, slot)->egress, memory_order_relaxed));
	// The last packets are counted when the slot is freed.
	tables_usage_fold(t, slot);
	t->links[slot] = (struct link){0, 0};
	t->slot_state[slot] = tables_last_is_due(t, slot) ? SLOT_AWAITED : SLOT_ENDING;
	tables_slot_retire(t, slot);
}

uint32_t tables_entry_move(struct tables *t, uint32_t i, struct tp_entry *content)
{
	const struct tp_entry *e = entry_of(t, i);
	uint32_t partner = atomic_load_explicit(&e->partner, memory_order_relaxed);
	uint32_t fresh = tables_slot_take(t);
	bool was;

	if (fresh == 0)
		return 0;
	atomic_init(&content->expires_s, atomic_load(&e->expires_s));
	atomic_init(&content->other_expires_s, atomic_load(&e->other_expires_s));
	atomic_init(&content->egress, atomic_load(&e->egress));
	atomic_init(&content->path_mtu, atomic_load(&e->path_mtu));
	tables_limit_init(content, atomic_load(&e->limit));
	atomic_init(&content->partner, partner);
	tables_usage_fold(t, i);
	tables_usage_begin(t, fresh);
	tables_bucket_replace(t, i, fresh, content);
	tables_hop_move(t, i, fresh);
	was = tables_destination_remove(t, i);
	if (was && tables_entry_needs_hop(content))
		tables_destination_add(t, fresh);
	tables_local_reference(t, entry_hairpin_id(content));
	tables_local_unreference(t, entry_hairpin_id(e));
	if (e->key.kind != TP_KIND_PERMISSION)
		atomic_store_explicit(&entry_of(t, partner)->partner, fresh, memory_order_release);
	if (t->links[i].next != 0) {
		tables_ring_remove(t, i);
		tables_ring_add(t, e->allocation, fresh);
	}
	t->slot_state[fresh] = SLOT_LIVE;
	t->slot_state[i] = SLOT_ENDING;
	tables_slot_retire(t, i);
	return fresh;
}
