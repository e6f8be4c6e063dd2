// SPDX-License-Identifier: BSD-3-Clause
// One connection: its messages, times and end.
#include "internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <log/log.h>
#include <turnpike/segment.h>

// ---- time ---------------------------------------------------------------------------------------

// Lists are in the order of since_ns, so the end of each list is the newest.
void conn_time(struct conn *c, struct ds_list *list)
{
	ds_list_del(&c->timed);
	ds_list_add(list, &c->timed);
	c->since_ns = c->thread->now_ns;
}

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

static uint64_t list_expire(struct serve_thread *t, struct ds_list *list, uint64_t limit_ns)
{
	while (!ds_list_is_empty(list)) {
		struct conn *c = DS_CONTAINER(list->next, struct conn, timed);

		if (c->since_ns + limit_ns > t->now_ns)
			return c->since_ns + limit_ns;
		if (list == &t->young && c->pass != NULL)
			pass_late(c);
		else
			conn_close(c, list == &t->idle ? SERVE_CLOSE_idle_timeout
				      : c->spoke       ? SERVE_CLOSE_message_timeout
						       : SERVE_CLOSE_handshake_timeout);
	}
	return UINT64_MAX;
}

uint64_t conn_expire(struct serve_thread *t)
{
	uint64_t a = list_expire(t, &t->young, t->serve->times.handshake_ns);
	uint64_t b = list_expire(t, &t->idle, t->serve->times.idle_ns);
	uint64_t c = list_expire(t, &t->binding, t->serve->times.handshake_ns);

	a = a < b ? a : b;
	return a < c ? a : c;
}

// ---- birth and death ---------------------------------------------------------------------------

bool conn_admit(struct conn *c)
{
	struct serve *s = c->thread->serve;
	enum admit_verdict v;

	pthread_mutex_lock(&s->lock);
	v = admit_enter(s->admit, c->thread->now_ns, &c->remote);
	pthread_mutex_unlock(&s->lock);
	if (v == ADMIT_OK) {
		c->admitted = true;
		return true;
	}
	SERVE_COUNT(c->thread, refused[v], 1);
	log_event(LOG_EV_CONNECTION_REFUSED,
		LOG_FIELDS(log_addr("client", &c->remote), log_addr("listener", &c->port->addr),
			log_str("reason", admit_verdict_name(v))));
	return false;
}

void conn_create(struct serve_thread *t, struct serve_port *p, int fd, const struct tp_addr *from)
{
	// Edges until the first bytes are taken: they are looked at and left in the socket.
	struct epoll_event e = {.events = EPOLLIN | EPOLLET};
	const struct linger reset = {.l_onoff = 1};
	struct conn *c = calloc(1, sizeof(*c));
	static const int lowat = SERVE_LOWAT, on = 1;
	static const unsigned unacked_ms = SERVE_UNACKED_MS;

	if (c == NULL) {
		close(fd);
		return;
	}
	c->thread = t;
	c->port = p;
	c->fd = fd;
	c->remote = *from;
	c->state = p->proxied != NULL ? CONN_PROXY : CONN_FIRST;
	c->backlog.pool = &t->backlogs;
	ds_list_init(&c->timed);
	ds_list_init(&c->dirty);
	ds_list_init(&c->again);
	atomic_fetch_add_explicit(&t->n_connections, 1, memory_order_relaxed);
	conn_time(c, &t->young);
	if (p->proxied == NULL && !conn_admit(c)) {
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		conn_close(c, SERVE_CLOSE_limit);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof(unacked_ms));
	e.data.ptr = c;
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		conn_close(c, SERVE_CLOSE_memory);
}

bool conn_is_limit(enum serve_close why)
{
	switch (why) {
	case SERVE_CLOSE_handshake_timeout:
	case SERVE_CLOSE_message_timeout:
	case SERVE_CLOSE_idle_timeout:
	case SERVE_CLOSE_unread:
	case SERVE_CLOSE_half_open:
		return true;
	default:
		return false;
	}
}

