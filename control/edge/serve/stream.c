// SPDX-License-Identifier: BSD-3-Clause
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>

// Reads of the socket in one call of a session. A record fits in one of them, and another one finds
// that there is no more.
#define READS	    2u
#define SHAKE_READS 16u

static ssize_t plain_read(struct conn *c, uint8_t *out, size_t room, enum serve_close *why)
{
	ssize_t n = recv(c->fd, out, room, 0);

	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	*why = n == 0 ? SERVE_CLOSE_client : SERVE_CLOSE_broken;
	return -1;
}

// Emptying an empty queue would take as long as a small record does.
static void errors_clear(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

static enum serve_close tls_end(int error)
{
	unsigned long e = ERR_peek_error();

	if (error == SSL_ERROR_ZERO_RETURN)
		return SERVE_CLOSE_client;
	if (error == SSL_ERROR_SSL && ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return SERVE_CLOSE_client;
	return error == SSL_ERROR_SYSCALL ? SERVE_CLOSE_broken : SERVE_CLOSE_tls;
}

bool stream_tls_begin(struct conn *c)
{
	BIO *bio = socket_bio(c);

	if (bio == NULL)
		return false;
	SSL_set_bio(c->ssl, bio, bio);
	return true;
}

static void reads_give(struct conn *c, uint8_t n)
{
	c->session_reads = n;
	c->session_stopped = false;
}

// A large read spares calls and acknowledgements of TCP. A session that holds a part of a record
// keeps its buffer, so few have a large one.
static void width_choose(struct conn *c)
{
	struct serve_thread *t = c->thread;

	if (c->wide == c->socket_full || (c->wide && SSL_has_pending(c->ssl)) ||
		(!c->wide && t->n_wide >= SERVE_WIDE_MAX))
		return;
	c->wide = c->socket_full;
	t->n_wide += c->wide;
	t->n_wide -= !c->wide;
	SSL_set_default_read_buffer_len(c->ssl, c->wide ? SERVE_WIDE : 0);
}

static ssize_t tls_read(struct conn *c, uint8_t *out, size_t room, enum serve_close *why)
{
	int n, error;

	c->blocked = false;
	reads_give(c, READS);
	width_choose(c);
	errors_clear();
	n = SSL_read(c->ssl, out, (int)room);
	if (n > 0)
		return n;
	error = SSL_get_error(c->ssl, n);
	// Levels tell of the rest, edges do not.
	if (c->session_stopped && c->state == CONN_PASS && ds_list_is_empty(&c->again))
		ds_list_add(&c->thread->again, &c->again);
	// New keys that the client asked for leave first.
	c->blocked = error == SSL_ERROR_WANT_WRITE;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return 0;
	*why = tls_end(error);
	return -1;
}

ssize_t stream_read(struct conn *c, uint8_t *out, size_t room, enum serve_close *why)
{
	return c->ssl != NULL ? tls_read(c, out, room, why) : plain_read(c, out, room, why);
}

bool stream_holds(const struct conn *c)
{
	return c->ssl != NULL && SSL_has_pending(c->ssl);
}

// ---- writing ------------------------------------------------------------------------------------

static int rest_keep(struct conn *c, const uint8_t *bytes, size_t len, enum serve_close *why)
{
	uint8_t *rest;

	// The rest itself, of which nothing has left.
	if (bytes == c->rest)
		return 1;
	rest = malloc(len);
	if (rest == NULL) {
		*why = SERVE_CLOSE_memory;
		return -1;
	}
	memcpy(rest, bytes, len);
	free(c->rest);
	c->rest = rest;
	c->n_rest = (uint32_t)len;
	return 1;
}

static void rest_drop(struct conn *c)
{
	free(c->rest);
	c->rest = NULL;
	c->n_rest = 0;
}

// 0: written, 1: a part is kept, -1.
static int plain_send(struct conn *c, const uint8_t *bytes, size_t len, enum serve_close *why)
{
	ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	SERVE_COUNT(c->thread, writes, 1);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		*why = SERVE_CLOSE_broken;
		return -1;
	}
	if (n == (ssize_t)len) {
		rest_drop(c);
		return 0;
	}
	n = n < 0 ? 0 : n;
	return rest_keep(c, bytes + n, len - (size_t)n, why);
}

// A batch is one record, which leaves as a whole. The session wants the same bytes again: it may
// have had something of its own to send first, and not have taken them.
static int tls_send(struct conn *c, const uint8_t *bytes, size_t len, enum serve_close *why)
{
	int n, error;

	errors_clear();
	n = SSL_write(c->ssl, bytes, (int)len);
	SERVE_COUNT(c->thread, writes, 1);
	if (n > 0) {
		rest_drop(c);
		return 0;
	}
	error = SSL_get_error(c->ssl, n);
	if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ)
		return rest_keep(c, bytes, len, why);
	*why = tls_end(error);
	return -1;
}

