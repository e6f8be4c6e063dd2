// SPDX-License-Identifier: BSD-3-Clause
// Slots and their grace periods. What is retired is tagged with the number of the next request; one
// request at a time is open, and covers all that was retired before it was made.
#include "tables.h"

#include "mutant.h"

#include <shm/futex.h>

#define ASK_EVERY_NS	   (10 * TP_NS_PER_MS)
#define ASK_EVERY_SHORT_NS (1 * TP_NS_PER_MS) // with less than a quarter of the slots free

uint32_t grace_tag(const struct tables *t)
{
	return atomic_load_explicit(&t->shm.header->gp_req, memory_order_relaxed) + 1;
}

static uint32_t grace_done(const struct tables *t)
{
	return atomic_load_explicit(&t->state->header->gp_done, memory_order_acquire);
}

// Nobody can see the slot any more: its usage is final.
static void slot_free(struct tables *t, uint32_t slot)
{
	struct tp_entry *e = entry_of(t, slot);

	if (t->slot_state[slot] == SLOT_ENDING) {
		usage_fold(t, slot);
		if (e->key.kind == TP_KIND_ALLOCATION) {
			struct turn_allocation_record rec;
			uint32_t record = atomic_load_explicit(&e->partner, memory_order_relaxed);

			if (t->env.ended != NULL) {
				record_read(t, slot, &rec);
				t->env.ended(t->env.ctx, &rec, slot, &t->priv.records[record].used,
					t->priv.records[record].close_reason);
				explicit_bzero(&rec, sizeof(rec));
			}
			record_give(t, record);
		}
	}
	t->slot_state[slot] = SLOT_IDLE;
	pool_give(&t->entries, slot);
}

unsigned grace_reap(struct tables *t, unsigned budget)
{
	uint32_t slot, done;
	unsigned n = 0;

	if (t->state == NULL)
		return 0;
	done = grace_done(t);
	for (; n < budget && (slot = pool_reap(&t->entries, done)) != 0; n++)
		slot_free(t, slot);
	for (; n < budget && (slot = pool_reap(&t->buckets, done)) != 0; n++)
		pool_give(&t->buckets, slot);
	hop_reap(t, done);
	local_reap(t, done);
	return n;
}

// Some wait for their turn only.
static bool grace_has_ripe(const struct tables *t)
{
	return t->state != NULL && (pool_is_ripe(&t->entries, grace_done(t)) ||
					   pool_is_ripe(&t->buckets, grace_done(t)));
}

void tables_end_all(struct tables *t)
{
	uint32_t slot;

	while ((slot = pool_next(&t->entries)) != 0)
		slot_free(t, slot);
}

uint32_t slot_take(struct tables *t)
{
	if (t->entries.n_free == 0)
		grace_reap(t, REAP_PORTION);
	return pool_take(&t->entries);
}

void slot_give(struct tables *t, uint32_t slot)
{
	t->slot_state[slot] = SLOT_IDLE;
	pool_give(&t->entries, slot);
}

void slot_retire(struct tables *t, uint32_t slot)
{
	if (mutant_is(MUTANT_NO_GRACE_PERIOD))
		slot_free(t, slot);
	else
		pool_retire(&t->entries, slot, grace_tag(t));
}

uint32_t bucket_take(struct tables *t)
{
	while (t->buckets.n_free == 0 && grace_reap(t, REAP_PORTION) != 0)
		;
	return pool_take(&t->buckets);
}

void bucket_retire(struct tables *t, uint32_t bucket)
{
	if (mutant_is(MUTANT_NO_GRACE_PERIOD))
		pool_give(&t->buckets, bucket);
	else
		pool_retire(&t->buckets, bucket, grace_tag(t));
}

static bool grace_wanted(const struct tables *t)
{
	return t->entries.n_retired != 0 || t->buckets.n_retired != 0 ||
	       t->hop.pool.n_retired != 0 || t->n_local_retired != 0;
}

static bool grace_is_open(const struct tables *t)
{
	uint32_t asked = atomic_load_explicit(&t->shm.header->gp_req, memory_order_relaxed);

	return t->state != NULL && !tp_gp_passed(grace_done(t), asked);
}

static bool pool_is_low(const struct pool *p)
{
	return p->n_free < p->capacity / 4;
}

// Records become free with their entries.
static uint64_t ask_every_ns(const struct tables *t)
{
	return pool_is_low(&t->entries) || pool_is_low(&t->records) ||
			       (pool_is_low(&t->buckets) && t->buckets.n_retired != 0)
		       ? ASK_EVERY_SHORT_NS
		       : ASK_EVERY_NS;
}

static void grace_ask(struct tables *t, uint64_t now_ns)
{
	if (t->state == NULL || !grace_wanted(t) || now_ns - t->asked_ns < ask_every_ns(t))
		return;
	atomic_store_explicit(&t->shm.header->gp_req, grace_tag(t), memory_order_release);
	shm_futex_wake(&t->shm.header->gp_req);
	t->asked_ns = now_ns;
	t->open_ns = now_ns;
}

void tables_advance(struct tables *t, uint64_t now_ns)
{
	grace_reap(t, REAP_PORTION);
	hop_advance(t, now_ns);
	if (!grace_is_open(t)) {
		t->open_ns = 0;
		grace_ask(t, now_ns);
	} else if (t->open_ns == 0) {
		t->open_ns = now_ns; // the last writer's request
	}
}

uint64_t tables_deadline(const struct tables *t, uint64_t now_ns)
{
	uint64_t deadline = hop_deadline(t, now_ns);

	if (grace_has_ripe(t))
		return now_ns;
	if (t->state != NULL && grace_wanted(t)) {
		uint64_t due = grace_is_open(t) ? now_ns + ASK_EVERY_SHORT_NS
						: t->asked_ns + ask_every_ns(t);

		if (due < deadline)
			deadline = due;
	}
	return deadline;
}

void tables_get_counts(const struct tables *t, uint64_t now_ns, struct tables_counts *c)
{
	memset(c, 0, sizeof(*c));
	c->allocations = t->n_allocations;
	c->permissions = t->n_permissions;
	c->channels = t->n_channels;
	c->entries = t->entries.capacity;
	c->entries_free = t->entries.n_free;
	c->entries_retired = t->entries.n_retired;
	c->overflow_buckets = t->buckets.capacity;
	c->overflow_free = t->buckets.n_free;
	c->next_hops = t->hop.pool.capacity;
	c->next_hops_used = t->hop.n_used;
	c->grace_open_ns = t->open_ns != 0 && now_ns > t->open_ns ? now_ns - t->open_ns : 0;
	c->full = t->full;
}
