// SPDX-License-Identifier: BSD-3-Clause
// Doubly linked rings: a head and its members are the same shape, an empty ring points to itself.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define DS_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct ds_list {
	struct ds_list *prev;
	struct ds_list *next;
};

static inline void ds_list_init(struct ds_list *l)
{
	l->prev = l;
	l->next = l;
}

static inline bool ds_list_is_empty(const struct ds_list *l)
{
	return l->next == l;
}

// At the end of the ring.
static inline void ds_list_add(struct ds_list *head, struct ds_list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

// Leaves `l` as an empty ring, so that removing it again does no harm.
static inline void ds_list_del(struct ds_list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	ds_list_init(l);
}
