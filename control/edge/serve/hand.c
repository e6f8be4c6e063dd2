// SPDX-License-Identifier: BSD-3-Clause
// Connections pass from one process to the next while no thread runs. A plain one moves as a
// whole. One of TLS stays, because its session can't move: this process goes on to encrypt and
// decrypt, and its bytes go to the next process by a pair of sockets, as those of a plain one.
#include "association.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <log/log.h>
#include <turnpike/segment.h>

// Unsent bytes of a pair: as few as in a connection's socket.
static const int pair_room = SERVE_LOWAT;

// ---- threads and listening sockets --------------------------------------------------------------

void serve_pause(struct serve *s)
{
	s->paused = true;
	serve_stop(s);
	s->paused = false;
	// Orders that have come are of connections that would move, or of peers that would not.
	for (unsigned i = 0; i < s->n_threads; i++) {
		thread_now(s->threads[i]);
		thread_mail(s->threads[i]);
	}
}

int serve_resume(struct serve *s)
{
	int rc = 0;

	for (unsigned i = 0; i < s->n_threads && rc == 0; i++)
		rc = thread_start(s->threads[i]);
	return rc;
}

int serve_sockets_show(struct serve *s, serve_socket_fn *show, void *ctx)
{
	int n = 0;

	for (size_t i = 0; i < s->n_ports; i++) {
		for (unsigned k = 0; k < s->n_threads && !s->ports[i].is_removed; k++) {
			if (s->ports[i].fds[k] < 0)
				continue;
			if (show != NULL && !show(ctx, &s->ports[i].addr, k, s->ports[i].fds[k]))
				return -1;
			n++;
		}
	}
	return n;
}

// ---- the process before -------------------------------------------------------------------------

static enum takeover_state state_of(const struct conn *c)
{
	switch (c->state) {
	case CONN_PROXY:
		return TAKEOVER_PROXY;
	case CONN_FIRST:
		return TAKEOVER_FIRST;
	case CONN_WEB:
		return TAKEOVER_WEB;
	case CONN_OPEN:
		return TAKEOVER_OPEN;
	default:
		return TAKEOVER_BEGUN;
	}
}

static uint8_t flags_of(const struct conn *c)
{
	return (uint8_t)((c->by_tls ? TAKEOVER_BY_TLS : 0) | (c->ws != NULL ? TAKEOVER_FRAMED : 0) |
			 (c->spoke ? TAKEOVER_SPOKE : 0) | (c->binding ? TAKEOVER_BINDING : 0) |
			 (c->admitted ? TAKEOVER_ADMITTED : 0));
}

// The rest of TLS is a record that the session keeps: it leaves from here.
static void form_fill(const struct conn *c, struct takeover_connection *f)
{
	*f = (struct takeover_connection){
		.listener = c->port->addr,
		.remote = c->remote,
		.connection = c->connection,
		.thread = c->thread->number,
		.listener_id = edge_link_listener_of(c->thread->link, c->connection),
		.state = (uint8_t)state_of(c),
		.flags = flags_of(c),
		.skip = c->framer.skip,
	};
	f->blobs[TAKEOVER_PARTIAL] = (struct takeover_blob){c->partial, c->n_partial};
	if (c->ssl == NULL)
		f->blobs[TAKEOVER_REST] = (struct takeover_blob){c->rest, c->n_rest};
	f->blobs[TAKEOVER_HEAD] = (struct takeover_blob){c->head, c->n_head};
	if (c->ws != NULL)
		f->blobs[TAKEOVER_WS] =
			(struct takeover_blob){(const uint8_t *)c->ws, sizeof(*c->ws)};
}

