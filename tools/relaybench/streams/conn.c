// SPDX-License-Identifier: BSD-3-Clause
#include "conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <turnpike/base.h>

#include "stamp.h"

#define DTLS_MTU     1400
#define IN_MAX	     65536u
#define GATHER_MAX   (STREAMS_BURST_MAX * 1500u)
#define MESSAGE_NONE UINT32_MAX

// Of the one connection that is being written or read.
static uint8_t gathered[GATHER_MAX], scratch[IN_MAX];
static size_t n_gathered;

static bool is_stream(const struct streams_conn *c)
{
	return c->transport == STREAMS_TCP || c->transport == STREAMS_TLS;
}

static int session_start(
	struct streams_conn *c, const struct streams_options *o, SSL_CTX *tls, SSL_SESSION *resumed)
{
	BIO *in, *out;

	c->ssl = SSL_new(tls);
	if (c->ssl == NULL)
		return -ENOMEM;
	if (c->transport == STREAMS_TLS) {
		// Records are gathered before they leave.
		in = BIO_new_socket(c->fd, BIO_NOCLOSE);
		out = BIO_new(BIO_s_mem());
	} else {
		in = out = BIO_new_dgram(c->fd, BIO_NOCLOSE);
		if (in != NULL)
			BIO_ctrl(
				in, BIO_CTRL_DGRAM_SET_CONNECTED, 0, (void *)(uintptr_t)&o->server);
		SSL_set_options(c->ssl, SSL_OP_NO_QUERY_MTU);
		SSL_set_mtu(c->ssl, DTLS_MTU);
	}
	if (in == NULL || out == NULL)
		return -ENOMEM;
	SSL_set_bio(c->ssl, in, out);
	SSL_set_connect_state(c->ssl);
	if (resumed != NULL)
		SSL_set_session(c->ssl, resumed);
	return 0;
}

