// SPDX-License-Identifier: BSD-3-Clause
#include <dtls/dtls.h>

#include <errno.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#define MESSAGE_MAX 16384u
#define RECORD_LEN  13u // header of a record

struct dtls {
	SSL *ssl;
	const struct dtls_events *events;
	enum dtls_state state;
	bool mute; // what is sent is dropped
	// The datagram that is fed, until it is read.
	const uint8_t *in;
	size_t in_len;
};

// ---- datagrams as OpenSSL sees them ------------------------------------------------------------

static int bio_write(BIO *b, const char *data, int len)
{
	struct dtls *d = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (!d->mute && len > 0)
		d->events->send(d->events->ctx, (const uint8_t *)data, (size_t)len);
	return len;
}

// One datagram a call; its end is cut off where there is no room, as a socket does.
static int bio_read(BIO *b, char *out, int room)
{
	struct dtls *d = BIO_get_data(b);
	int len = d->in_len < (size_t)room ? (int)d->in_len : room;

	BIO_clear_retry_flags(b);
	if (d->in == NULL) {
		BIO_set_retry_read(b);
		return -1;
	}
	memcpy(out, d->in, (size_t)len);
	d->in = NULL;
	return len;
}

static long bio_ctrl(BIO *b, int command, long n, void *p)
{
	(void)b;
	(void)n;
	(void)p;
	return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

static BIO *bio_make(struct dtls *d)
{
	static BIO_METHOD *method;
	BIO *b;

	if (method == NULL) {
		BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "datagrams");
		BIO_METHOD *none = NULL;

		if (m == NULL || !BIO_meth_set_write(m, bio_write) ||
			!BIO_meth_set_read(m, bio_read) || !BIO_meth_set_ctrl(m, bio_ctrl) ||
			!BIO_meth_set_create(m, bio_create))
			return NULL;
		// Threads may come here at once: one of them wins.
		if (!__atomic_compare_exchange_n(
			    &method, &none, m, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			BIO_meth_free(m);
	}
	b = BIO_new(method);
	if (b != NULL)
		BIO_set_data(b, d);
	return b;
}

// ---- the first steps ----------------------------------------------------------------------------

// The shortest ClientHello without a cookie. OpenSSL makes its own exchange of cookies, which this
// server has had without keeping anything; so it is shown this one, and its answer is dropped. The
// real ClientHello is the second message then, as it was for the client. Neither the first
// ClientHello nor the answer is part of the handshake's digest (RFC 6347 4.2.1).
static const uint8_t bare_hello[] = {
	22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, // record of 54 bytes
	1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42,	       // message 0, one fragment
	0xfe, 0xfd,				       // version
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0,			// random
	0, 0,			// no session, no cookie
	0, 2, 0xc0, 0x2b, 1, 0, // one cipher, no compression
};

_Static_assert(sizeof(bare_hello) == 13 + 54, "the lengths in the record");

struct dtls *dtls_create(struct tls_context *context, const struct dtls_events *events)
{
	struct dtls *d = calloc(1, sizeof(*d));
	BIO *b;

	if (d == NULL)
		return NULL;
	d->events = events;
	d->ssl = tls_session_create(context);
	b = d->ssl == NULL ? NULL : bio_make(d);
	if (b == NULL) {
		dtls_destroy(d);
		return NULL;
	}
	SSL_set_bio(d->ssl, b, b);
	SSL_set_options(d->ssl, SSL_OP_NO_QUERY_MTU | SSL_OP_COOKIE_EXCHANGE);
	SSL_set_mtu(d->ssl, DTLS_MTU);
	d->mute = true;
	(void)dtls_feed(d, bare_hello, sizeof(bare_hello));
	d->mute = false;
	return d;
}

void dtls_destroy(struct dtls *d)
{
	if (d == NULL)
		return;
	SSL_free(d->ssl);
	free(d);
}

// ---- datagrams and messages --------------------------------------------------------------------

static enum dtls_state failed(struct dtls *d, int n)
{
	int error = SSL_get_error(d->ssl, n);

	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		d->state = DTLS_ENDED;
	return d->state;
}

static enum dtls_state step(struct dtls *d)
{
	static _Thread_local uint8_t message[MESSAGE_MAX];
	int n;

	ERR_clear_error();
	if (d->state == DTLS_SHAKING) {
		n = SSL_do_handshake(d->ssl);
		if (n != 1)
			return failed(d, n);
		d->state = DTLS_OPEN;
	}
	while (d->state == DTLS_OPEN) {
		n = SSL_read(d->ssl, message, sizeof(message));
		if (n <= 0)
			return failed(d, n);
		d->events->message(d->events->ctx, message, (size_t)n);
	}
	return d->state;
}

// Least length of an encrypted record: what the cipher adds.
static size_t overhead(const struct dtls *d)
{
	const SSL_CIPHER *c = SSL_get_current_cipher(d->ssl);

	return c != NULL && SSL_CIPHER_get_cipher_nid(c) == NID_chacha20_poly1305 ? 16 : 24;
}

// An encrypted record that is too short for its cipher would end the association, and anybody can
// send one with the client's address (RFC 6347 4.1.2.7: such records are dropped).
static bool is_plausible(const struct dtls *d, const uint8_t *p, size_t len)
{
	while (len >= RECORD_LEN) {
		size_t record = tp_load_be16(p + 11);

		if (tp_load_be16(p + 3) != 0 && record < overhead(d))
			return false;
		if (record > len - RECORD_LEN)
			return false;
		p += RECORD_LEN + record;
		len -= RECORD_LEN + record;
	}
	return len == 0;
}

enum dtls_state dtls_feed(struct dtls *d, const uint8_t *datagram, size_t len)
{
	if (d->state == DTLS_ENDED || !is_plausible(d, datagram, len))
		return d->state;
	d->in = datagram;
	d->in_len = len;
	(void)step(d);
	d->in = NULL;
	return d->state;
}

int dtls_send(struct dtls *d, const uint8_t *data, size_t len)
{
	if (d->state != DTLS_OPEN)
		return -ENOTCONN;
	if (len == 0 || len > MESSAGE_MAX)
		return -EMSGSIZE;
	ERR_clear_error();
	return SSL_write(d->ssl, data, (int)len) == (int)len ? 0 : -EIO;
}

enum dtls_state dtls_tick(struct dtls *d)
{
	if (d->state == DTLS_SHAKING && DTLSv1_handle_timeout(d->ssl) < 0)
		d->state = DTLS_ENDED;
	return d->state;
}

bool dtls_resumed(const struct dtls *d)
{
	return SSL_session_reused(d->ssl) == 1;
}

void dtls_end(struct dtls *d)
{
	if (d->state == DTLS_OPEN)
		(void)SSL_shutdown(d->ssl);
	d->state = DTLS_ENDED;
}