static bool form_send(const struct conn *c, const struct takeover_connection *f, int fd,
	const struct serve_next *to)
{
	struct takeover_connection form = *f;
	size_t saved = backlog_save_size(&c->backlog), len;
	uint8_t *backlog = malloc(saved + 1), *bytes = NULL;
	bool sent = false;

	if (backlog != NULL) {
		backlog_save(&c->backlog, backlog);
		form.blobs[TAKEOVER_BACKLOG] = (struct takeover_blob){backlog, saved};
		len = takeover_connection_size(&form);
		bytes = malloc(len);
		if (bytes != NULL) {
			takeover_connection_write(&form, bytes);
			sent = to->connection(to->ctx, bytes, len, fd);
		}
	}
	free(bytes);
	free(backlog);
	return sent;
}

// Our end of a new pair, the other end in *theirs; -1.
static int pair_make(int *theirs)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &pair_room, sizeof(pair_room));
	*theirs = fds[1];
	return fds[0];
}

// False: the next process can't be told.
static bool conn_hand(struct conn *c, const struct serve_next *to)
{
	struct takeover_connection form;
	int theirs = -1;
	bool sent;

	if (c->fd < 0 || c->state == CONN_PASS || c->state == CONN_HANDSHAKE)
		return true;
	form_fill(c, &form);
	if (c->ssl != NULL) {
		c->pair_fd = pair_make(&theirs);
		if (c->pair_fd < 0)
			return false;
	}
	sent = form_send(c, &form, c->ssl != NULL ? theirs : c->fd, to);
	if (theirs >= 0)
		close(theirs);
	if (!sent && c->ssl != NULL)
		close(c->pair_fd);
	c->moves = sent;
	return sent;
}

static bool list_each(struct ds_list *list, bool (*call)(struct conn *, void *), void *ctx)
{
	struct ds_list *k = list->next;

	while (k != list) {
		struct conn *c = DS_CONTAINER(k, struct conn, timed);

		k = k->next;
		if (!call(c, ctx))
			return false;
	}
	return true;
}

static bool thread_each(struct serve_thread *t, bool (*call)(struct conn *, void *), void *ctx)
{
	return list_each(&t->young, call, ctx) && list_each(&t->idle, call, ctx) &&
	       list_each(&t->binding, call, ctx);
}

struct handing {
	const struct serve_next *to;
	unsigned n;
};

static bool hand_call(struct conn *c, void *ctx)
{
	struct handing *h = ctx;

	if (!conn_hand(c, h->to))
		return false;
	h->n += c->moves;
	return true;
}

int serve_hand(struct serve *s, const struct serve_next *to)
{
	struct handing h = {.to = to};

	for (unsigned i = 0; i < s->n_threads; i++) {
		if (!thread_each(s->threads[i], hand_call, &h))
			return -1;
	}
	return (int)h.n;
}

static bool stay_call(struct conn *c, void *ctx)
{
	(void)ctx;
	if (c->moves && c->ssl != NULL)
		close(c->pair_fd);
	c->moves = false;
	return true;
}

static bool leave_call(struct conn *c, void *ctx)
{
	unsigned *n = ctx;

	if (!c->moves)
		return true;
	c->moves = false;
	(*n)++;
	if (c->ssl != NULL)
		pass_bridge(c, c->pair_fd);
	else
		conn_leave(c);
	return true;
}

static bool orphan_call(struct conn *c, void *ctx)
{
	(void)ctx;
	pass_orphan(c);
	return true;
}

// Both processes have the listening sockets: their events would go on here.
static void ports_let_go(struct serve_thread *t)
{
	struct serve *s = t->serve;

	for (size_t i = 0; i < s->n_ports; i++) {
		int *fd = &s->ports[i].fds[t->number];

		if (*fd < 0)
			continue;
		(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
		close(*fd);
		*fd = -1;
	}
	(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, edge_link_thread_fd(t->link), NULL);
}

void serve_stay(struct serve *s)
{
	for (unsigned i = 0; i < s->n_threads; i++)
		(void)thread_each(s->threads[i], stay_call, NULL);
}

unsigned serve_leave(struct serve *s, const struct serve_next *to)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_threads; i++) {
		struct serve_thread *t = s->threads[i];

		thread_now(t);
		(void)thread_each(t, leave_call, &n);
		(void)list_each(&t->joined, orphan_call, NULL);
		(void)list_each(&t->idle, orphan_call, NULL);
		for (unsigned w = 0; w < TP_ARRAY_LEN(t->held); w++)
			ds_list_init(&t->held[w]);
		t->held_workers = 0;
		associations_end(t->associations);
		edge_link_flush(t->link);
		ports_let_go(t);
	}
	s->next = *to;
	s->leaves = true;
	return n;
}