int streams_conn_start(struct streams_conn *c, const struct streams_options *o,
	const union tc_addr *from, SSL_CTX *tls, SSL_SESSION *resumed)
{
	bool stream = o->transport == STREAMS_TCP || o->transport == STREAMS_TLS;
	static const int on = 1;
	int rc = 0;

	*c = (struct streams_conn){.transport = (uint8_t)o->transport};
	c->fd = socket(o->server.sa.sa_family,
		(stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	if (stream) {
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	}
	if (from->sa.sa_family != 0 && bind(c->fd, &from->sa, tc_addr_len(from)) < 0)
		rc = -errno;
	if (rc == 0 && connect(c->fd, &o->server.sa, tc_addr_len(&o->server)) < 0 &&
		errno != EINPROGRESS)
		rc = -errno;
	if (rc == 0 && tls != NULL)
		rc = session_start(c, o, tls, resumed);
	if (rc < 0)
		streams_conn_close(c, false);
	return rc;
}

// ---- out ----------------------------------------------------------------------------------------

static int rest_send(struct streams_conn *c, const uint8_t *bytes, size_t len)
{
	ssize_t n = len == 0 ? 0 : send(c->fd, bytes, len, MSG_NOSIGNAL);
	uint8_t *rest;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	n = n < 0 ? 0 : n;
	c->full = (size_t)n < len;
	if (!c->full) {
		c->n_rest = 0;
		return 0;
	}
	if (bytes == c->rest) {
		memmove(c->rest, c->rest + n, len - (size_t)n);
	} else {
		rest = realloc(c->rest, len - (size_t)n);
		if (rest == NULL)
			return -ENOMEM;
		c->rest = rest;
		memcpy(rest, bytes + n, len - (size_t)n);
	}
	c->n_rest = (uint32_t)(len - (size_t)n);
	return 0;
}

static int records_send(struct streams_conn *c)
{
	BIO *out = SSL_get_wbio(c->ssl);
	uint8_t *bytes;
	long n = BIO_get_mem_data(out, &bytes);
	int rc;

	if (n <= 0)
		return 0;
	rc = rest_send(c, bytes, (size_t)n);
	(void)BIO_reset(out);
	return rc;
}

static int session_write(struct streams_conn *c, const uint8_t *msg, size_t len)
{
	int n, error;

	ERR_clear_error();
	n = SSL_write(c->ssl, msg, (int)len);
	if (n > 0)
		return 0;
	error = SSL_get_error(c->ssl, n);
	return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? -EAGAIN : -EPROTO;
}

int streams_conn_put(struct streams_conn *c, const uint8_t *msg, size_t len)
{
	ssize_t n;

	if (c->full)
		return -EAGAIN;
	if (c->ssl != NULL)
		return session_write(c, msg, len);
	if (c->transport == STREAMS_UDP) {
		n = send(c->fd, msg, len, MSG_NOSIGNAL);
		return n >= 0 ? 0 : errno == ENOBUFS ? -EAGAIN : -errno;
	}
	if (n_gathered + len > sizeof(gathered))
		return -EMSGSIZE;
	memcpy(gathered + n_gathered, msg, len);
	n_gathered += len;
	return 0;
}

int streams_conn_flush(struct streams_conn *c)
{
	size_t n = n_gathered;
	int rc = 0;

	n_gathered = 0;
	if (!is_stream(c))
		return 0;
	if (c->full)
		rc = rest_send(c, c->rest, c->n_rest);
	if (rc == 0 && !c->full)
		rc = c->ssl != NULL ? records_send(c) : rest_send(c, gathered, n);
	return rc;
}

// ---- beginning ----------------------------------------------------------------------------------

static int connected(struct streams_conn *c)
{
	socklen_t len = sizeof(int);
	struct tcp_info info;
	int error = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)
		return error != 0 ? -error : -errno;
	len = sizeof(info);
	if (is_stream(c) && (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
				    info.tcpi_state != TCP_ESTABLISHED))
		return 0;
	return 1;
}

int streams_conn_step(struct streams_conn *c)
{
	int rc = c->connected ? 1 : connected(c), n, error;

	if (rc <= 0)
		return rc;
	c->connected = true;
	if (c->ssl == NULL)
		return 1;
	if (c->transport == STREAMS_DTLS)
		DTLSv1_handle_timeout(c->ssl);
	ERR_clear_error();
	n = SSL_do_handshake(c->ssl);
	error = SSL_get_error(c->ssl, n);
	rc = streams_conn_flush(c);
	if (rc < 0 || n == 1)
		return rc < 0 ? rc : 1;
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -EPROTO;
}

// ---- in -----------------------------------------------------------------------------------------

uint32_t streams_message_len(const uint8_t *msg, size_t len)
{
	uint32_t body;

	if (len < 4)
		return 0;
	body = (uint32_t)msg[2] << 8 | msg[3];
	if (msg[0] < 0x40)
		return 20 + body;
	return msg[0] < 0x80 ? 4 + ((body + 3) & ~3u) : MESSAGE_NONE;
}

static ssize_t bytes_read(struct streams_conn *c, uint8_t *out, size_t room)
{
	ssize_t n;
	int error;

	if (c->ssl == NULL) {
		n = recv(c->fd, out, room, 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		return n == 0 && is_stream(c) ? -EPIPE : n;
	}
	ERR_clear_error();
	n = SSL_read(c->ssl, out, (int)room);
	if (n > 0)
		return n;
	error = SSL_get_error(c->ssl, (int)n);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return 0;
	return error == SSL_ERROR_ZERO_RETURN ? -EPIPE : -EPROTO;
}

// Messages out of a stream's bytes; the rest of the bytes stays for the next time.
static int stream_cut(struct streams_conn *c, size_t len, streams_take_fn *take, void *ctx)
{
	size_t at = 0;
	uint32_t n;

	while ((n = streams_message_len(scratch + at, len - at)) != 0 && n <= len - at) {
		take(ctx, scratch + at, n);
		at += n;
		// The owner may have closed it.
		if (c->fd < 0)
			return 0;
	}
	if (n == MESSAGE_NONE)
		return -EPROTO;
	c->n_in = (uint32_t)(len - at);
	if (c->n_in == 0)
		return 0;
	if (c->in == NULL)
		c->in = malloc(IN_MAX);
	if (c->in == NULL || c->n_in >= IN_MAX)
		return -ENOMEM;
	memcpy(c->in, scratch + at, c->n_in);
	return 0;
}

int streams_conn_read(struct streams_conn *c, streams_take_fn *take, void *ctx)
{
	for (;;) {
		size_t kept = c->n_in;
		ssize_t n;
		int rc = 0;

		if (kept > 0)
			memcpy(scratch, c->in, kept);
		n = bytes_read(c, scratch + kept, sizeof(scratch) - kept);
		if (n <= 0)
			return (int)n;
		if (is_stream(c))
			rc = stream_cut(c, kept + (size_t)n, take, ctx);
		else
			take(ctx, scratch, (size_t)n);
		if (rc < 0 || c->fd < 0)
			return rc;
		// A plain stream has given all it had.
		if (c->transport == STREAMS_TCP)
			return 0;
	}
}

void streams_conn_close(struct streams_conn *c, bool reset)
{
	const struct linger linger = {.l_onoff = 1};

	if (c->fd < 0)
		return;
	if (c->ssl != NULL && c->connected && SSL_is_init_finished(c->ssl) && !c->full) {
		(void)SSL_shutdown(c->ssl);
		(void)streams_conn_flush(c);
	}
	if (reset)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	SSL_free(c->ssl);
	free(c->rest);
	free(c->in);
	close(c->fd);
	*c = (struct streams_conn){.fd = -1};
}
