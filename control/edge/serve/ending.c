// SPDX-License-Identifier: BSD-3-Clause
// Ends in order: a client that has ended its side may wait for answers still, and one that is
// refused reads why before the connection ends.
#include "internal.h"

#include <errno.h>
#include <sys/socket.h>

#include <turnpike/stun.h>

// Class bits of a STUN message (RFC 8489 5); two zero bits tell it from ChannelData.
#define CLASS_BITS     0xc110u
#define CLASS_REQUEST  0x0000u
#define CLASS_RESPONSE 0x0100u // success and error alike

void ending_asked(struct conn *c, const uint8_t *message, size_t len)
{
	if (len >= 2 && (tp_load_be16(message) & CLASS_BITS) == CLASS_REQUEST &&
		c->n_asked < UINT16_MAX)
		c->n_asked++;
}

void ending_answered(struct conn *c, const uint8_t *message, size_t len)
{
	if (len >= 2 && (tp_load_be16(message) & (CLASS_BITS & ~0x0010u)) == CLASS_RESPONSE &&
		c->n_asked > 0)
		c->n_asked--;
}

// A session of TLS or a WebSocket has an end of its own, after which nothing is read.
void ending_input(struct conn *c, enum serve_close why)
{
	bool waits = c->n_asked > 0 || c->n_rest > 0 || c->backlog.n > 0;

	if (why != SERVE_CLOSE_client || c->ssl != NULL || c->ws != NULL || !waits) {
		conn_close(c, why);
		return;
	}
	c->half = true;
	conn_time(c, &c->thread->young);
	conn_events_want(c, c->writable_wanted);
}

void ending_flushed(struct conn *c)
{
	if (c->half && c->n_asked == 0)
		conn_close(c, SERVE_CLOSE_client);
}

// The end of a socket with unread bytes would be a reset, which takes the answer back from a client
// that has not read it.
void ending_begin(struct conn *c)
{
	if (c->ssl != NULL)
		(void)SSL_shutdown(c->ssl);
	(void)shutdown(c->fd, SHUT_WR);
	c->state = CONN_ENDING;
	c->blocked = false;
	conn_events_want(c, false);
}

void ending_read(struct conn *c)
{
	struct serve_thread *t = c->thread;

	for (unsigned i = 0; i < SERVE_READS; i++) {
		ssize_t n = recv(c->fd, t->scratch, sizeof(t->scratch), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			conn_close(c, SERVE_CLOSE_http);
			return;
		}
	}
}
