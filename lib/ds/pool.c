// SPDX-License-Identifier: BSD-3-Clause
#include <ds/pool.h>

#include <stdlib.h>

void ds_pool_init(struct ds_pool *p, size_t size)
{
	*p = (struct ds_pool){.size = size};
}

void ds_pool_fini(struct ds_pool *p)
{
	for (uint32_t i = 0; i < p->n_chunks; i++)
		free(p->chunks[i]);
	free(p->chunks);
	free(p->free);
	*p = (struct ds_pool){.size = p->size};
}

// Room for twice as many: grown by a chunk at a time, the arrays would be copied for each.
static bool arrays_grow(struct ds_pool *p)
{
	uint32_t room = p->room != 0 ? 2 * p->room : 8;
	uint32_t *indexes = realloc(p->free, (size_t)room * DS_POOL_CHUNK * sizeof(*indexes));
	uint8_t **chunks;

	if (indexes == NULL)
		return false;
	p->free = indexes;
	chunks = realloc(p->chunks, room * sizeof(*chunks));
	if (chunks == NULL)
		return false;
	p->chunks = chunks;
	p->room = room;
	return true;
}

static bool chunk_add(struct ds_pool *p)
{
	uint32_t first = ds_pool_end(p);

	if (p->n_chunks == p->room && !arrays_grow(p))
		return false;
	p->chunks[p->n_chunks] = calloc(DS_POOL_CHUNK, p->size);
	if (p->chunks[p->n_chunks] == NULL)
		return false;
	p->n_chunks++;
	for (uint32_t i = 0; i < DS_POOL_CHUNK; i++)
		p->free[p->n_free++] = first + DS_POOL_CHUNK - 1 - i;
	return true;
}

void *ds_pool_take(struct ds_pool *p, uint32_t *index)
{
	if (p->n_free == 0 && !chunk_add(p))
		return NULL;
	*index = p->free[--p->n_free];
	p->n_taken++;
	return ds_pool_at(p, *index);
}

void ds_pool_return(struct ds_pool *p, uint32_t index)
{
	memset(ds_pool_at(p, index), 0, p->size);
	p->free[p->n_free++] = index;
	p->n_taken--;
}
