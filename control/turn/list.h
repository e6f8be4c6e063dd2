// SPDX-License-Identifier: BSD-3-Clause
// Doubly linked rings: a head and its members are the same shape, an empty ring points to itself.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TURN_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct turn_list {
	struct turn_list *prev;
	struct turn_list *next;
};

static inline void turn_list_init(struct turn_list *l)
{
	l->prev = l;
	l->next = l;
}

static inline bool turn_list_is_empty(const struct turn_list *l)
{
	return l->next == l;
}

// At the end of the ring.
static inline void turn_list_add(struct turn_list *head, struct turn_list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

// Leaves `l` as an empty ring, so that removing it again does no harm.
static inline void turn_list_del(struct turn_list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	turn_list_init(l);
}