bool hand_late(struct conn *c)
{
	struct serve *s = c->thread->serve;
	bool sent;

	if (!s->leaves)
		return false;
	c->state = CONN_HANDSHAKE;
	pthread_mutex_lock(&s->lock);
	{
		struct takeover_connection form;
		int theirs = -1;

		form_fill(c, &form);
		c->pair_fd = pair_make(&theirs);
		sent = c->pair_fd >= 0 && form_send(c, &form, theirs, &s->next);
		if (theirs >= 0)
			close(theirs);
		if (!sent && c->pair_fd >= 0)
			close(c->pair_fd);
	}
	pthread_mutex_unlock(&s->lock);
	if (sent)
		pass_bridge(c, c->pair_fd);
	else
		conn_close(c, SERVE_CLOSE_stopping);
	return true;
}

// ---- the process after --------------------------------------------------------------------------

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
	};

	c->state = states[f->state];
	c->by_tls = (f->flags & TAKEOVER_BY_TLS) != 0;
	c->spoke = (f->flags & TAKEOVER_SPOKE) != 0;
	c->binding = (f->flags & TAKEOVER_BINDING) != 0;
	c->framer.skip = f->skip;
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
	return epoll_ctl(c->thread->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) == 0;
}

static void time_begin(struct conn *c)
{
	struct serve_thread *t = c->thread;

	conn_time(c, c->binding					  ? &t->binding
		     : c->state == CONN_OPEN && c->n_partial == 0 ? &t->idle
								  : &t->young);
}

// Its bytes that wait go on as those of one that is held.
static void conn_begin(struct conn *c)
{
	if (!events_begin(c)) {
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

void hand_take(struct serve_thread *t, const struct takeover_connection *f, int fd)
{
	struct serve_port *p = listen_port_find(t->serve, &f->listener);
	struct serve_port gone = {.addr = f->listener};
	// One of a listener that there is no more is closed, so that its end is told.
	struct conn *c = conn_make(t, p != NULL ? p : &gone, f, fd);
	bool right;

	if (c == NULL) {
		close(fd);
		return;
	}
	right = link_take(c, f);
	right = blobs_take(c, f) && right;
	time_begin(c);
	if (p == NULL || !right)
		conn_close(c, p == NULL ? SERVE_CLOSE_removed : SERVE_CLOSE_memory);
	else
		conn_begin(c);
}

// This process has been taken over itself.
static bool forward(struct serve *s, const uint8_t *bytes, size_t len, int fd)
{
	bool sent;

	pthread_mutex_lock(&s->lock);
	sent = s->next.connection(s->next.ctx, bytes, len, fd);
	pthread_mutex_unlock(&s->lock);
	if (sent)
		close(fd);
	return sent;
}

bool serve_take(struct serve *s, const uint8_t *bytes, size_t len, int fd)
{
	struct takeover_connection form;

	if (!takeover_connection_read(&form, bytes, len) || form.thread >= s->n_threads)
		return false;
	if (s->leaves)
		return forward(s, bytes, len, fd);
	if (s->threads[form.thread]->running)
		return join_taken(s->threads[form.thread], bytes, len, fd);
	thread_now(s->threads[form.thread]);
	hand_take(s->threads[form.thread], &form, fd);
	return true;
}
