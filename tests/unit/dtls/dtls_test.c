// SPDX-License-Identifier: BSD-3-Clause
// Handshakes with a client of OpenSSL, by way of queues of datagrams.
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <dtls/dtls.h>

#include "certificate.h"

#define QUEUE_MAX    64u
#define DATAGRAM_MAX 2048u
#define LISTENER     7u
#define RECORD_LEN   13u // header of a record
#define MINUTE_NS    (60 * TP_NS_PER_S)

static char certificate[64], key[64];
static char directory[] = "/tmp/turnpike-dtls-XXXXXX";
static struct tls_tickets *tickets;
static struct tls_context *context;

static int setup(void **state)
{
	const struct tls_pair pair = {certificate, key};
	struct tls_error err;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(certificate, sizeof(certificate), "%s/a.pem", directory);
	snprintf(key, sizeof(key), "%s/a.key", directory);
	certificate_make(CERTIFICATE_ECDSA, 86400, certificate, key);
	tickets = tls_tickets_create(NULL, 0, NULL, NULL);
	context = tls_context_create(TLS_DATAGRAM, &pair, 1, tickets, &err);
	if (context == NULL)
		fail_msg("%s", err.problem);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tls_context_unref(context);
	tls_tickets_destroy(tickets);
	unlink(certificate);
	unlink(key);
	return rmdir(directory);
}

// ---- a client, and the way between -------------------------------------------------------------

struct queue {
	uint8_t data[QUEUE_MAX][DATAGRAM_MAX];
	size_t len[QUEUE_MAX];
	unsigned n;
	unsigned next;
};

struct stand {
	struct dtls_cookies *cookies;
	struct dtls *server;
	struct dtls_events events;
	struct tp_addr remote;
	uint64_t now_ns;
	struct queue to_client;
	struct queue to_server;
	uint8_t messages[QUEUE_MAX][64];
	size_t n_messages;
	SSL_CTX *ctx;
	SSL *client;
	unsigned verified; // cookies asked for
};

static void queue_put(struct queue *q, const uint8_t *data, size_t len)
{
	assert_true(q->n < QUEUE_MAX && len <= DATAGRAM_MAX);
	memcpy(q->data[q->n], data, len);
	q->len[q->n++] = len;
}

static void on_send(void *ctx, const uint8_t *data, size_t len)
{
	struct stand *s = ctx;

	assert_true(len <= DTLS_MTU);
	queue_put(&s->to_client, data, len);
}

static void on_message(void *ctx, const uint8_t *data, size_t len)
{
	struct stand *s = ctx;

	assert_true(len <= 64 && s->n_messages < QUEUE_MAX);
	memcpy(s->messages[s->n_messages++], data, len);
}

static int client_write(BIO *b, const char *data, int len)
{
	queue_put(BIO_get_data(b), (const uint8_t *)data, (size_t)len);
	return len;
}

static int client_read(BIO *b, char *out, int room)
{
	// Beside the queue that is written stands the one that is read.
	struct stand *s = (struct stand *)(void *)((char *)BIO_get_data(b) -
						   offsetof(struct stand, to_server));
	struct queue *q = &s->to_client;
	int len;

	BIO_clear_retry_flags(b);
	if (q->next == q->n) {
		BIO_set_retry_read(b);
		return -1;
	}
	len = q->len[q->next] < (size_t)room ? (int)q->len[q->next] : room;
	memcpy(out, q->data[q->next++], (size_t)len);
	return len;
}

static long client_ctrl(BIO *b, int command, long n, void *p)
{
	(void)b;
	(void)n;
	(void)p;
	return command == BIO_CTRL_FLUSH;
}

static int client_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

static BIO_METHOD *client_method(void)
{
	static BIO_METHOD *m;

	if (m == NULL) {
		m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "test");
		BIO_meth_set_write(m, client_write);
		BIO_meth_set_read(m, client_read);
		BIO_meth_set_ctrl(m, client_ctrl);
		BIO_meth_set_create(m, client_create);
	}
	return m;
}

// `mtu`: of the client's datagrams; a small one splits its ClientHello.
static struct stand *stand_make(long mtu)
{
	struct stand *s = calloc(1, sizeof(*s));
	BIO *b = BIO_new(client_method());

