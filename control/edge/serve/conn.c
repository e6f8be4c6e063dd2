// SPDX-License-Identifier: BSD-3-Clause
// One connection: its messages, times and end.
#include "internal.h"

#include <errno.h>
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

static enum serve_close expiry_of(const struct conn *c, const struct ds_list *list)
{
	const struct serve_thread *t = c->thread;

	if (c->half)
		return SERVE_CLOSE_client;
	if (c->state == CONN_ENDING)
		return SERVE_CLOSE_http;
	return list == &t->idle	     ? SERVE_CLOSE_idle_timeout
	       : list == &t->unnamed ? SERVE_CLOSE_proxy
	       : c->spoke	     ? SERVE_CLOSE_message_timeout
				     : SERVE_CLOSE_handshake_timeout;
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
			conn_close(c, expiry_of(c, list));
	}
	return UINT64_MAX;
}

uint64_t conn_expire(struct serve_thread *t)
{
	uint64_t handshake_ns = t->serve->times.handshake_ns;
	uint64_t proxy_ns = handshake_ns < SERVE_PROXY_NS ? handshake_ns : SERVE_PROXY_NS;
	const uint64_t due_ns[] = {
		list_expire(t, &t->unnamed, proxy_ns),
		list_expire(t, &t->young, handshake_ns),
		list_expire(t, &t->idle, t->serve->times.idle_ns),
		list_expire(t, &t->binding, handshake_ns),
	};
	uint64_t first_ns = UINT64_MAX;

	for (size_t i = 0; i < TP_ARRAY_LEN(due_ns); i++)
		first_ns = due_ns[i] < first_ns ? due_ns[i] : first_ns;
	return first_ns;
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
	const struct linger reset = {.l_onoff = 1};
	struct conn *c = calloc(1, sizeof(*c));
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

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
	conn_time(c, c->state == CONN_PROXY ? &t->unnamed : &t->young);
	if (p->proxied == NULL && !conn_admit(c)) {
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		conn_close(c, SERVE_CLOSE_limit);
		return;
	}
	c->events = e.events;
	c->armed = true;
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
	t->n_wide -= c->wide;
	c->wide = false;
	thread_close(t, c->fd);
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

void conn_leave(struct conn *c)
{
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

// False: the connection is closed.
static bool events_set(struct conn *c, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (events == c->events)
		return true;
	if (epoll_ctl(c->thread->epoll_fd, EPOLL_CTL_MOD, c->fd, &e) < 0) {
		conn_close(c, SERVE_CLOSE_memory);
		return false;
	}
	c->events = events;
	return true;
}

void conn_events_want(struct conn *c, bool writable)
{
	bool wanted = !c->binding && !c->held && !c->half, readable = wanted && !c->blocked;

	if (!events_set(c, (readable ? (uint32_t)EPOLLIN : 0) |
				   (writable || (wanted && c->blocked) ? (uint32_t)EPOLLOUT : 0)))
		return;
	c->armed = readable;
	c->writable_wanted = writable;
}

void conn_wait_more(struct conn *c)
{
	(void)events_set(c, EPOLLIN | EPOLLET);
}

// ---- what the thread calls ---------------------------------------------------------------------

void conn_push(struct conn *c, const uint8_t *data, size_t len)
{
	struct serve_thread *t = c->thread;
	const struct serve_times *times = &t->serve->times;
	const struct backlog_limits limits = {
		.age_ns = times->queue_age_ns, .bytes = times->queue_bytes};
	uint64_t late, full = c->backlog.lost_full;
	int rc;

	// A joined one carries the peer's bytes alone.
	if (c->fd < 0 || c->state == CONN_PASS)
		return;
	// A turn may bring more than may wait: a client that reads loses nothing by that.
	if (!c->writable_wanted && c->backlog.held + backlog_cost(len) > limits.bytes) {
		conn_flush(c);
		if (c->fd < 0)
			return;
	}
	late = c->backlog.lost_late; // the flush has counted those before
	ending_answered(c, data, len);
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
	if (rc == 0 && c->fd >= 0)
		ending_flushed(c);
}

// Its socket has room, or an error.
static void unblock(struct conn *c)
{
	c->blocked = false;
	conn_events_want(c, c->writable_wanted);
	if (c->fd >= 0)
		conn_read_open(c);
}

// Of an open connection, which has been flushed.
static void open_event(struct conn *c, uint32_t events)
{
	bool paused = c->binding || c->held || c->half;

	if (c->blocked && !paused)
		unblock(c);
	else if ((events & ~(uint32_t)EPOLLOUT) == 0)
		return;
	// One that is not read has an event of its own for errors alone.
	else if (paused)
		conn_close(c, SERVE_CLOSE_broken);
	else
		conn_read_open(c);
}

void conn_event(struct conn *c, uint32_t events)
{
	if (c->fd < 0)
		return;
	c->socket_dry = false;
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
		if (c->fd >= 0)
			open_event(c, events);
		break;
	case CONN_PASS:
		pass_event(c, events);
		break;
	case CONN_ENDING:
		ending_read(c);
		break;
	}
}
