// SPDX-License-Identifier: BSD-3-Clause
#include "arena.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_SIZE ((size_t)64 * 1024)
#define ALIGN	   _Alignof(max_align_t)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	size_t used;
	max_align_t data[];
};

static struct arena_chunk *chunk_map(size_t len)
{
	size_t size = sizeof(struct arena_chunk) + len;
	struct arena_chunk *c;

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

void *arena_alloc(struct arena *a, size_t len)
{
	struct arena_chunk *c = a->chunks;
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

void *arena_array(struct arena *a, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size)
		return NULL;
	return arena_alloc(a, n * size);
}

char *arena_text(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (p != NULL)
		memcpy(p, s, len);
	return p;
}

void arena_fini(struct arena *a)
{
	while (a->chunks != NULL) {
		struct arena_chunk *c = a->chunks;
		size_t size = sizeof(*c) + c->size;

		a->chunks = c->next;
		explicit_bzero(c, size);
		munmap(c, size);
	}
}