	assert_non_null(s);
	s->cookies = dtls_cookies_create();
	s->events = (struct dtls_events){s, on_send, on_message};
	s->remote = tp_addr_ipv4(0xc0000201, 4660);
	s->now_ns = 100 * MINUTE_NS;
	s->ctx = SSL_CTX_new(DTLS_client_method());
	s->client = SSL_new(s->ctx);
	BIO_set_data(b, &s->to_server);
	SSL_set_bio(s->client, b, b);
	SSL_set_options(s->client, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(s->client, mtu);
	SSL_set_connect_state(s->client);
	return s;
}

static void stand_free(struct stand *s)
{
	dtls_destroy(s->server);
	dtls_cookies_destroy(s->cookies);
	SSL_free(s->client);
	SSL_CTX_free(s->ctx);
	free(s);
}

static void server_take(struct stand *s, const uint8_t *data, size_t len)
{
	struct dtls_judged j = dtls_judge(s->cookies, s->now_ns, LISTENER, &s->remote, data, len);

	if (s->server == NULL && j.hello == DTLS_HELLO_BARE) {
		s->verified++;
		assert_true(len > sizeof(j.answer));
		queue_put(&s->to_client, j.answer, sizeof(j.answer));
	} else if (s->server == NULL && j.hello == DTLS_HELLO_PROVEN) {
		unsigned sent = s->to_client.n;

		s->server = dtls_create(context, &s->events);
		assert_non_null(s->server);
		assert_int_equal(s->to_client.n, sent);
	}
	if (s->server != NULL)
		(void)dtls_feed(s->server, data, len);
}

static void exchange(struct stand *s)
{
	for (unsigned i = 0; i < 30; i++) {
		(void)SSL_do_handshake(s->client);
		while (s->to_server.next < s->to_server.n) {
			unsigned k = s->to_server.next++;

			server_take(s, s->to_server.data[k], s->to_server.len[k]);
		}
	}
}

// ---- tests -------------------------------------------------------------------------------------

static void handshake_and_messages(void **state)
{
	struct stand *s = stand_make(1200);
	uint8_t bytes[64];

	(void)state;
	exchange(s);
	assert_true(SSL_is_init_finished(s->client));
	assert_int_equal(s->verified, 1);
	assert_int_equal(SSL_version(s->client), DTLS1_2_VERSION);
	assert_int_equal(SSL_write(s->client, "hello", 5), 5);
	exchange(s);
	assert_int_equal(s->n_messages, 1);
	assert_memory_equal(s->messages[0], "hello", 5);
	assert_int_equal(dtls_send(s->server, (const uint8_t *)"one", 3), 0);
	assert_int_equal(dtls_send(s->server, (const uint8_t *)"two", 3), 0);
	assert_int_equal(SSL_read(s->client, bytes, sizeof(bytes)), 3);
	assert_memory_equal(bytes, "one", 3);
	assert_int_equal(SSL_read(s->client, bytes, sizeof(bytes)), 3);
	assert_memory_equal(bytes, "two", 3);
	dtls_end(s->server);
	assert_int_equal(SSL_read(s->client, bytes, sizeof(bytes)), 0);
	assert_int_equal(SSL_get_error(s->client, 0), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(dtls_send(s->server, bytes, 3), -ENOTCONN);
	stand_free(s);
}

static void split_hellos_are_answered(void **state)
{
	struct stand *s = stand_make(260);
	char name[200];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	SSL_set_tlsext_host_name(s->client, name);
	(void)SSL_do_handshake(s->client);
	// Two fragments at least, of which the first one is answered.
	assert_true(s->to_server.n >= 2);
	exchange(s);
	assert_true(SSL_is_init_finished(s->client));
	assert_int_equal(s->verified, 1);
	stand_free(s);
}

// The message of a datagram with one whole handshake message as two datagrams with a part each.
static size_t fragment(uint8_t *out, const uint8_t *datagram, size_t len, size_t from, size_t to)
{
	size_t n = to - from;

	memcpy(out, datagram, 25);
	// A record of its own.
	out[10] = (uint8_t)(datagram[10] + (from > 0));
	tp_store_be16(out + 11, (uint16_t)(12 + n));
	out[19] = 0;
	tp_store_be16(out + 20, (uint16_t)from);
	out[22] = 0;
	tp_store_be16(out + 23, (uint16_t)n);
	assert_true(25 + to <= len);
	memcpy(out + 25, datagram + 25 + from, n);
	return 25 + n;
}

// A ClientHello of 2,000 bytes in two datagrams, cut at every byte: it is answered if the first one
// has the whole cookie, and keeps nothing otherwise.
static void long_hellos_may_be_cut_anywhere(void **state)
{
	static const uint16_t body = 25;
	uint8_t protocols[1784], hello[DATAGRAM_MAX], part[DATAGRAM_MAX];
	struct stand *s = stand_make(DATAGRAM_MAX - 8);
	size_t len, cookie_end, answered = 0;
	unsigned n;

	(void)state;
	memset(protocols, 'x', sizeof(protocols));
	for (size_t at = 0; at < sizeof(protocols); at += 223)
		protocols[at] = 222;
	memcpy(protocols, "\x09stun.turn\xd4", 11);
	assert_int_equal(SSL_set_alpn_protos(s->client, protocols, sizeof(protocols)), 0);
	(void)SSL_do_handshake(s->client);
	server_take(s, s->to_server.data[0], s->to_server.len[0]);
	(void)SSL_do_handshake(s->client);
	len = s->to_server.len[1];
	memcpy(hello, s->to_server.data[1], len);
	// Length of the message, and no fragment.
	assert_true(len > 2000 && hello[13] == 1 && tp_load_be16(hello + 23) == len - body);
	// Version, random, session, cookie.
	cookie_end = 34;
	cookie_end += 1u + hello[body + cookie_end];
	cookie_end += 1u + hello[body + cookie_end];
	for (size_t cut = 1; cut < len - body; cut++) {
		n = s->to_client.n = s->to_client.next = 0;
		server_take(s, part, fragment(part, hello, len, 0, cut));
		assert_int_equal(s->server != NULL, cut >= cookie_end);
		assert_int_equal(s->to_client.n, n);
		server_take(s, part, fragment(part, hello, len, cut, len - body));
		assert_int_equal(s->to_client.n > n, cut >= cookie_end);
		answered += s->to_client.n > n;
		dtls_destroy(s->server);
		s->server = NULL;
	}
	assert_int_equal(answered, len - body - cookie_end);
	stand_free(s);
}

static void cookies_are_bound_and_grow_old(void **state)
{
	struct stand *s = stand_make(1200);
	struct dtls_judged j;
	struct tp_addr other;
	uint8_t *hello;
	size_t len;

	(void)state;
	(void)SSL_do_handshake(s->client);
	server_take(s, s->to_server.data[0], s->to_server.len[0]);
	assert_null(s->server);
	s->to_server.next = 1;
	(void)SSL_do_handshake(s->client);
	hello = s->to_server.data[1];
	len = s->to_server.len[1];
	j = dtls_judge(s->cookies, s->now_ns, LISTENER, &s->remote, hello, len);
	assert_int_equal(j.hello, DTLS_HELLO_PROVEN);
	assert_memory_equal(j.random, hello + 27, 32);
	j = dtls_judge(s->cookies, s->now_ns + MINUTE_NS, LISTENER, &s->remote, hello, len);
	assert_int_equal(j.hello, DTLS_HELLO_PROVEN);
	j = dtls_judge(s->cookies, s->now_ns + 2 * MINUTE_NS, LISTENER, &s->remote, hello, len);
	assert_int_equal(j.hello, DTLS_HELLO_BARE);
	j = dtls_judge(s->cookies, s->now_ns, LISTENER + 1, &s->remote, hello, len);
	assert_int_equal(j.hello, DTLS_HELLO_BARE);
	other = s->remote;
	other.port_be++;
	j = dtls_judge(s->cookies, s->now_ns, LISTENER, &other, hello, len);
	assert_int_equal(j.hello, DTLS_HELLO_BARE);
	// Each shorter datagram is none, and nothing behind its end is read.
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, hello, n);
		assert_int_equal(
			dtls_judge(s->cookies, s->now_ns, LISTENER, &s->remote, copy, n).hello,
			DTLS_HELLO_NONE);
		free(copy);
	}
	stand_free(s);
}

