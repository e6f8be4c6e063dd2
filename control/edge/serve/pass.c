// SPDX-License-Identifier: BSD-3-Clause
// Connections that are a backend's: bytes go through untouched, both ways. All that was read and
// not yet written waits in one buffer or pipe for each way, and nothing more is read until it has
// left, so a slow end slows the other down.
//
// Both sockets tell edges: each event, of either, moves all that can be moved.
#include "pass.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <log/log.h>
#include <tcp/socket.h>
#include <wire/proxy.h>

// ---- both ways ----------------------------------------------------------------------------------

// A joined connection may be silent; one with an end that is over is not for ever.
void pass_note(struct conn *c)
{
	const struct pass *p = c->pass;
	struct serve_thread *t = c->thread;

	if (p->key != 0 || p->peers)
		conn_time(c, p->up.ended || p->down.ended ? &t->idle : &t->joined);
	else
		conn_time(c, p->connected ? &t->idle : &t->young);
}

void pass_count(struct conn *c, const struct way *w, size_t n)
{
	struct serve_thread *t = c->thread;
	struct pass *p = c->pass;
	bool up = w->from == CLIENT;

	p->n_up += up ? n : 0;
	p->n_down += up ? 0 : n;
	if (p->meter != NULL)
		meter_count(p->meter, t->now_ns, up, n);
	if (p->key != 0 && up)
		SERVE_COUNT(t, data_in, n);
	else if (p->key != 0)
		SERVE_COUNT(t, data_out, n);
	else if (up)
		SERVE_COUNT(t, passed_in, n);
	else
		SERVE_COUNT(t, passed_out, n);
}

static void failed(struct conn *c, int error)
{
	log_event(LOG_EV_BACKEND_FAILED,
		LOG_FIELDS(log_addr("backend", &c->pass->backend),
			log_addr("listener", &c->port->addr), log_errno(-error),
			log_str("remedy", "start it, or see the backends of the listener")));
}

void pass_late(struct conn *c)
{
	failed(c, ETIMEDOUT);
	conn_close(c, SERVE_CLOSE_backend);
}

void pass_pump(struct conn *c)
{
	struct pass *p = c->pass;
	enum serve_close why = SERVE_CLOSE_broken;
	bool was_connected = p->connected;
	int first = way_pump(c, p->down_first ? &p->down : &p->up, &why);
	int second = first < 0 ? -1 : way_pump(c, p->down_first ? &p->up : &p->down, &why);

	p->down_first = p->key != 0 && !p->down_first;
	if (first < 0 || second < 0) {
		if (why == SERVE_CLOSE_backend && !p->connected)
			failed(c, errno);
		conn_close(
			c, why == SERVE_CLOSE_backend && p->connected ? SERVE_CLOSE_broken : why);
		return;
	}
	if (p->up.told && p->down.told) {
		conn_close(c, p->key != 0 ? SERVE_CLOSE_data : SERVE_CLOSE_passed);
		return;
	}
	if (p->connected && !was_connected)
		pass_note(c);
	if (!c->paced && (first > 0 || second > 0) && ds_list_is_empty(&c->again))
		ds_list_add(&c->thread->again, &c->again);
	pace_queue(c);
}

void pass_event(struct conn *c, uint32_t events)
{
	c->pass->copies |= (events & EPOLLPRI) != 0;
	pass_pump(c);
}

uint64_t pass_bytes(const struct conn *c)
{
	return c->pass != NULL ? c->pass->n_up + c->pass->n_down : 0;
}

// The header of the PROXY protocol is the first that waits, then bytes that were read already.
static bool first_put(
	struct conn *c, const struct conf_backend *b, const uint8_t *bytes, size_t len)
{
	struct way *w = &c->pass->up;

	w->bytes = malloc(WIRE_PROXY_WRITE_MAX + len);
	if (w->bytes == NULL)
		return false;
	if (b->proxy_protocol)
		w->n = wire_proxy_write(w->bytes, &c->remote, &c->port->addr);
	if (len > 0)
		memcpy(w->bytes + w->n, bytes, len);
	w->n += len;
	return true;
}

bool pass_watch(struct conn *c, int fd, int op)
{
	struct epoll_event e = {
		.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};

	return epoll_ctl(c->thread->epoll_fd, op, fd, &e) == 0;
}

