// SPDX-License-Identifier: BSD-3-Clause
// The next process's side of hand.c: connections of the process before become its own.
#include "association.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <log/log.h>
#include <turnpike/segment.h>

static uint8_t *blob_copy(const struct takeover_blob *b, size_t room)
{
	uint8_t *copy = malloc(b->len > room ? b->len : room);

	if (copy != NULL)
		memcpy(copy, b->bytes, b->len);
	return copy;
}

static bool blobs_take(struct conn *c, const struct takeover_connection *f)
{
	const struct takeover_blob *b = f->blobs;

	if (b[TAKEOVER_PARTIAL].len > SERVE_SCRATCH || b[TAKEOVER_HEAD].len > WIRE_UPGRADE_MAX)
		return false;
	if (b[TAKEOVER_PARTIAL].len > 0) {
		c->partial = blob_copy(&b[TAKEOVER_PARTIAL], WIRE_PARTIAL_MAX);
		c->n_partial = (uint32_t)b[TAKEOVER_PARTIAL].len;
	}
	if (b[TAKEOVER_REST].len > 0) {
		c->rest = blob_copy(&b[TAKEOVER_REST], 0);
		c->n_rest = (uint32_t)b[TAKEOVER_REST].len;
	}
	if (b[TAKEOVER_HEAD].len > 0) {
		c->head = blob_copy(&b[TAKEOVER_HEAD], WIRE_UPGRADE_MAX);
		c->n_head = (uint32_t)b[TAKEOVER_HEAD].len;
	}
	if (b[TAKEOVER_WS].len > 0) {
		if (b[TAKEOVER_WS].len != sizeof(*c->ws))
			return false;
		c->ws = (struct conn_ws *)(void *)blob_copy(&b[TAKEOVER_WS], 0);
		if (c->ws == NULL || c->ws->n_out > sizeof(c->ws->out))
			return false;
	}
	return (c->n_partial == 0 || c->partial != NULL) && (c->n_rest == 0 || c->rest != NULL) &&
	       (c->n_head == 0 || c->head != NULL) &&
	       backlog_load(&c->backlog, b[TAKEOVER_BACKLOG].bytes, b[TAKEOVER_BACKLOG].len);
}

static void state_take(struct conn *c, const struct takeover_connection *f)
{
	static const enum conn_state states[TAKEOVER_STATES] = {
		[TAKEOVER_PROXY] = CONN_PROXY,
		[TAKEOVER_FIRST] = CONN_FIRST,
		[TAKEOVER_WEB] = CONN_WEB,
		[TAKEOVER_BEGUN] = CONN_HANDSHAKE,
		[TAKEOVER_OPEN] = CONN_OPEN,
		[TAKEOVER_PASS] = CONN_PASS,
	};

	c->state = states[f->state];
	c->by_tls = (f->flags & TAKEOVER_BY_TLS) != 0;
	c->spoke = (f->flags & TAKEOVER_SPOKE) != 0;
	c->binding = (f->flags & TAKEOVER_BINDING) != 0;
	c->framer.skip = f->skip;
	c->n_asked = f->n_asked;
	if ((f->flags & TAKEOVER_ADMITTED) == 0)
		return;
	pthread_mutex_lock(&c->thread->serve->lock);
	c->admitted = admit_restore(c->thread->serve->admit, &c->remote);
	pthread_mutex_unlock(&c->thread->serve->lock);
}

static bool events_begin(struct conn *c)
{
	bool edges = c->state == CONN_PROXY || c->state == CONN_FIRST;
	struct epoll_event e = {.data.ptr = c};

	c->writable_wanted =
		c->n_rest > 0 || c->backlog.n > 0 || (c->ws != NULL && c->ws->n_out > 0);
	c->armed = !c->binding;
	e.events = (c->armed ? (uint32_t)EPOLLIN : 0) |
		   (c->writable_wanted ? (uint32_t)EPOLLOUT : 0) | (edges ? (uint32_t)EPOLLET : 0);
	c->events = e.events;
	return epoll_ctl(c->thread->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) == 0;
}

static void time_begin(struct conn *c)
{
	struct serve_thread *t = c->thread;

	conn_time(c, c->binding					  ? &t->binding
		     : c->state == CONN_PROXY			  ? &t->unnamed
		     : c->state == CONN_OPEN && c->n_partial == 0 ? &t->idle
								  : &t->young);
}

// Its bytes that wait go on as those of one that is held.
static void conn_begin(struct conn *c)
{
	if (c->pass != NULL ? !passage_begin(c) : !events_begin(c)) {
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	SERVE_COUNT(c->thread, taken, 1);
	if (c->state == CONN_OPEN && c->n_partial > 0 && !c->binding)
		hold_taken(c);
	else if (c->state == CONN_HANDSHAKE)
		begin_taken(c);
}

static struct conn *conn_make(
	struct serve_thread *t, struct serve_port *p, const struct takeover_connection *f, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->thread = t;
	c->port = p;
	c->fd = fd;
	c->remote = f->remote;
	c->backlog.pool = &t->backlogs;
	ds_list_init(&c->timed);
	ds_list_init(&c->dirty);
	ds_list_init(&c->again);
	atomic_fetch_add_explicit(&t->n_connections, 1, memory_order_relaxed);
	state_take(c, f);
	return c;
}

static bool link_take(struct conn *c, const struct takeover_connection *f)
{
	if (f->connection == 0)
		return true;
	if (!edge_link_adopt(c->thread->link, f->connection, f->listener_id, &f->remote,
		    (f->flags & TAKEOVER_FRAMED) != 0 ? TP_REPORT_FRAMED : 0, &c->client))
		return false;
	c->connection = f->connection;
	return true;
}

static void stream_take(
	struct serve_thread *t, const struct takeover_connection *f, int fd, int far)
{
	struct serve_port *p = listen_port_find(t->serve, &f->listener);
	struct serve_port gone = {.addr = f->listener};
	// One of a listener that there is no more is closed, so that its end is told.
	struct conn *c = conn_make(t, p != NULL ? p : &gone, f, fd);
	bool right;

	if (c == NULL) {
		close(fd);
		if (far >= 0)
			close(far);
		return;
	}
	right = link_take(c, f);
	right = blobs_take(c, f) && right;
	if (far >= 0)
		right = passage_take(c, f, far) && right;
	time_begin(c);
	if (p == NULL || !right)
		conn_close(c, p == NULL ? SERVE_CLOSE_removed : SERVE_CLOSE_memory);
	else
		conn_begin(c);
}

void hand_take(struct serve_thread *t, const struct takeover_connection *f, int fd, int far)
{
	if ((f->flags & TAKEOVER_DTLS) != 0)
		association_take(t, f, fd);
	else
		stream_take(t, f, fd, far);
}

bool serve_take(struct serve *s, const uint8_t *bytes, size_t len, int fd, int far)
{
	struct takeover_connection form;

	if (!takeover_connection_read(&form, bytes, len) || form.thread >= s->n_threads ||
		(form.state == TAKEOVER_PASS) != (far >= 0))
		return false;
	if (far >= 0 && !s->waiting && s->threads[form.thread]->running)
		return false;
	if (s->threads[form.thread]->running && !s->waiting)
		return join_taken(s->threads[form.thread], bytes, len, fd);
	thread_now(s->threads[form.thread]);
	hand_take(s->threads[form.thread], &form, fd, far);
	return true;
}
