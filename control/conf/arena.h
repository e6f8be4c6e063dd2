// SPDX-License-Identifier: BSD-3-Clause
// Memory of one configuration: handed out piece by piece, kept out of core dumps, wiped and given
// back at once.
#pragma once

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
};

// Zeroed, aligned for anything; NULL when there is none left. Zero octets are fine.
void *arena_alloc(struct arena *a, size_t len);
// For arrays: also NULL when n * size is too large.
void *arena_array(struct arena *a, size_t n, size_t size);
char *arena_text(struct arena *a, const char *s, size_t len);
void arena_fini(struct arena *a);
