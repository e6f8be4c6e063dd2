// SPDX-License-Identifier: BSD-3-Clause
// One way of a connection that is a backend's or a peer's: bytes are read at one side, wait, and
// are written at the other.
#include "pass.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>

#define PASS_BATCH   16384u
#define SPLICE_BATCH 65536u // a pipe holds no more

// ---- one side -----------------------------------------------------------------------------------

// Bytes read; 0: none for now; -1: the end, with *why SERVE_CLOSE_client where it is an orderly
// one.
static ssize_t side_read(
	struct conn *c, enum side side, uint8_t *out, size_t room, enum serve_close *why)
{
	ssize_t n;

	if (side == CLIENT)
		return stream_read(c, out, room, why);
	n = recv(c->pass->fd, out, room, 0);
	if (n > 0)
		c->pass->connected = true;
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	*why = n == 0 ? SERVE_CLOSE_client : SERVE_CLOSE_backend;
	return -1;
}

// Bytes written, as far as the socket takes them; -1: an error, with *why.
static ssize_t side_write(
	struct conn *c, enum side side, const uint8_t *bytes, size_t len, enum serve_close *why)
{
	ssize_t n;

	if (side == CLIENT)
		return stream_put(c, bytes, len, why);
	n = send(c->pass->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0) {
		c->pass->connected = true;
		return n;
	}
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	*why = SERVE_CLOSE_backend;
	return -1;
}

// False: the socket is full. Errors show when the side is read.
static bool side_end(struct conn *c, enum side side)
{
	int n;

	if (side == BACKEND || c->ssl == NULL) {
		(void)shutdown(side == BACKEND ? c->pass->fd : c->fd, SHUT_WR);
		return true;
	}
	ERR_clear_error();
	n = SSL_shutdown(c->ssl);
	return n >= 0 || SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_WRITE;
}

// ---- one way ------------------------------------------------------------------------------------

static enum side other(const struct way *w)
{
	return w->from == CLIENT ? BACKEND : CLIENT;
}

static int side_fd(const struct conn *c, enum side side)
{
	return side == CLIENT ? c->fd : c->pass->fd;
}

// Bytes that were read into the pipe. 1, 0, -1 as below.
static int pipe_empty(struct conn *c, struct way *w, enum serve_close *why)
{
	while (w->spliced.n > 0) {
		if (splice_empty(c->thread, &w->spliced, side_fd(c, other(w))) > 0) {
			c->pass->connected = true;
			continue;
		}
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		*why = other(w) == CLIENT ? SERVE_CLOSE_broken : SERVE_CLOSE_backend;
		return -1;
	}
	return 1;
}

// Writes the bytes that wait. 1: nothing waits any more; 0: the socket is full; -1.
static int way_empty(struct conn *c, struct way *w, enum serve_close *why)
{
	while (w->at < w->n) {
		ssize_t n = side_write(c, other(w), w->bytes + w->at, w->n - w->at, why);

		if (n <= 0)
			return (int)n;
		w->at += (size_t)n;
	}
	free(w->bytes);
	w->bytes = NULL;
	w->at = w->n = 0;
	return pipe_empty(c, w, why);
}

// Writes the bytes, and keeps those that the socket does not take. 1, 0, -1 likewise.
static int way_put(
	struct conn *c, struct way *w, const uint8_t *bytes, size_t len, enum serve_close *why)
{
	ssize_t n = side_write(c, other(w), bytes, len, why);

	if (n < 0 || n == (ssize_t)len)
		return n < 0 ? -1 : 1;
	w->n = len - (size_t)n;
	w->bytes = malloc(w->n);
	if (w->bytes == NULL) {
		*why = SERVE_CLOSE_memory;
		return -1;
	}
	memcpy(w->bytes, bytes + n, w->n);
	return 0;
}

// Bytes read, as side_read, which remain in the kernel where neither side is encrypted. Those under
// caps come in small pieces.
static ssize_t way_read(struct conn *c, struct way *w, enum serve_close *why)
{
	size_t room = c->pass->meter != NULL ? PASS_BATCH : SPLICE_BATCH;
	ssize_t n;

	if (c->ssl != NULL || c->pass->copies)
		return side_read(c, w->from, c->thread->scratch, PASS_BATCH, why);
	n = splice_fill(c->thread, &w->spliced, side_fd(c, w->from), room);
	if (n > 0 && w->from == BACKEND)
		c->pass->connected = true;
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0 && errno == ENFILE)
		return side_read(c, w->from, c->thread->scratch, PASS_BATCH, why);
	*why = n == 0		   ? SERVE_CLOSE_client
	       : w->from == CLIENT ? SERVE_CLOSE_broken
				   : SERVE_CLOSE_backend;
	return -1;
}

int way_pump(struct conn *c, struct way *w, enum serve_close *why)
{
	struct serve_thread *t = c->thread;

	for (unsigned i = 0; i < SERVE_READS; i++) {
		int rc = way_empty(c, w, why);
		ssize_t n;

		if (rc <= 0)
			return rc;
		if (w->ended) {
			w->told = w->told || side_end(c, other(w));
			return 0;
		}
		if (pace_waits(c, c->pass->meter))
			return 0;
		n = way_read(c, w, why);
		if (n < 0 && *why == SERVE_CLOSE_client) {
			w->ended = true;
			pass_note(c);
			continue;
		}
		if (n <= 0)
			return (int)n;
		pass_note(c);
		pass_count(c, w, (size_t)n);
		if (w->spliced.n == 0 && way_put(c, w, t->scratch, (size_t)n, why) < 0)
			return -1;
	}
	return 1;
}
