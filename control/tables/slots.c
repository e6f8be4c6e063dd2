// SPDX-License-Identifier: BSD-3-Clause
// Entry slots through their lives: taken, given back, retired, and freed when no reader can see
// them any more. Takers simply fail when a pool is empty; the store reaps before it takes.
#include "tables.h"

#include "mutant.h"

#define ASK_EVERY_NS	   (10 * TP_NS_PER_MS)
#define ASK_EVERY_SHORT_NS (1 * TP_NS_PER_MS) // with less than a quarter of the slots free

uint32_t tables_slot_take(struct tables *t)
{
	if (tables_pool_spare(&t->entries) == 0)
		tables_cells_look(t);
	return tables_pool_take(&t->entries);
}

void tables_slot_give(struct tables *t, uint32_t slot)
{
	t->slot_state[slot] = SLOT_IDLE;
	tables_pool_give(&t->entries, slot);
}

// Its allocation goes on elsewhere, with the last packets that were counted here.
static void moved_free(struct tables *t, uint32_t number)
{
	struct record *r = &t->priv.records[number];
	uint32_t other = r->other;

	if (other != 0 && other < t->shm.table.n_entries && t->slot_state[other] != SLOT_IDLE &&
		entry_of(t, other)->key.kind == TP_KIND_ALLOCATION &&
		record_of(t, other)->created_ns == r->created_ns)
		tables_usage_merge(record_of(t, other), r);
	tables_record_give(t, number);
}

// The usage is final: reports an allocation's end, and its record becomes free with it.
static void allocation_free(struct tables *t, uint32_t slot)
{
	uint32_t record = atomic_load_explicit(&entry_of(t, slot)->partner, memory_order_relaxed);
	struct record *r = &t->priv.records[record];
	struct turn_allocation_record rec;

	if (atomic_load_explicit(&r->state, memory_order_relaxed) == RECORD_MOVED) {
		moved_free(t, record);
		return;
	}
	if (t->env.ended != NULL) {
		tables_record_read(t, slot, &rec);
		if (t->env.rest != NULL)
			t->env.rest(t->env.ctx, &rec, tables_uncharged(r, &r->used, true));
		t->env.ended(t->env.ctx, &rec, slot, &t->priv.records[record].used,
			t->priv.records[record].close_reason);
		explicit_bzero(&rec, sizeof(rec));
	}
	tables_record_give(t, record);
}

void tables_slot_free(struct tables *t, uint32_t slot)
{
	if (t->slot_state[slot] == SLOT_AWAITED) {
		tables_last_keep(t, slot);
		return;
	}
	if (t->slot_state[slot] == SLOT_ENDING) {
		tables_usage_fold(t, slot);
		if (entry_of(t, slot)->key.kind == TP_KIND_ALLOCATION)
			allocation_free(t, slot);
	}
	tables_slot_give(t, slot);
}

void tables_slot_retire(struct tables *t, uint32_t slot)
{
	if (mutant_is(MUTANT_NO_GRACE_PERIOD))
		tables_slot_free(t, slot);
	else
		tables_pool_retire(&t->entries, slot, tables_grace_tag(t));
}

unsigned tables_slots_reap(struct tables *t, unsigned budget)
{
	uint32_t slot, done;
	unsigned n = 0;

	if (t->state == NULL)
		return 0;
	done = tables_grace_done(t);
	for (; n < budget && (slot = tables_pool_reap(&t->entries, done)) != 0; n++)
		tables_slot_free(t, slot);
	for (; n < budget && (slot = tables_pool_reap(&t->buckets, done)) != 0; n++)
		tables_pool_give(&t->buckets, slot);
	n += tables_hop_reap(t, done);
	n += tables_port_sets_reap(t, done);
	tables_local_reap(t, done);
	return n;
}

void tables_end_all(struct tables *t)
{
	uint32_t slot;

	while ((slot = tables_pool_next(&t->entries)) != 0)
		tables_slot_free(t, slot);
	tables_last_end_all(t);
}

// ---- when ---------------------------------------------------------------------------------------

// Some only wait for the next portion.
static bool slots_are_ripe(const struct tables *t)
{
	return t->state != NULL && (tables_pool_is_ripe(&t->entries, tables_grace_done(t)) ||
					   tables_pool_is_ripe(&t->buckets, tables_grace_done(t)));
}

static bool slots_are_retired(const struct tables *t)
{
	return t->entries.n_retired != 0 || t->buckets.n_retired != 0 ||
	       t->hop.pool.n_retired != 0 || t->port_sets.pool.n_retired != 0 ||
	       t->n_local_retired != 0;
}

static bool pool_is_low(const struct pool *p)
{
	return p->n_free < p->capacity / 4;
}

// Those that wait for their cells too.
static uint32_t entries_free(const struct tables *t)
{
	return t->entries.n_free + (t->shm.table.n_entries - t->entries.fresh);
}

// Records become free with their entries.
static uint64_t ask_every_ns(const struct tables *t)
{
	return entries_free(t) < t->entries.capacity / 4 || pool_is_low(&t->records) ||
			       (pool_is_low(&t->buckets) && t->buckets.n_retired != 0)
		       ? ASK_EVERY_SHORT_NS
		       : ASK_EVERY_NS;
}

void tables_advance(struct tables *t, uint64_t now_ns)
{
	tables_slots_reap(t, REAP_PORTION);
	tables_cells_look(t);
	tables_hop_advance(t, now_ns);
	tables_last_advance(t, now_ns);
	if (tables_grace_is_open(t)) {
		if (t->open_ns == 0)
			t->open_ns = now_ns; // the last writer's request
		return;
	}
	t->open_ns = 0;
	if (t->state == NULL || !slots_are_retired(t) || now_ns - t->asked_ns < ask_every_ns(t))
		return;
	tables_grace_ask(t);
	t->asked_ns = now_ns;
	t->open_ns = now_ns;
}

uint64_t tables_deadline(const struct tables *t, uint64_t now_ns)
{
	uint64_t deadline = tables_hop_deadline(t, now_ns), last = tables_last_deadline(t);
	uint64_t due = UINT64_MAX;

	if (last < deadline)
		deadline = last;
	if (slots_are_ripe(t))
		return now_ns;
	// Watched until it has passed, even if nothing of this writer's waits for it.
	if (tables_grace_is_open(t))
		due = now_ns + ASK_EVERY_SHORT_NS;
	// It has passed and made no entry ripe: the next one may be asked for.
	else if (t->open_ns != 0)
		return now_ns;
	else if (t->state != NULL && slots_are_retired(t))
		due = t->asked_ns + ask_every_ns(t);
	return due < deadline ? due : deadline;
}

void tables_get_counts(const struct tables *t, uint64_t now_ns, struct tables_counts *c)
{
	memset(c, 0, sizeof(*c));
	c->allocations = t->n_allocations;
	c->permissions = t->n_permissions;
	c->channels = t->n_channels;
	c->entries = t->entries.capacity;
	c->entries_free = entries_free(t);
	c->entries_ready = tables_pool_spare(&t->entries);
	c->entries_retired = t->entries.n_retired;
	c->overflow_buckets = t->buckets.capacity;
	c->overflow_free = t->buckets.n_free;
	c->next_hops = t->hop.pool.capacity;
	c->next_hops_used = t->hop.n_used;
	if (t->open_ns != 0 && now_ns > t->open_ns && tables_grace_is_open(t))
		c->grace_open_ns = now_ns - t->open_ns;
	c->full = t->full;
	c->full_of_cells = t->full_of_cells;
}
