// SPDX-License-Identifier: BSD-3-Clause
// Memory of one configuration: handed out piece by piece, kept out of core dumps, wiped and given
// back at once.
#pragma once

#include <stddef.h>

struct conf_arena_chunk;

struct conf_arena {
	struct conf_arena_chunk *chunks;
};

// Zeroed, aligned for anything; NULL when there is none left. Zero octets are fine.
void *conf_arena_alloc(struct conf_arena *a, size_t len);
// Allocates an array; also NULL when n * size overflows.
void *conf_arena_array(struct conf_arena *a, size_t n, size_t size);
char *conf_arena_text(struct conf_arena *a, const char *s, size_t len);
void conf_arena_fini(struct conf_arena *a);
