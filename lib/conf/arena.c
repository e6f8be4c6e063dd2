// SPDX-License-Identifier: BSD-3-Clause
#include "arena.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_SIZE ((size_t)64 * 1024)
#define ALIGN	   _Alignof(max_align_t)

struct conf_arena_chunk {
	struct conf_arena_chunk *next;
	size_t size;
	size_t used;
	max_align_t data[];
};

static struct conf_arena_chunk *chunk_map(size_t len)
{
	size_t size = sizeof(struct conf_arena_chunk) + len;
	struct conf_arena_chunk *c;

	if (size < CHUNK_SIZE)
		size = CHUNK_SIZE;
	c = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		return NULL;
	// Fails only where the kernel is built without it: then core dumps are off anyway.
	madvise(c, size, MADV_DONTDUMP);
	c->size = size - sizeof(*c);
	return c;
}

void *conf_arena_alloc(struct conf_arena *a, size_t len)
{
	struct conf_arena_chunk *c = a->chunks;
	void *p;

	if (len > SIZE_MAX / 2)
		return NULL;
	len = (len + ALIGN - 1) / ALIGN * ALIGN;
	if (c == NULL || c->size - c->used < len) {
		c = chunk_map(len);
		if (c == NULL)
			return NULL;
		c->next = a->chunks;
		a->chunks = c;
	}
	p = (char *)c->data + c->used;
	c->used += len;
	return p;
}

void *conf_arena_array(struct conf_arena *a, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size)
		return NULL;
	return conf_arena_alloc(a, n * size);
}

char *conf_arena_text(struct conf_arena *a, const char *s, size_t len)
{
	char *p = conf_arena_alloc(a, len + 1);

	if (p != NULL)
		memcpy(p, s, len);
	return p;
}

void conf_arena_fini(struct conf_arena *a)
{
	while (a->chunks != NULL) {
		struct conf_arena_chunk *c = a->chunks;
		size_t size = sizeof(*c) + c->size;

		a->chunks = c->next;
		explicit_bzero(c, size);
		munmap(c, size);
	}
}
