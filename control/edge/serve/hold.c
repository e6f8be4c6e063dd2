// SPDX-License-Identifier: BSD-3-Clause
// Back-pressure: while the ring to its worker is full, or the data plane is away, a connection is
// not read, so TCP slows its client down and no message is lost. Held connections wait in lanes,
// one for each worker, and are served in turn when the ring has room again.
#include "internal.h"

#include <stdlib.h>

#define RESUMED_MAX 256u // of one lane in a turn

// Leaves the bit of the lane before behind when that becomes empty: hold_serve clears it.
static void lane_take(struct conn *c, unsigned worker)
{
	struct serve_thread *t = c->thread;

	ds_list_del(&c->again);
	ds_list_add(&t->held[worker], &c->again);
	t->held_workers |= 1ull << worker;
}

static void lane_join(struct conn *c, unsigned worker)
{
	struct serve_thread *t = c->thread;

	c->held = true;
	lane_take(c, worker);
	// The client is not to blame for the time that a message takes from here.
	conn_time(c, &t->idle);
	SERVE_COUNT(t, held, 1);
	if (c->armed)
		conn_events_want(c, c->writable_wanted);
}

void hold_taken(struct conn *c)
{
	lane_join(c, 0);
}

bool hold_unread(struct conn *c)
{
	unsigned worker;

	if (edge_link_room(c->thread->link, c->connection, &worker) &&
		ds_list_is_empty(&c->thread->held[worker]))
		return false;
	lane_join(c, worker);
	return true;
}

bool hold_bytes(struct conn *c, const uint8_t *bytes, size_t len)
{
	unsigned worker;

	(void)edge_link_room(c->thread->link, c->connection, &worker);
	if (!conn_keep(c, bytes, len)) {
		conn_close(c, SERVE_CLOSE_memory);
		return false;
	}
	lane_join(c, worker);
	return c->fd >= 0;
}

bool hold_share_is_used(struct conn *c, unsigned messages)
{
	unsigned worker;

	if (messages < SERVE_SHARE || c->thread->held_workers == 0)
		return false;
	(void)edge_link_room(c->thread->link, c->connection, &worker);
	return !ds_list_is_empty(&c->thread->held[worker]);
}

// The bytes that were read before it was held go first.
static void resume(struct conn *c)
{
	struct serve_thread *t = c->thread;
	size_t kept = c->n_partial;

	ds_list_del(&c->again);
	c->held = false;
	conn_time(c, kept > 0 || !c->spoke ? &t->young : &t->idle);
	if (kept > 0)
		memcpy(t->scratch, c->partial, kept);
	if (kept > 0 && !conn_bytes(c, t->scratch, kept, 0))
		return;
	if (!c->held && !c->binding)
		conn_read_now(c);
	if (c->fd >= 0 && c->state == CONN_OPEN && !c->held && !c->binding && !c->armed)
		conn_events_want(c, c->writable_wanted);
}

// While the data plane is away all wait in the first lane, and the next one may have more workers
// or less: each finds its own lane again.
static void lane_serve(struct serve_thread *t, unsigned worker)
{
	struct ds_list *lane = &t->held[worker];
	unsigned at;

	for (unsigned n = 0; n < RESUMED_MAX && !ds_list_is_empty(lane); n++) {
		struct conn *c = DS_CONTAINER(lane->next, struct conn, again);

		if (edge_link_room(t->link, c->connection, &at))
			resume(c);
		else if (at != worker)
			lane_take(c, at);
		else
			return;
	}
	if (ds_list_is_empty(lane))
		t->held_workers &= ~(1ull << worker);
}

void hold_serve(struct serve_thread *t)
{
	for (uint64_t left = t->held_workers; left != 0; left &= left - 1)
		lane_serve(t, (unsigned)__builtin_ctzll(left));
}
