// SPDX-License-Identifier: BSD-3-Clause
// A client's connection to the server over TCP, TLS, DTLS or UDP: whole messages out and in.
// Non-blocking. One thread.
#pragma once

#include <openssl/ssl.h>

#include "options.h"

struct streams_conn {
	int fd; // -1: closed
	SSL *ssl;
	uint8_t transport; // enum streams_transport
	bool connected;	   // the socket is; a handshake may go on
	bool full;	   // bytes wait in `rest`, for room in the socket
	uint8_t *rest, *in;
	uint32_t n_rest, n_in;
};

// A new connection from `from` (family 0: any address). 0 or a negative errno.
int streams_conn_start(struct streams_conn *c, const struct streams_options *o,
	const union tc_addr *from, SSL_CTX *tls, SSL_SESSION *resumed);
// Goes on connecting: 1 done, 0 not yet, -EPROTO and other negative errno.
int streams_conn_step(struct streams_conn *c);
// Takes a message; -EAGAIN while the connection is full: the message is not taken.
int streams_conn_put(struct streams_conn *c, const uint8_t *msg, size_t len);
// Sends all that was put. 0, also when it becomes full, or a negative errno.
int streams_conn_flush(struct streams_conn *c);
// Calls `take` for each message that is there. 0, or a negative errno (-EPIPE: the server closed).
typedef void streams_take_fn(void *ctx, const uint8_t *msg, size_t len);
int streams_conn_read(struct streams_conn *c, streams_take_fn *take, void *ctx);
// Closes; `reset` leaves the kernel no state of it.
void streams_conn_close(struct streams_conn *c, bool reset);

// The length of the message of a stream that begins at `msg`, with padding: 0 until its header is
// there (RFC 8656 12.5); UINT32_MAX: none.
uint32_t streams_message_len(const uint8_t *msg, size_t len);