static bool has_lost(const struct conn *c)
{
	return c->backlog.lost_late > 0 || c->backlog.lost_full > 0;
}

static void slow_log(const struct conn *c, const char *when)
{
	log_event(LOG_EV_CONNECTION_SLOW,
		LOG_FIELDS(log_addr("client", &c->remote), log_addr("listener", &c->port->addr),
			log_str("when", when), log_u64("lost_late", c->backlog.lost_late),
			log_u64("lost_full", c->backlog.lost_full)));
}

void conn_slow_note(struct conn *c)
{
	if (c->slow_told || !has_lost(c))
		return;
	c->slow_told = true;
	slow_log(c, "first");
}

static void close_log(const struct conn *c, enum serve_close why)
{
	if (conn_is_limit(why))
		log_event(LOG_EV_CONNECTION_LIMITED,
			LOG_FIELDS(log_addr("client", &c->remote),
				log_addr("listener", &c->port->addr),
				log_str("reason", serve_close_name(why))));
	if (has_lost(c))
		slow_log(c, "end");
	log_event(LOG_EV_CONNECTION_CLOSED,
		LOG_FIELDS(log_addr("client", &c->remote), log_addr("listener", &c->port->addr),
			log_str("reason", serve_close_name(why)), log_bool("tls", c->by_tls),
			log_u64("lost_late", c->backlog.lost_late),
			log_u64("lost_full", c->backlog.lost_full)));
}

static void parts_free(struct conn *c)
{
	struct serve_thread *t = c->thread;

	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->fd);
	c->fd = -1;
	c->connection = 0;
	pass_end(c);
	backlog_fini(&c->backlog);
	free(c->partial);
	free(c->rest);
	free(c->head);
	c->head = NULL;
	free(c->ws);
	c->ws = NULL;
	ds_list_del(&c->dirty);
	ds_list_del(&c->again);
	ds_list_del(&c->timed);
	ds_list_add(&t->dead, &c->timed);
	atomic_fetch_sub_explicit(&t->n_connections, 1, memory_order_relaxed);
}

static void admit_end(struct conn *c)
{
	struct serve_thread *t = c->thread;

	if (!c->admitted)
		return;
	pthread_mutex_lock(&t->serve->lock);
	admit_leave(t->serve->admit, t->now_ns, &c->remote);
	pthread_mutex_unlock(&t->serve->lock);
}

void conn_close(struct conn *c, enum serve_close why)
{
	struct serve_thread *t = c->thread;

	if (c->fd < 0)
		return;
	SERVE_COUNT(t, closed[why], 1);
	close_log(c, why);
	if (c->connection != 0)
		edge_link_close(t->link, c->connection);
	admit_end(c);
	// One attempt to say good-bye.
	if (c->ssl != NULL && (c->state == CONN_OPEN || c->state == CONN_PASS) && c->n_rest == 0 &&
		why != SERVE_CLOSE_tls && why != SERVE_CLOSE_broken)
		(void)SSL_shutdown(c->ssl);
	parts_free(c);
}