static void strange_datagrams_change_nothing(void **state)
{
	static const uint8_t record[] = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4};
	struct stand *s = stand_make(1200);

	(void)state;
	exchange(s);
	assert_int_equal(dtls_feed(s->server, record, sizeof(record)), DTLS_OPEN);
	assert_int_equal(dtls_feed(s->server, (const uint8_t *)"x", 1), DTLS_OPEN);
	// A replayed message is not given twice.
	SSL_write(s->client, "hello", 5);
	exchange(s);
	assert_int_equal(dtls_feed(s->server, s->to_server.data[s->to_server.n - 1],
				 s->to_server.len[s->to_server.n - 1]),
		DTLS_OPEN);
	assert_int_equal(s->n_messages, 1);
	SSL_shutdown(s->client);
	exchange(s);
	assert_int_equal(dtls_feed(s->server, record, sizeof(record)), DTLS_ENDED);
	stand_free(s);
}

// Until the server has sent its first flight.
static void begin(struct stand *s)
{
	while (s->server == NULL) {
		(void)SSL_do_handshake(s->client);
		while (s->to_server.next < s->to_server.n) {
			unsigned k = s->to_server.next++;

			server_take(s, s->to_server.data[k], s->to_server.len[k]);
		}
	}
}

// Fault: ten messages of which one byte each had come took 1.1 MB, for a client that had shown a
// cookie and nothing else.
static void messages_to_come_take_little_memory(void **state)
{
	// Of a Certificate of 100,000 bytes.
	uint8_t fragment[RECORD_LEN + 13] = {22, 0xfe, 0xfd, [12] = 13, [13] = 11, 1, 0x86, 0xa0};
	struct stand *s = stand_make(1200);
	size_t before;

	(void)state;
	begin(s);
	before = mallinfo2().uordblks;
	for (uint8_t i = 0; i < 10; i++) {
		fragment[10] = (uint8_t)(100 + i);
		fragment[18] = (uint8_t)(3 + i);
		fragment[24] = 1;
		(void)dtls_feed(s->server, fragment, sizeof(fragment));
	}
	assert_true(mallinfo2().uordblks < before + 300000);
	stand_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_and_messages),
		cmocka_unit_test(split_hellos_are_answered),
		cmocka_unit_test(long_hellos_may_be_cut_anywhere),
		cmocka_unit_test(cookies_are_bound_and_grow_old),
		cmocka_unit_test(strange_datagrams_change_nothing),
		cmocka_unit_test(messages_to_come_take_little_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
