// SPDX-License-Identifier: BSD-3-Clause
// The bytes of a client: cut into messages, which go to a worker, or are kept.
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

#include <log/log.h>

// A message that has begun has a time to end, which its own bytes do not move.
static void timed_note(struct conn *c, bool was_partial, bool got_message)
{
	bool partial = c->n_partial > 0 || c->framer.skip > 0;

	if (!c->spoke)
		return;
	if (!partial)
		conn_time(c, &c->thread->idle);
	else if (got_message || !was_partial)
		conn_time(c, &c->thread->young);
}

// False: there is no room for it now.
static bool message_send(struct conn *c, const struct wire_frame *f)
{
	struct serve_thread *t = c->thread;
	int rc = edge_link_send(t->link, c->connection, f->data, f->len);

	if (rc == -ENOBUFS || rc == -ENOTCONN)
		return false;
	c->spoke = true;
	ending_asked(c, f->data, f->len);
	SERVE_COUNT(t, messages_in, 1);
	SERVE_COUNT(t, bytes_in, f->len);
	return true;
}

bool conn_keep(struct conn *c, const uint8_t *bytes, size_t len)
{
	if (len > WIRE_PARTIAL_MAX) {
		free(c->partial);
		c->partial = malloc(len);
		// Nothing shorter will do.
		if (c->partial == NULL)
			return false;
	}
	if (len > 0 && c->partial == NULL)
		c->partial = malloc(WIRE_PARTIAL_MAX);
	if (len > 0 && c->partial == NULL)
		return false;
	if (len > 0) {
		memcpy(c->partial, bytes, len);
	} else {
		free(c->partial);
		c->partial = NULL;
	}
	c->n_partial = (uint32_t)len;
	return true;
}

static void garbage(struct conn *c, enum wire_fault fault)
{
	log_event(LOG_EV_CONNECTION_GARBAGE,
		LOG_FIELDS(log_addr("client", &c->remote), log_addr("listener", &c->port->addr),
			log_str("reason", wire_fault_name(fault)),
			log_str("problem", wire_fault_text(fault))));
	conn_close(c, SERVE_CLOSE_garbage);
}

// False: the connection is closed.
static bool bytes_take(struct conn *c, const uint8_t *bytes, size_t len)
{
	struct serve_thread *t = c->thread;
	bool was_partial = c->n_partial > 0 || c->framer.skip > 0, hold = false;
	uint32_t oversize = c->framer.oversize;
	struct wire_frame f = {0};
	enum wire_step step;
	unsigned sent = 0;

	while ((step = wire_frame_next(&c->framer, &f, bytes, len)) == WIRE_STEP_MESSAGE) {
		hold = hold_share_is_used(c, sent) || !message_send(c, &f);
		if (hold || join_is_asked(c, f.data, f.len))
			break;
		sent++;
	}
	SERVE_COUNT(t, messages_oversize, c->framer.oversize - oversize);
	if (hold)
		return hold_bytes(c, f.data, len - (size_t)(f.data - bytes));
	// HTTP looks like a long message of ChannelData.
	if (step == WIRE_STEP_MORE && !c->spoke && c->framer.oversize > 0) {
		garbage(c, WIRE_FAULT_long);
		return false;
	}
	if (step == WIRE_STEP_FAULT) {
		garbage(c, f.fault);
		return false;
	}
	if (step == WIRE_STEP_MESSAGE && join_wait(c, bytes + f.at, len - f.at))
		return true;
	if (c->fd < 0)
		return false;
	if (step == WIRE_STEP_MESSAGE || !conn_keep(c, bytes + f.at, len - f.at)) {
		conn_close(c, SERVE_CLOSE_memory);
		return false;
	}
	timed_note(c, was_partial, sent > 0);
	return true;
}

bool conn_bytes(struct conn *c, uint8_t *bytes, size_t kept, size_t len)
{
	enum serve_close closing;

	if (c->ws != NULL)
		len = ws_decode(c, bytes + kept, len);
	if (!bytes_take(c, bytes, kept + len))
		return false;
	closing = c->ws != NULL ? c->ws->closing : SERVE_OPEN;
	// Messages before the last frame wait for room.
	if (closing == SERVE_OPEN || c->held)
		return true;
	// The last frame says why.
	conn_flush(c);
	conn_close(c, closing);
	return false;
}

void conn_read_open(struct conn *c)
{
	if (!hold_unread(c))
		conn_read_now(c);
}

// While others are held, their share of a ring is soon used: bytes read beyond it would be kept,
// and copied in each turn.
static size_t read_room(const struct serve_thread *t, size_t kept)
{
	size_t room = sizeof(t->scratch) - kept;

	return t->held_workers != 0 && room > SERVE_HELD_READ ? SERVE_HELD_READ : room;
}

void conn_read_now(struct conn *c)
{
	struct serve_thread *t = c->thread;
	enum serve_close why = SERVE_CLOSE_client;

	SERVE_COUNT(t, reads, 1);
	for (unsigned i = 0; i < SERVE_READS; i++) {
		size_t kept = c->n_partial;
		ssize_t n;

		if (kept > 0)
			memcpy(t->scratch, c->partial, kept);
		n = stream_read(c, t->scratch + kept, read_room(t, kept), &why);
		if (n < 0) {
			ending_input(c, why);
			return;
		}
		if (n == 0) {
			if (c->blocked && c->armed)
				conn_events_want(c, c->writable_wanted);
			return;
		}
		if (!conn_bytes(c, t->scratch, kept, (size_t)n))
			return;
		// The kernel tells of more by an event; a session may hold the last of it. A read
		// that finds nothing would cost as much as one that does.
		if (!stream_holds(c) || c->binding || c->held)
			return;
	}
	if (stream_holds(c) && ds_list_is_empty(&c->again))
		ds_list_add(&t->again, &c->again);
}

void conn_read_again(struct conn *c)
{
	ds_list_del(&c->again);
	if (c->state == CONN_PASS)
		pass_pump(c);
	else if (!c->binding && !c->half)
		conn_read_open(c);
}
