// SPDX-License-Identifier: BSD-3-Clause
// Connections pass from one process to the next while no thread runs. A plain one moves as a
// whole. One of TLS stays, because its session can't move: this process goes on to encrypt and
// decrypt, and its bytes go to the next process by a pair of sockets, as those of a plain one. A
// session of DTLS stays likewise (dtls_bridge.c).
// The socket of a backend or a peer moves with either.
#include "association.h"
#include "pass.h"

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

	s->shown |= show != NULL;
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

void serve_cookie_key(const struct serve *s, uint8_t key[DTLS_COOKIE_KEY_LEN])
{
	dtls_cookies_key(s->cookies, key);
}

void serve_cookie_key_set(struct serve *s, const uint8_t key[DTLS_COOKIE_KEY_LEN])
{
	dtls_cookies_key_set(s->cookies, key);
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
	case CONN_PASS:
		return TAKEOVER_PASS;
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

// The rest of TLS is one that the session has begun: it leaves from here.
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
	if (c->ssl == NULL) {
		f->blobs[TAKEOVER_REST] = (struct takeover_blob){c->rest, c->n_rest};
		f->n_asked = c->n_asked;
	}
	f->blobs[TAKEOVER_HEAD] = (struct takeover_blob){c->head, c->n_head};
	if (c->ws != NULL)
		f->blobs[TAKEOVER_WS] =
			(struct takeover_blob){(const uint8_t *)c->ws, sizeof(*c->ws)};
}

static bool form_send(const struct conn *c, const struct takeover_connection *f, int fd,
	const struct serve_next *to)
{
	int far = c->pass != NULL ? c->pass->fd : -1;
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
			sent = to->connection(to->ctx, bytes, len, fd, far);
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
	struct takeover_pass state;
	int theirs = -1;
	bool sent;

	if (c->fd < 0 || c->state == CONN_HANDSHAKE || c->state == CONN_ENDING)
		return true;
	if (c->pass != NULL && !passage_settle(c))
		return false;
	form_fill(c, &form);
	if (c->pass != NULL)
		passage_fill(c, &form, &state);
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
	return list_each(&t->unnamed, call, ctx) && list_each(&t->young, call, ctx) &&
	       list_each(&t->joined, call, ctx) && list_each(&t->idle, call, ctx) &&
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

	s->shown = true;
	for (unsigned i = 0; i < s->n_threads; i++) {
		if (!thread_each(s->threads[i], hand_call, &h) ||
			!associations_hand(s->threads[i]->associations, to, &h.n))
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
	if (c->ssl != NULL && c->pass != NULL) {
		pass_split(c, c->pair_fd);
	} else if (c->ssl != NULL) {
		pass_bridge(c, c->pair_fd);
	} else {
		if (c->pass != NULL)
			passage_leave(c);
		conn_leave(c);
	}
	return true;
}

static void ports_let_go(struct serve_thread *t)
{
	struct serve *s = t->serve;

	for (size_t i = 0; i < s->n_ports; i++) {
		int *fd = &s->ports[i].fds[t->number];

		if (*fd < 0)
			continue;
		thread_close(t, *fd);
		*fd = -1;
	}
	(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, edge_link_thread_fd(t->link), NULL);
}

void serve_stay(struct serve *s)
{
	for (unsigned i = 0; i < s->n_threads; i++) {
		(void)thread_each(s->threads[i], stay_call, NULL);
		associations_stay(s->threads[i]->associations);
	}
}

unsigned serve_leave(struct serve *s, const struct serve_next *to)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_threads; i++) {
		struct serve_thread *t = s->threads[i];

		thread_now(t);
		(void)thread_each(t, leave_call, &n);
		for (unsigned w = 0; w < TP_ARRAY_LEN(t->held); w++)
			ds_list_init(&t->held[w]);
		t->held_workers = 0;
		associations_leave(t->associations, &n);
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
