// SPDX-License-Identifier: BSD-3-Clause
// Objects of one size in chunks: they never move, have a small index, and are taken and returned
// without the allocator once the pool has grown.
#pragma once

#include <turnpike/base.h>

#define TURN_POOL_CHUNK 256u

struct turn_pool {
	size_t size; // of one object
	uint8_t **chunks;
	uint32_t n_chunks;
	uint32_t room; // for chunks, in both arrays
	uint32_t n_taken;
	uint32_t *free; // stack of free indexes, room for all
	uint32_t n_free;
};

void turn_pool_init(struct turn_pool *p, size_t size);
void turn_pool_fini(struct turn_pool *p);
// A zeroed object and its index; NULL without memory.
void *turn_pool_take(struct turn_pool *p, uint32_t *index);
void turn_pool_return(struct turn_pool *p, uint32_t index);

// Indexes from 0 to this, less one, have been used at some time.
static inline uint32_t turn_pool_end(const struct turn_pool *p)
{
	return p->n_chunks * TURN_POOL_CHUNK;
}

// The object, taken or zeroed.
static inline void *turn_pool_at(const struct turn_pool *p, uint32_t index)
{
	return p->chunks[index / TURN_POOL_CHUNK] + p->size * (index % TURN_POOL_CHUNK);
}
