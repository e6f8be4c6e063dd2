// SPDX-License-Identifier: BSD-3-Clause
// A connection before it is open: header of a proxy, first bytes, handshake.
#include "internal.h"

#include <errno.h>
#include <sys/socket.h>

#include <log/log.h>
#include <turnpike/segment.h>
#include <wire/proxy.h>

bool conn_open(struct conn *c)
{
	struct serve_thread *t = c->thread;
	uint16_t id = edge_link_listener(
		t->serve->link, &c->port->addr, c->by_tls ? TP_TRANSPORT_TLS : TP_TRANSPORT_TCP);

	if (id != 0)
		c->connection = edge_link_open(
			t->link, id, &c->remote, c->ws != NULL ? TP_REPORT_FRAMED : 0, &c->client);
	if (c->connection == 0) {
		log_event(LOG_EV_CONNECTION_REFUSED,
			LOG_FIELDS(log_addr("client", &c->remote),
				log_addr("listener", &c->port->addr),
				log_str("reason", id == 0 ? "not_ready" : "connections")));
		conn_close(c, id == 0 ? SERVE_CLOSE_not_ready : SERVE_CLOSE_limit);
		return false;
	}
	c->state = CONN_OPEN;
	conn_events_want(c, false);
	return c->fd >= 0;
}

// The first message may come, or a request of HTTP where the listener takes it.
static void begin(struct conn *c, const struct conf_listener *l)
{
	if (!web_is_for(l)) {
		if (conn_open(c))
			conn_read_open(c);
		return;
	}
	c->state = CONN_WEB;
	conn_events_want(c, false);
	if (c->fd >= 0)
		web_read(c);
}

void begin_handshake(struct conn *c)
{
	bool wants_write = false;
	char text[128];
	int rc = stream_handshake(c, &wants_write);

	if (rc < 0) {
		log_event(LOG_EV_HANDSHAKE_FAILED,
			LOG_FIELDS(log_addr("client", &c->remote),
				log_addr("listener", &c->port->addr),
				log_str("problem", tls_fault_text(text, sizeof(text)))));
		conn_close(c, SERVE_CLOSE_handshake);
		return;
	}
	if (rc == 0) {
		if (wants_write != c->writable_wanted)
			conn_events_want(c, wants_write);
		return;
	}
	SERVE_COUNT(c->thread, handshakes, 1);
	SERVE_COUNT(c->thread, resumed, SSL_session_reused(c->ssl));
	if (!hand_late(c))
		begin(c, c->port->tls);
}

void begin_taken(struct conn *c)
{
	if (c->port->tls == NULL || c->port->tls_left)
		conn_close(c, SERVE_CLOSE_removed);
	else
		begin(c, c->port->tls);
}

void conn_tls_begin(struct conn *c)
{
	struct serve *s = c->thread->serve;

	pthread_mutex_lock(&s->lock);
	c->ssl = tls_session_create(c->port->context);
	pthread_mutex_unlock(&s->lock);
	if (c->ssl == NULL || !stream_tls_begin(c)) {
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	c->state = CONN_HANDSHAKE;
	conn_events_want(c, false);
	if (c->fd >= 0)
		begin_handshake(c);
}

ssize_t conn_peek(struct conn *c, uint8_t *out, size_t room)
{
	ssize_t n = recv(c->fd, out, room, MSG_PEEK);

	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	conn_close(c, n == 0 ? SERVE_CLOSE_client : SERVE_CLOSE_broken);
	return -1;
}

void begin_first_bytes(struct conn *c)
{
	uint8_t bytes[2];
	ssize_t n = conn_peek(c, bytes, sizeof(bytes));
	bool has_tls = c->port->tls != NULL && !c->port->tls_left;
	enum wire_first first;

	if (n <= 0)
		return;
	first = wire_first_of(bytes, (size_t)n);
	c->by_tls = first == WIRE_FIRST_TLS;
	if (first == WIRE_FIRST_TLS && has_tls && c->port->tls->n_backends > 0)
		pass_look(c);
	else if (first == WIRE_FIRST_TLS && has_tls)
		conn_tls_begin(c);
	else if (c->port->plain != NULL && !c->port->plain_left &&
		 (first == WIRE_FIRST_PLAIN ||
			 (first == WIRE_FIRST_HTTP && web_is_for(c->port->plain))))
		begin(c, c->port->plain);
	else if (first == WIRE_FIRST_MORE)
		conn_wait_more(c);
	else
		conn_close(c, SERVE_CLOSE_alien);
}

void begin_proxy_header(struct conn *c)
{
	uint8_t bytes[WIRE_PROXY_V2_MAX];
	ssize_t n = conn_peek(c, bytes, sizeof(bytes));
	enum wire_proxy_step step;
	struct wire_proxy p;

	if (n <= 0)
		return;
	step = wire_proxy_read(&p, bytes, (size_t)n);
	if (step == WIRE_PROXY_MORE && n < (ssize_t)sizeof(bytes)) {
		conn_wait_more(c);
		return;
	}
	if (step != WIRE_PROXY_DONE || (!p.local && p.source.port_be == 0) ||
		recv(c->fd, bytes, p.taken, 0) != (ssize_t)p.taken) {
		conn_close(c, SERVE_CLOSE_proxy);
		return;
	}
	if (!p.local)
		c->remote = p.source;
	if (!conn_admit(c)) {
		conn_close(c, SERVE_CLOSE_limit);
		return;
	}
	c->state = CONN_FIRST;
	conn_time(c, &c->thread->young);
	begin_first_bytes(c);
}
