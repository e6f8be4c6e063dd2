// SPDX-License-Identifier: BSD-3-Clause
// Numbers of slots that are free, and of slots given up which a reader may still look at: these
// wait in order of their tags (numbers of grace periods) for their grace period. In the writer's
// own memory only; a new writer builds it anew. Slot 0 is never in a pool.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pool {
	uint32_t *free; // a stack: the slot given up last is the first in the cache
	uint32_t n_free;
	// Slots never used so far: `fresh` to `end` - 1 may be taken, lowest first, when the stack
	// is empty.
	uint32_t fresh;
	uint32_t end;
	uint32_t *retired; // a ring of slots, oldest at `head`, and of their tags
	uint32_t *tags;
	uint32_t head;
	uint32_t n_retired;
	uint32_t capacity;
};

// Room for `capacity` slots in all. 0 or -ENOMEM.
int tables_pool_init(struct pool *p, uint32_t capacity);
void tables_pool_fini(struct pool *p);

void tables_pool_give(struct pool *p, uint32_t slot);
// How many a taker finds.
static inline uint32_t tables_pool_spare(const struct pool *p)
{
	return p->n_free + (p->end - p->fresh);
}
// 0: none is free.
uint32_t tables_pool_take(struct pool *p);

// Tags must not go back from one call to the next.
void tables_pool_retire(struct pool *p, uint32_t slot, uint32_t tag);
// Whether there is one whose grace period has passed.
bool tables_pool_is_ripe(const struct pool *p, uint32_t gp_done);
// Returns the oldest retired slot, even before the end of its grace period; 0: none. It belongs to
// the caller.
uint32_t tables_pool_next(struct pool *p);
// The oldest retired slot whose grace period has passed, 0 for none. It is the caller's to give.
uint32_t tables_pool_reap(struct pool *p, uint32_t gp_done);
