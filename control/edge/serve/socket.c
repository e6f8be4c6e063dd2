// SPDX-License-Identifier: BSD-3-Clause
// The socket of a connection as its session of TLS reads and writes it: OpenSSL's own kind asks the
// kernel once more after each read that had less than there was room for.
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#include <openssl/bio.h>

static BIO_METHOD *method;

static bool is_retry(int error)
{
	return error == EAGAIN || error == EINTR;
}

// A session reads on while it finds no bytes for us. A client that sends new keys without end would
// keep the thread from all others.
static bool may_read(struct conn *c)
{
	// After a read that had less than there was room for, an event tells of more. The events by
	// edges of CONN_PASS may have told of the stream's end together with the bytes before it.
	if (c->socket_dry && c->state != CONN_PASS)
		return false;
	c->session_stopped = c->session_reads == 0;
	c->session_reads -= !c->session_stopped;
	return !c->session_stopped;
}

static int socket_read(BIO *bio, char *out, int room)
{
	struct conn *c = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (!may_read(c)) {
		BIO_set_retry_read(bio);
		return -1;
	}
	n = recv(c->fd, out, (size_t)room, 0);
	if (n < 0 && is_retry(errno))
		BIO_set_retry_read(bio);
	if (n == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	c->socket_dry = n > 0 && n < room;
	c->socket_full = n == room || n >= (int)SERVE_BATCH;
	return (int)n;
}

static int socket_write(BIO *bio, const char *bytes, int len)
{
	struct conn *c = BIO_get_data(bio);
	ssize_t n = send(c->fd, bytes, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);

	BIO_clear_retry_flags(bio);
	if (n < 0 && is_retry(errno))
		BIO_set_retry_write(bio);
	return (int)n;
}

static long socket_control(BIO *bio, int what, long number, void *at)
{
	(void)number, (void)at;
	if (what == BIO_CTRL_EOF)
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	return what == BIO_CTRL_FLUSH;
}

static int socket_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static void method_make(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "turnpike");

	if (m == NULL || BIO_meth_set_read(m, socket_read) != 1 ||
		BIO_meth_set_write(m, socket_write) != 1 ||
		BIO_meth_set_ctrl(m, socket_control) != 1 ||
		BIO_meth_set_create(m, socket_create) != 1) {
		BIO_meth_free(m);
		return;
	}
	method = m;
}

BIO *socket_bio(struct conn *c)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, method_make);
	bio = method == NULL ? NULL : BIO_new(method);
	if (bio != NULL)
		BIO_set_data(bio, c);
	return bio;
}