static bool backend_connect(struct pass *p)
{
	static const int on = 1;
	struct sockaddr_storage at;
	socklen_t len = tcp_sockaddr(&p->backend, &at);

	p->fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return false;
	(void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return connect(p->fd, (const struct sockaddr *)&at, len) == 0 || errno == EINPROGRESS;
}

void pass_begin(struct conn *c, const struct conf_backend *b, const uint8_t *bytes, size_t len)
{
	struct pass *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	*p = (struct pass){.fd = -1, .backend = b->addr, .up.from = CLIENT, .down.from = BACKEND};
	c->pass = p;
	c->state = CONN_PASS;
	SERVE_COUNT(c->thread, passed, 1);
	if (!backend_connect(p)) {
		failed(c, errno);
		conn_close(c, SERVE_CLOSE_backend);
		return;
	}
	if (!first_put(c, b, bytes, len) || !pass_watch(c, p->fd, EPOLL_CTL_ADD) ||
		!pass_watch(c, c->fd, EPOLL_CTL_MOD)) {
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	pass_pump(c);
}

static bool ways_fill(struct conn *c, const uint8_t *bytes, size_t len)
{
	struct pass *p = c->pass;

	p->down.bytes = malloc(len);
	if (p->down.bytes == NULL)
		return false;
	memcpy(p->down.bytes, bytes, len);
	p->down.n = len;
	p->up.bytes = c->partial;
	p->up.n = c->n_partial;
	pass_count(c, &p->up, p->up.n);
	c->partial = NULL;
	c->n_partial = 0;
	return true;
}

void pass_join(
	struct conn *c, uint64_t key, int fd, struct meter *meter, const uint8_t *bytes, size_t len)
{
	struct serve *s = c->thread->serve;
	struct pass *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		close(fd);
		meter_unref(meter);
		s->joined.ended(s->joined.ctx, key, 0, 0);
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	*p = (struct pass){.fd = fd,
		.connected = true,
		.key = key,
		.meter = meter,
		.up.from = CLIENT,
		.down.from = BACKEND};
	c->pass = p;
	// Answers to earlier requests, if any.
	conn_flush(c);
	if (c->fd >= 0 && c->writable_wanted)
		conn_close(c, SERVE_CLOSE_unread);
	if (c->fd < 0)
		return;
	c->state = CONN_PASS;
	c->binding = false;
	if (!ways_fill(c, bytes, len) || !pass_watch(c, fd, EPOLL_CTL_ADD) ||
		!pass_watch(c, c->fd, EPOLL_CTL_MOD)) {
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	pass_note(c);
	pass_pump(c);
}

void pass_end(struct conn *c)
{
	struct serve *s = c->thread->serve;

	if (c->pass == NULL)
		return;
	if (c->pass->key != 0)
		s->joined.ended(s->joined.ctx, c->pass->key, c->pass->n_up, c->pass->n_down);
	if (c->pass->fd >= 0)
		thread_close(c->thread, c->pass->fd);
	meter_unref(c->pass->meter);
	free(c->pass->up.bytes);
	free(c->pass->down.bytes);
	splice_end(c->thread, &c->pass->up.spliced);
	splice_end(c->thread, &c->pass->down.spliced);
	free(c->pass);
	c->pass = NULL;
}

// ---- the choice ---------------------------------------------------------------------------------

static bool is_own_name(struct conn *c, const char *name)
{
	struct serve *s = c->thread->serve;
	struct tls_context *context;
	bool own;

	pthread_mutex_lock(&s->lock);
	context = tls_context_ref(c->port->context);
	pthread_mutex_unlock(&s->lock);
	own = name[0] != '\0' && tls_context_has_name(context, name);
	tls_context_unref(context);
	return own;
}

void pass_look(struct conn *c)
{
	struct serve_thread *t = c->thread;
	struct wire_hello *h = &t->hello;
	const struct conf_backend *b = NULL;
	ssize_t n = conn_peek(c, t->scratch, WIRE_HELLO_MAX);
	enum wire_hello_step step;

	if (n <= 0)
		return;
	step = wire_hello_read(h, t->scratch, (size_t)n);
	if (step == WIRE_HELLO_MORE) {
		conn_wait_more(c);
		return;
	}
	if (step == WIRE_HELLO_DONE)
		b = choose_backend(c->port->tls, h, is_own_name(c, h->name));
	if (b != NULL)
		pass_begin(c, b, NULL, 0);
	else
		conn_tls_begin(c);
}
