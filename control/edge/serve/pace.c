// SPDX-License-Identifier: BSD-3-Clause
// Data connections under caps of bandwidth: one that has to wait is not read, and TCP slows its
// sender down. Those that wait have turns.
#include "internal.h"

// A thread with many of them does not wake for each bit.
#define WAIT_LEAST_NS (2 * TP_NS_PER_MS)
// A cap may be lifted meanwhile.
#define WAIT_MOST_NS  (500 * TP_NS_PER_MS)

bool pace_waits(struct conn *c, struct meter *meter)
{
	struct serve_thread *t = c->thread;
	uint64_t wait_ns;

	if (c->paced || meter == NULL)
		return c->paced;
	wait_ns = meter_wait_ns(meter, t->now_ns);
	if (wait_ns == 0)
		return false;
	c->paced = true;
	if (wait_ns < WAIT_LEAST_NS)
		wait_ns = WAIT_LEAST_NS;
	if (wait_ns > WAIT_MOST_NS)
		wait_ns = WAIT_MOST_NS;
	if (t->now_ns + wait_ns < t->paced_ns)
		t->paced_ns = t->now_ns + wait_ns;
	SERVE_COUNT(t, data_waits, 1);
	return true;
}

void pace_queue(struct conn *c)
{
	if (c->paced && ds_list_is_empty(&c->again))
		ds_list_add(&c->thread->paced, &c->again);
}

static void list_move(struct ds_list *from, struct ds_list *to)
{
	while (!ds_list_is_empty(from)) {
		struct ds_list *k = from->next;

		ds_list_del(k);
		ds_list_add(to, k);
	}
}

void pace_serve(struct serve_thread *t)
{
	struct ds_list now, fed;

	if (t->now_ns < t->paced_ns)
		return;
	t->paced_ns = UINT64_MAX;
	ds_list_init(&now);
	ds_list_init(&fed);
	list_move(&t->paced, &now);
	while (!ds_list_is_empty(&now)) {
		struct conn *c = DS_CONTAINER(now.next, struct conn, again);
		uint64_t before = pass_bytes(c);

		ds_list_del(&c->again);
		c->paced = false;
		pass_pump(c);
		if (c->fd < 0 || !c->paced || pass_bytes(c) == before)
			continue;
		// Behind those that got nothing.
		ds_list_del(&c->again);
		ds_list_add(&fed, &c->again);
	}
	list_move(&fed, &t->paced);
}