// The other process has the socket too: its events would go on here.
void conn_leave(struct conn *c)
{
	(void)epoll_ctl(c->thread->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	admit_end(c);
	parts_free(c);
}

void conn_reap(struct serve_thread *t)
{
	while (!ds_list_is_empty(&t->dead)) {
		struct conn *c = DS_CONTAINER(t->dead.next, struct conn, timed);

		ds_list_del(&c->timed);
		free(c);
	}
}

// ---- events ------------------------------------------------------------------------------------

void conn_events_want(struct conn *c, bool writable)
{
	bool readable = !c->binding && !c->held;
	struct epoll_event e = {
		.events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0),
		.data.ptr = c};

	if (epoll_ctl(c->thread->epoll_fd, EPOLL_CTL_MOD, c->fd, &e) < 0) {
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	c->armed = readable;
	c->writable_wanted = writable;
}

// ---- messages of the client --------------------------------------------------------------------

// False: there is no room for it now.
static bool message_send(struct conn *c, const struct wire_frame *f)
{
	struct serve_thread *t = c->thread;
	int rc = edge_link_send(t->link, c->connection, f->data, f->len);

	if (rc == -ENOBUFS || rc == -ENOTCONN)
		return false;
	c->spoke = true;
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
	if (step == WIRE_STEP_FAULT) {
		log_event(LOG_EV_CONNECTION_GARBAGE,
			LOG_FIELDS(log_addr("client", &c->remote),
				log_addr("listener", &c->port->addr),
				log_str("reason", wire_fault_name(f.fault)),
				log_str("problem", wire_fault_text(f.fault))));
		conn_close(c, SERVE_CLOSE_garbage);
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

	for (unsigned i = 0; i < SERVE_READS; i++) {
		size_t kept = c->n_partial;
		ssize_t n;

		if (kept > 0)
			memcpy(t->scratch, c->partial, kept);
		n = stream_read(c, t->scratch + kept, read_room(t, kept), &why);
		if (n < 0) {
			conn_close(c, why);
			return;
		}
		if (n == 0)
			return;
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
	else if (!c->binding)
		conn_read_open(c);
}

// ---- what the thread calls ---------------------------------------------------------------------

void conn_push(struct conn *c, const uint8_t *data, size_t len)
{
	struct serve_thread *t = c->thread;
	const struct serve_times *times = &t->serve->times;
	const struct backlog_limits limits = {
		.age_ns = times->queue_age_ns, .bytes = times->queue_bytes};
	uint64_t late = c->backlog.lost_late, full = c->backlog.lost_full;
	int rc;

	// A joined one carries the peer's bytes alone.
	if (c->fd < 0 || c->state == CONN_PASS)
		return;
	rc = backlog_push(&c->backlog, &limits, t->now_ns, data, len);
	SERVE_COUNT(t, messages_out, 1);
	SERVE_COUNT(t, lost_late, c->backlog.lost_late - late);
	SERVE_COUNT(t, lost_full, c->backlog.lost_full - full);
	conn_slow_note(c);
	if (rc < 0) {
		conn_close(c, rc == -ENOBUFS ? SERVE_CLOSE_unread : SERVE_CLOSE_memory);
		return;
	}
	// While the socket is full its event will flush.
	if (!c->writable_wanted && ds_list_is_empty(&c->dirty))
		ds_list_add(&t->dirty, &c->dirty);
	if (c->binding && len >= 2 && tp_load_be16(data) == CONNECTION_BIND_ERROR)
		join_refused(c);
}

void conn_flush(struct conn *c)
{
	enum serve_close why = SERVE_CLOSE_broken;
	int rc;

	ds_list_del(&c->dirty);
	rc = stream_write(c, &why);
	if (rc < 0)
		conn_close(c, why);
	else if ((rc == 1) != c->writable_wanted)
		conn_events_want(c, rc == 1);
}

void conn_event(struct conn *c, uint32_t events)
{
	if (c->fd < 0)
		return;
	switch (c->state) {
	case CONN_PROXY:
		begin_proxy_header(c);
		break;
	case CONN_FIRST:
		begin_first_bytes(c);
		break;
	case CONN_HANDSHAKE:
		begin_handshake(c);
		break;
	case CONN_WEB:
		web_read(c);
		break;
	case CONN_OPEN:
		if ((events & EPOLLOUT) != 0)
			conn_flush(c);
		if (c->fd < 0 || (events & ~(uint32_t)EPOLLOUT) == 0)
			break;
		// One that is not read has an event of its own for errors alone.
		if (c->binding || c->held)
			conn_close(c, SERVE_CLOSE_broken);
		else
			conn_read_open(c);
		break;
	case CONN_PASS:
		pass_event(c, events);
		break;
	}
}
