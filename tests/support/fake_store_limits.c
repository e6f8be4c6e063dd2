// SPDX-License-Identifier: BSD-3-Clause
// Limits of the fake store.
#include "fake_store_parts.h"

const struct turn_limit *fake_store_limit(const struct fake_store *f, uint32_t number)
{
	const struct turn_limit *l, *parent;

	fake_require(number <= FAKE_LIMITS && f->limits[number].live, "no such limit", number);
	l = &f->limits[number].limit;
	if (l->parent != 0) {
		fake_require(l->parent <= FAKE_LIMITS && f->limits[l->parent].live,
			"no such wider limit", l->parent);
		parent = &f->limits[l->parent].limit;
		fake_require(parent->kind > l->kind, "a limit that does not widen", number);
	}
	return l;
}

static void limit_set(void *ctx, uint32_t number, const struct turn_limit *limit)
{
	struct fake_store *f = ctx;

	fake_require(number != 0 && number <= FAKE_LIMITS && f->limits[number].live,
		"no such limit", number);
	f->limits[number].limit = *limit;
}

static uint32_t limit_add(void *ctx, const struct turn_limit *limit)
{
	struct fake_store *f = ctx;

	for (uint32_t number = 1; number <= FAKE_LIMITS; number++) {
		if (f->limits[number].live)
			continue;
		f->limits[number].live = true;
		f->live_limits++;
		limit_set(f, number, limit);
		return number;
	}
	return 0;
}

static void limit_del(void *ctx, uint32_t number)
{
	struct fake_store *f = ctx;

	fake_require(number != 0 && number <= FAKE_LIMITS && f->limits[number].live,
		"no such limit", number);
	f->limits[number].live = false;
	f->live_limits--;
}

static uint64_t limit_octets(void *ctx, uint32_t number)
{
	(void)fake_store_limit(ctx, number);
	return ((struct fake_store *)ctx)->limits[number].octets;
}

static void allocation_limit(void *ctx, uint32_t ref, uint32_t number)
{
	struct fake_store *f = ctx;

	if (number != 0)
		(void)fake_store_limit(f, number);
	// Tests restore allocations that only they know; none of them has a limit.
	if (number != 0 || (fake_ref_index(ref) < f->n_allocations &&
				   f->allocations[fake_ref_index(ref)].live))
		fake_allocation_at(f, ref)->limit = number;
}

static void allocation_octets(void *ctx, uint32_t ref, uint64_t to_peer, uint64_t to_client)
{
	struct fake_allocation *a = fake_allocation_at(ctx, ref);

	a->to_peer = to_peer;
	a->to_client = to_client;
}

// The allocation may be any, or none.
static void allocation_last(
	void *ctx, uint32_t ref, const struct tp_addr *local, uint64_t to_peer, uint64_t to_client)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a;

	if (ref == 0 || fake_ref_index(ref) >= f->n_allocations)
		return;
	a = &f->allocations[fake_ref_index(ref)];
	if (a->live || a->ref != ref || !tp_addr_equal(&a->rec.relay[0].local, local))
		return;
	a->to_peer = to_peer;
	a->to_client = to_client;
	a->is_last = true;
}

void fake_limits_fill(struct turn_store *store)
{
	store->limit_add = limit_add;
	store->limit_set = limit_set;
	store->limit_del = limit_del;
	store->limit_octets = limit_octets;
	store->allocation_limit = allocation_limit;
	store->allocation_octets = allocation_octets;
	store->allocation_last = allocation_last;
}
