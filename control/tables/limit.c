// SPDX-License-Identifier: BSD-3-Clause
// The limits array (<turnpike/rate.h>). Numbers are slots plus 1, as entries have them. A slot that
// is given back rests as long as others are free. A restarted process has none: it gives all
// allocations new ones, and for a moment an allocation that still has its old number may share the
// bucket of another.
#include "tables.h"

#include <errno.h>

void tables_limits_fill(struct tables *t)
{
	for (uint32_t number = t->shm.n_limits; number >= 1; number--)
		tables_pool_give(&t->limits, number);
}

static struct tp_limit *limit_at(const struct tables *t, uint32_t number)
{
	return number != 0 && number <= t->shm.n_limits ? &t->shm.limits[number - 1] : NULL;
}

void tables_limit_set(void *ctx, uint32_t number, const struct turn_limit *limit)
{
	struct tables *t = ctx;
	struct tp_limit *l = limit_at(t, number);

	if (l == NULL)
		return;
	atomic_store_explicit(&l->burst_bits, limit->cap.burst_bits, memory_order_relaxed);
	atomic_store_explicit(&l->burst_packets, limit->cap.burst_packets, memory_order_relaxed);
	atomic_store_explicit(&l->bits_per_s, limit->cap.bits_per_s, memory_order_relaxed);
	atomic_store_explicit(&l->packets_per_s, limit->cap.packets_per_s, memory_order_relaxed);
	atomic_store_explicit(&l->sessions, limit->sessions, memory_order_relaxed);
	atomic_store_explicit(&l->parent, limit->parent, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->shm.header->limit_seq, 1, memory_order_release);
}

uint32_t tables_limit_add(void *ctx, const struct turn_limit *limit)
{
	struct tables *t = ctx;
	uint32_t number = tables_pool_take(&t->limits);
	struct tp_limit *l;

	if (number == 0)
		number = tables_pool_next(&t->limits);
	l = limit_at(t, number);
	if (l == NULL)
		return 0;
	l->generation++;
	l->realm_id = limit->realm_id;
	l->kind = limit->kind;
	t->limit_bases[number - 1] = tables_limit_sum(t, number);
	tables_limit_set(t, number, limit);
	return number;
}

void tables_limit_del(void *ctx, uint32_t number)
{
	static const struct turn_limit none = {.kind = TP_LIMIT_FREE};
	struct tables *t = ctx;

	if (limit_at(t, number) == NULL)
		return;
	tables_limit_set(t, number, &none);
	tables_pool_retire(&t->limits, number, 0);
}

void tables_entry_limit(struct tp_entry *e, uint32_t number)
{
	uint8_t flags = atomic_load_explicit(&e->flags, memory_order_relaxed);

	if (number != 0)
		atomic_store_explicit(&e->flags, flags | TP_ENTRY_LIMITED, memory_order_relaxed);
	atomic_store_explicit(&e->limit, number, memory_order_relaxed);
	if (number == 0)
		atomic_store_explicit(
			&e->flags, flags & (uint8_t)~TP_ENTRY_LIMITED, memory_order_relaxed);
}

// In all that hangs on an ALLOCATION entry.
static void ring_limit(struct tables *t, uint32_t ref, uint32_t number)
{
	tables_entry_limit(entry_of(t, ref), number);
	for (uint32_t i = t->links[ref].next; i != ref; i = t->links[i].next) {
		struct tp_entry *e = entry_of(t, i);
		uint32_t partner = atomic_load_explicit(&e->partner, memory_order_relaxed);

		tables_entry_limit(e, number);
		if (e->key.kind == TP_KIND_CHANNEL)
			tables_entry_limit(entry_of(t, partner), number);
	}
}

void tables_allocation_limit(void *ctx, uint32_t ref, uint32_t number)
{
	struct tables *t = ctx;
	uint32_t successor;

	if (!ref_is(t, ref, TP_KIND_ALLOCATION))
		return;
	ring_limit(t, ref, number);
	successor = tables_move_successor(t, ref);
	if (successor != 0)
		ring_limit(t, successor, number);
}

// ---- counters ---------------------------------------------------------------------------------

struct tables_limit_usage tables_limit_sum(const struct tables *t, uint32_t number)
{
	struct tables_limit_usage sum = {0};

	if (t->state == NULL || number == 0 || number > t->state->n_limits)
		return sum;
	for (uint32_t w = 0; w < t->state->n_workers; w++) {
		const struct tp_limit_cell *c =
			&t->state->limit_cells[(size_t)w * t->state->n_limits + number - 1];

		sum.packets += atomic_load_explicit(&c->packets, memory_order_relaxed);
		sum.octets += atomic_load_explicit(&c->bits, memory_order_relaxed) / 8;
		sum.marked += atomic_load_explicit(&c->marked, memory_order_relaxed);
		sum.dropped += atomic_load_explicit(&c->dropped, memory_order_relaxed);
	}
	return sum;
}

uint64_t tables_limit_octets(void *ctx, uint32_t number)
{
	return tables_limit_sum(ctx, number).octets;
}

// Counters of another state file began at zero.
static uint64_t gain(uint64_t now, uint64_t base)
{
	return now >= base ? now - base : now;
}

int tables_limit_usage(const struct tables *t, uint32_t ref, struct tables_limit_usage *usage)
{
	struct tables_limit_usage now, base;
	uint32_t number;

	memset(usage, 0, sizeof(*usage));
	if (!ref_is(t, ref, TP_KIND_ALLOCATION))
		return -ENOENT;
	number = atomic_load_explicit(&entry_of(t, ref)->limit, memory_order_relaxed);
	// One without a slot of its own names a wider one.
	if (limit_at(t, number) == NULL || limit_at(t, number)->kind != TP_LIMIT_ALLOCATION)
		return -ENOENT;
	now = tables_limit_sum(t, number);
	base = t->limit_bases[number - 1];
	usage->packets = gain(now.packets, base.packets);
	usage->octets = gain(now.octets, base.octets);
	usage->marked = gain(now.marked, base.marked);
	usage->dropped = gain(now.dropped, base.dropped);
	return 0;
}
