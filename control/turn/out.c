// SPDX-License-Identifier: BSD-3-Clause
#include "out.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#define FIRST_CAP 64u

static bool events_grow(struct turn_outs *o)
{
	size_t cap = o->cap != 0 ? 2 * o->cap : FIRST_CAP;
	struct turn_event *events = calloc(cap, sizeof(*events));

	if (events == NULL)
		return false;
	for (size_t i = 0; i < o->n; i++)
		events[i] = o->events[(o->head + i) & (o->cap - 1)];
	free(o->events);
	o->events = events;
	o->cap = cap;
	o->head = 0;
	return true;
}

bool turn_outs_add(struct turn_outs *o, struct turn_event event)
{
	if (o->n == o->cap && !events_grow(o))
		return false;
	o->events[(o->head + o->n++) & (o->cap - 1)] = event;
	return true;
}

bool turn_outs_take(struct turn_outs *o, struct turn_event *event)
{
	if (o->n == 0)
		return false;
	*event = o->events[o->head];
	o->head = (o->head + 1) & (o->cap - 1);
	o->n--;
	return true;
}

void turn_outs_fini(struct turn_outs *o)
{
	OPENSSL_cleanse(&o->record, sizeof(o->record));
	free(o->events);
}
