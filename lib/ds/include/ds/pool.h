// SPDX-License-Identifier: BSD-3-Clause
// Objects of one size in chunks: they never move, have a small index, and are taken and returned
// without the allocator once the pool has grown.
#pragma once

#include <turnpike/base.h>

#define DS_POOL_CHUNK 256u

struct ds_pool {
	size_t size; // of one object
	uint8_t **chunks;
	uint32_t n_chunks;
	uint32_t room; // for chunks, in both arrays
	uint32_t n_taken;
	uint32_t *free; // stack of free indexes, room for all
	uint32_t n_free;
};

void ds_pool_init(struct ds_pool *p, size_t size);
void ds_pool_fini(struct ds_pool *p);
// A zeroed object and its index; NULL without memory.
void *ds_pool_take(struct ds_pool *p, uint32_t *index);
void ds_pool_return(struct ds_pool *p, uint32_t index);

// Indexes from 0 to this, less one, have been used at some time.
static inline uint32_t ds_pool_end(const struct ds_pool *p)
{
	return p->n_chunks * DS_POOL_CHUNK;
}

// The object, taken or zeroed.
static inline void *ds_pool_at(const struct ds_pool *p, uint32_t index)
{
	return p->chunks[index / DS_POOL_CHUNK] + p->size * (index % DS_POOL_CHUNK);
}
