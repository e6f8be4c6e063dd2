// SPDX-License-Identifier: BSD-3-Clause
// Free slots, and retired ones that wait for their grace period.
#include "pool.h"

#include <turnpike/segment.h>

#include <errno.h>
#include <stdlib.h>

int tables_pool_init(struct pool *p, uint32_t capacity)
{
	memset(p, 0, sizeof(*p));
	p->capacity = capacity != 0 ? capacity : 1;
	p->free = calloc(p->capacity, sizeof(*p->free));
	p->retired = calloc(p->capacity, sizeof(*p->retired));
	p->tags = calloc(p->capacity, sizeof(*p->tags));
	if (p->free == NULL || p->retired == NULL || p->tags == NULL) {
		tables_pool_fini(p);
		return -ENOMEM;
	}
	return 0;
}

void tables_pool_fini(struct pool *p)
{
	free(p->free);
	free(p->retired);
	free(p->tags);
	memset(p, 0, sizeof(*p));
}

void tables_pool_give(struct pool *p, uint32_t slot)
{
	if (p->n_free < p->capacity)
		p->free[p->n_free++] = slot;
}

uint32_t tables_pool_take(struct pool *p)
{
	if (p->n_free != 0)
		return p->free[--p->n_free];
	return p->fresh < p->end ? p->fresh++ : 0;
}

void tables_pool_retire(struct pool *p, uint32_t slot, uint32_t tag)
{
	uint32_t at;

	if (p->n_retired == p->capacity)
		return;
	at = (uint32_t)(((uint64_t)p->head + p->n_retired) % p->capacity);
	p->retired[at] = slot;
	p->tags[at] = tag;
	p->n_retired++;
}

bool tables_pool_is_ripe(const struct pool *p, uint32_t gp_done)
{
	return p->n_retired != 0 && tp_gp_passed(gp_done, p->tags[p->head]);
}

uint32_t tables_pool_reap(struct pool *p, uint32_t gp_done)
{
	return tables_pool_is_ripe(p, gp_done) ? tables_pool_next(p) : 0;
}

uint32_t tables_pool_next(struct pool *p)
{
	uint32_t slot;

	if (p->n_retired == 0)
		return 0;
	slot = p->retired[p->head];
	p->head = (p->head + 1) % p->capacity;
	p->n_retired--;
	return slot;
}