static int bytes_send(struct conn *c, const uint8_t *bytes, size_t len, enum serve_close *why)
{
	return c->ssl != NULL ? tls_send(c, bytes, len, why) : plain_send(c, bytes, len, why);
}

// Sends the frames of a WebSocket that stand beside messages.
static int frames_send(struct conn *c, enum serve_close *why)
{
	uint16_t n = c->ws->n_out;

	c->ws->n_out = 0;
	return n == 0 ? 0 : bytes_send(c, c->ws->out, n, why);
}

// In a WebSocket a batch is one binary message, whose header stands before it.
static uint8_t *header_put(const struct conn *c, uint8_t *start, size_t *n)
{
	uint8_t header[WIRE_WS_HEADER_MAX];
	size_t len;

	if (c->ws == NULL)
		return start;
	len = wire_ws_header(header, WIRE_WS_BINARY, (uint16_t)*n);
	memcpy(start - len, header, len);
	*n += len;
	return start - len;
}

int stream_write(struct conn *c, enum serve_close *why)
{
	struct serve_thread *t = c->thread;
	const struct serve_times *times = &t->serve->times;
	const struct backlog_limits limits = {.age_ns = times->queue_age_ns, .bytes = SIZE_MAX};
	uint64_t late = c->backlog.lost_late;
	int rc = 0;

	if (c->n_rest > 0)
		rc = bytes_send(c, c->rest, c->n_rest, why);
	if (rc == 0) {
		backlog_expire(&c->backlog, &limits, t->now_ns);
		SERVE_COUNT(t, lost_late, c->backlog.lost_late - late);
		conn_slow_note(c);
	}
	if (rc == 0 && c->ws != NULL)
		rc = frames_send(c, why);
	while (rc == 0) {
		uint8_t *start = t->batch + WIRE_WS_HEADER_MAX;
		size_t n = backlog_take(&c->backlog, start, sizeof(t->batch) - WIRE_WS_HEADER_MAX);

		if (n == 0)
			return 0;
		SERVE_COUNT(t, bytes_out, n);
		start = header_put(c, start, &n);
		rc = bytes_send(c, start, n, why);
	}
	return rc;
}

ssize_t stream_put(struct conn *c, const uint8_t *bytes, size_t len, enum serve_close *why)
{
	ssize_t n;
	int error;

	SERVE_COUNT(c->thread, writes, 1);
	if (c->ssl == NULL) {
		n = send(c->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0 || errno == EAGAIN || errno == EINTR)
			return n < 0 ? 0 : n;
		*why = SERVE_CLOSE_broken;
		return -1;
	}
	errors_clear();
	n = SSL_write(c->ssl, bytes, (int)len);
	if (n > 0)
		return n;
	error = SSL_get_error(c->ssl, (int)n);
	if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ)
		return 0;
	*why = tls_end(error);
	return -1;
}

int stream_handshake(struct conn *c, bool *wants_write)
{
	int n, error;

	reads_give(c, SHAKE_READS);
	errors_clear();
	n = SSL_do_handshake(c->ssl);
	if (n == 1)
		return 1;
	error = SSL_get_error(c->ssl, n);
	*wants_write = error == SSL_ERROR_WANT_WRITE;
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}
