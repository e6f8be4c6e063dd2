// SPDX-License-Identifier: BSD-3-Clause
#include "out.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "alloc.h"

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

static bool event_add(struct turn_outs *o, struct turn_event event)
{
	if (o->n == o->cap && !events_grow(o))
		return false;
	o->events[(o->head + o->n++) & (o->cap - 1)] = event;
	return true;
}

void turn_outs_opened(struct turn_server *s, struct turn_allocation *a)
{
	event_add(
		&s->outs, (struct turn_event){.allocation = a, .kind = TURN_OUT_ALLOCATION_OPENED});
}

void turn_outs_closed(
	struct turn_server *s, struct turn_allocation *a, enum turn_close_reason reason)
{
	if (!event_add(&s->outs,
		    (struct turn_event){
			    .allocation = a, .kind = TURN_OUT_ALLOCATION_CLOSED, .reason = reason}))
		turn_allocation_free(s, a);
}

void turn_outs_fini(struct turn_server *s)
{
	OPENSSL_cleanse(&s->outs.record, sizeof(s->outs.record));
	free(s->outs.events);
}

static void event_take(struct turn_server *s, struct turn_out *out)
{
	struct turn_outs *o = &s->outs;
	struct turn_event event = o->events[o->head];

	o->head = (o->head + 1) & (o->cap - 1);
	o->n--;
	turn_allocation_record(s, event.allocation, &o->record);
	*out = (struct turn_out){
		.kind = event.kind,
		.tuple = event.allocation->client,
		.ref = event.allocation->ref,
		.reason = event.reason,
		.record = &o->record,
	};
	if (event.kind == TURN_OUT_ALLOCATION_CLOSED)
		turn_allocation_free(s, event.allocation);
}

bool turn_next(struct turn_server *s, struct turn_out *out)
{
	struct turn_outs *o = &s->outs;

	if (o->message_len > 0) {
		*out = (struct turn_out){
			.kind = TURN_OUT_SEND,
			.tuple = o->to,
			.data = o->message,
			.len = o->message_len,
		};
		o->message_len = 0;
		return true;
	}
	if (o->refused) {
		*out = (struct turn_out){
			.kind = TURN_OUT_REFUSED,
			.tuple = o->to,
			.refusal = &o->refusal,
		};
		o->refused = false;
		return true;
	}
	if (o->n == 0)
		return false;
	event_take(s, out);
	return true;
}
