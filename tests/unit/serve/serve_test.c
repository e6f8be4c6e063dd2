// SPDX-License-Identifier: BSD-3-Clause
// Messages of clients by TCP and TLS, both ways, and clients that are closed.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "internal.h"
#include "world.h"

// ---- plain -------------------------------------------------------------------------------------

// Clauses: 8489 6.2.2-2
static void messages_go_both_ways(void **state)
{
	struct fake_edge_message m;
	struct serve_counters counters;
	uint8_t bytes[64];
	struct world w = {.unnamed = false};
	ssize_t n = 0;
	int fd;

	(void)state;
	world_start(&w, "");
	fd = world_connect(w.ports[0]);
	world_turns(&w, 3);
	// In pieces, two messages in all.
	world_request(bytes, 7);
	world_write(fd, bytes, 1);
	world_turns(&w, 3);
	world_write(fd, bytes + 1, TP_STUN_HEADER_LEN - 1);
	world_write(fd, world_media, sizeof(world_media));
	world_take(&w, &m);
	assert_int_equal(m.listener_id, WORLD_TCP);
	assert_int_equal(m.len, TP_STUN_HEADER_LEN);
	assert_memory_equal(m.data, bytes, TP_STUN_HEADER_LEN);
	world_take(&w, &m);
	assert_int_equal(m.len, WORLD_MEDIA_LEN);
	world_put(&w, m.connection, world_media, WORLD_MEDIA_LEN);
	bytes[0] = 1; // the answer
	world_put(&w, m.connection, bytes, TP_STUN_HEADER_LEN);
	for (unsigned i = 0; i < 1000 && n == 0; i++) {
		world_turns(&w, 1);
		n = world_read(fd, bytes, sizeof(bytes));
	}
	assert_int_equal(n, sizeof(world_media) + TP_STUN_HEADER_LEN);
	assert_memory_equal(bytes, world_media, sizeof(world_media));
	serve_counters_read(w.serve, &counters);
	assert_int_equal(counters.messages_in, 2);
	assert_int_equal(counters.messages_out, 2);
	// Both in one.
	assert_int_equal(counters.writes, 1);
	// The end is the client's to choose.
	world_turns(&w, 3);
	assert_int_equal(world_read(fd, bytes, sizeof(bytes)), 0);
	assert_int_equal(fake_edge_open(w.link), 1);
	close(fd);
	for (unsigned i = 0; i < 1000 && fake_edge_open(w.link) > 0; i++)
		world_turns(&w, 1);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_client), 1);
	world_stop(&w);
}

static void strangers_are_closed(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned port;
		enum serve_close why;
	} rows[] = {
		{"\x80\x01", 2, 0, SERVE_CLOSE_alien},
		{"GET / HTTP/1.1\r\n", 16, 0, SERVE_CLOSE_alien},
		{"\x00\x01\x00\x03garbage", 11, 0, SERVE_CLOSE_garbage},
		{"\x16\x03\x01\x00\x05hello", 10, 0, SERVE_CLOSE_handshake},
		// Plain on a port of TLS, TLS on a port of proxies without their header.
		{"\x00\x01\x00\x00", 4, 2, SERVE_CLOSE_alien},
		{"\x16\x03\x01\x00\x05hello", 10, 1, SERVE_CLOSE_proxy},
	};
	struct world w = {.unnamed = false};

	(void)state;
	world_start(&w, "");
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		uint64_t before = world_closes(&w, rows[i].why);
		int fd = world_connect(w.ports[rows[i].port]);

		world_turns(&w, 1);
		world_write(fd, rows[i].bytes, rows[i].len);
		world_closed(&w, fd);
		assert_int_equal(world_closes(&w, rows[i].why), before + 1);
	}
	world_stop(&w);
}

static void proxies_name_the_client(void **state)
{
	static const char header[] = "PROXY TCP4 192.0.2.9 192.0.2.1 4660 443\r\n";
	struct fake_edge_message m;
	uint8_t bytes[64];
	struct world w = {.unnamed = false};
	int fd;

	(void)state;
	world_start(&w, "");
	fd = world_connect(w.ports[1]);
	world_write(fd, header, 10);
	world_turns(&w, 5);
	world_write(fd, header + 10, sizeof(header) - 11);
	world_write(fd, bytes, world_request(bytes, 1));
	world_take(&w, &m);
	assert_int_equal(m.listener_id, WORLD_PROXIED);
	assert_int_equal(tp_load_be32(m.remote.ip), 0xc0000209);
	assert_int_equal(tp_addr_port(&m.remote), 4660);
	assert_int_equal(m.len, TP_STUN_HEADER_LEN);
	close(fd);
	world_stop(&w);
}

// Moves the begin of a connection back.
static void age(struct world *w, struct ds_list *list, uint64_t ns)
{
	assert_false(ds_list_is_empty(list));
	DS_CONTAINER(list->next, struct conn, timed)->since_ns -= ns;
	world_turns(w, 2);
}

// A request, then the client's end.
static int ask_and_end(struct world *w, struct fake_edge_message *m)
{
	int fd = world_connect(w->ports[0]);
	uint8_t bytes[64];

	world_write(fd, bytes, world_request(bytes, 1));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	world_take(w, m);
	world_turns(w, 20);
	return fd;
}

// Fault: the end of the client's side ended the connection before the answer had come.
static void answers_follow_a_client_that_ended_its_side(void **state)
{
	struct fake_edge_message m;
	uint8_t bytes[64];
	struct world w = {.unnamed = false};
	ssize_t n = 0;
	int fd;

	(void)state;
	world_start(&w, "");
	fd = ask_and_end(&w, &m);
	assert_int_equal(fake_edge_open(w.link), 1);
	// An indication is no answer.
	world_put(&w, m.connection, world_media, WORLD_MEDIA_LEN);
	world_turns(&w, 20);
	assert_int_equal(fake_edge_open(w.link), 1);
	m.data[0] = 1;
	world_put(&w, m.connection, m.data, m.len);
	for (unsigned i = 0; i < 1000 && n < 32; i++) {
		ssize_t k = recv(fd, bytes + n, sizeof(bytes) - (size_t)n, 0);

		world_turns(&w, 1);
		n += k > 0 ? k : 0;
	}
	assert_int_equal(n, sizeof(world_media) + TP_STUN_HEADER_LEN);
	assert_memory_equal(bytes + sizeof(world_media), m.data, m.len);
	world_closed(&w, fd);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_client), 1);
	assert_int_equal(fake_edge_open(w.link), 0);
	world_stop(&w);
}

static void an_answer_is_not_waited_for_without_end(void **state)
{
	struct fake_edge_message m;
	struct world w = {.unnamed = false};
	int fd;

	(void)state;
	world_start(&w, "");
	fd = ask_and_end(&w, &m);
	age(&w, &w.serve->threads[0]->young, 10 * TP_NS_PER_S);
	world_closed(&w, fd);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_client), 1);
	// A client that is gone as a whole is not waited for as soon as the kernel says so.
	fd = ask_and_end(&w, &m);
	close(fd);
	world_put(&w, m.connection, world_media, WORLD_MEDIA_LEN);
	for (unsigned i = 0; i < 1000 && fake_edge_open(w.link) > 0; i++)
		world_turns(&w, 1);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_broken), 1);
	world_stop(&w);
}

static void a_proxy_has_five_seconds(void **state)
{
	static const char header[] = "PROXY TCP4 192.0.2.9 192.0.2.1 4660 443\r\n";
	struct world w = {.unnamed = false};
	struct serve_thread *t;
	int fd;

	(void)state;
	world_start(&w, "  handshake_timeout: 300\n");
	t = w.serve->threads[0];
	fd = world_connect(w.ports[1]);
	world_write(fd, header, 10);
	world_turns(&w, 5);
	age(&w, &t->unnamed, 5 * TP_NS_PER_S);
	world_closed(&w, fd);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_proxy), 1);
	// After the header it is a client as any other.
	fd = world_connect(w.ports[1]);
	world_write(fd, header, sizeof(header) - 1);
	world_turns(&w, 5);
	age(&w, &t->young, 200 * TP_NS_PER_S);
	assert_int_equal(serve_connections(w.serve), 1);
	age(&w, &t->young, 100 * TP_NS_PER_S);
	world_closed(&w, fd);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_handshake_timeout), 1);
	world_stop(&w);
}

static void unnamed_listeners_serve_nobody(void **state)
{
	uint8_t bytes[64];
	struct world w = {.unnamed = true};
	int fd;

	(void)state;
	world_start(&w, "");
	fd = world_connect(w.ports[0]);
	world_write(fd, bytes, world_request(bytes, 1));
	world_closed(&w, fd);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_not_ready), 1);
	world_stop(&w);
}

// ---- TLS ---------------------------------------------------------------------------------------

static void tls_shares_the_port(void **state)
{
	struct fake_edge_message m;
	struct serve_counters counters;
	uint8_t bytes[64];
	struct world_client c;
	struct world w = {.unnamed = false};
	int n = 0;

	(void)state;
	world_start(&w, "");
	world_client_start(&c, w.ports[0]);
	world_client_shake(&w, &c);
	world_request(bytes, 3);
	assert_int_equal(SSL_write(c.ssl, bytes, TP_STUN_HEADER_LEN), TP_STUN_HEADER_LEN);
	world_take(&w, &m);
	assert_int_equal(m.listener_id, WORLD_TLS);
	assert_int_equal(m.len, TP_STUN_HEADER_LEN);
	for (unsigned i = 0; i < 3; i++)
		world_put(&w, m.connection, world_media, WORLD_MEDIA_LEN);
	for (unsigned i = 0; i < 20000 && n <= 0; i++) {
		world_turns(&w, 1);
		n = SSL_read(c.ssl, bytes, sizeof(bytes));
	}
	// Three messages in one record.
	assert_int_equal(n, 3 * sizeof(world_media));
	serve_counters_read(w.serve, &counters);
	assert_int_equal(counters.handshakes, 1);
	world_client_end(&c);
	world_stop(&w);
}

// Fault: it was taken for a long message of ChannelData, and had the time of a handshake to end.
static void http_inside_tls_ends_at_once(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\n\r\n";
	struct world w = {.unnamed = false};
	struct world_client c;

	(void)state;
	world_start(&w, "");
	world_client_start(&c, w.ports[0]);
	world_client_shake(&w, &c);
	assert_int_equal(SSL_write(c.ssl, request, sizeof(request) - 1), sizeof(request) - 1);
	for (unsigned i = 0; i < 20000 && serve_connections(w.serve) > 0; i++)
		world_turns(&w, 1);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_garbage), 1);
	world_client_end(&c);
	world_stop(&w);
}

// The session keeps a record that the socket has no room for; every byte arrives once.
static void tls_waits_for_a_slow_reader(void **state)
{
	struct fake_edge_message m;
	uint8_t bytes[2048] = {0x40, 0, 0x04, 0x00};
	struct serve_counters counters;
	struct world_client c;
	struct world w = {.unnamed = false};
	uint64_t got = 0;
	unsigned quiet = 0;

	(void)state;
	world_start(&w, "  queue_bytes: 4194304\n  queue_age_ms: 60000\n");
	world_client_start(&c, w.ports[2]);
	world_client_shake(&w, &c);
	world_request(bytes + 1100, 3);
	SSL_write(c.ssl, bytes + 1100, TP_STUN_HEADER_LEN);
	world_take(&w, &m);
	assert_int_equal(m.listener_id, WORLD_TLS_ALONE);
	for (unsigned i = 0; i < 12000; i++) {
		world_put(&w, m.connection, bytes, 1028);
		world_turns(&w, i % 7 == 0);
	}
	while (quiet < 2000) {
		int n = SSL_read(c.ssl, bytes, sizeof(bytes));

		world_turns(&w, 1);
		if (n > 0)
			got += (uint64_t)n;
		else
			assert_int_equal(SSL_get_error(c.ssl, n), SSL_ERROR_WANT_READ);
		quiet = n > 0 ? 0 : quiet + 1;
	}
	serve_counters_read(w.serve, &counters);
	assert_int_equal(counters.messages_out, 12000);
	assert_true(got > 1028u * 1000);
	assert_int_equal(got, 1028 * (12000 - counters.lost_full));
	assert_int_equal(got, counters.bytes_out);
	world_client_end(&c);
	world_stop(&w);
}

#define HELLO_MIN 2000u

// A ClientHello as long as those of browsers with post-quantum shares. Returns its length.
static size_t long_hello(uint8_t *out, size_t room)
{
	static const char ours[] = "\x09stun.turn";
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *b = BIO_new(BIO_s_mem()), *none = BIO_new(BIO_s_mem());
	uint8_t protocols[1760] = {0};
	int len;

	memset(protocols, 'x', sizeof(protocols));
	for (size_t at = 0; at + 220 <= sizeof(protocols); at += 220)
		protocols[at] = 219;
	memcpy(protocols + sizeof(protocols) - 220, ours, sizeof(ours) - 1);
	protocols[sizeof(protocols) - 220 + sizeof(ours) - 1] = (uint8_t)(220 - sizeof(ours));
	assert_int_equal(SSL_set_alpn_protos(ssl, protocols, sizeof(protocols)), 0);
	SSL_set_bio(ssl, none, b);
	SSL_set_connect_state(ssl);
	assert_int_equal(SSL_do_handshake(ssl), -1);
	len = BIO_read(b, out, (int)room);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	assert_true(len > (int)HELLO_MIN && len < (int)room);
	return (size_t)len;
}

static void hello_is_answered(
	struct world *w, unsigned port, const uint8_t *hello, size_t len, size_t first)
{
	uint8_t answer[5] = {0};
	int fd = world_connect(w->ports[port]);
	ssize_t n = 0;

	world_turns(w, 1);
	world_write(fd, hello, first);
	world_turns(w, 1);
	if (world_read(fd, answer, sizeof(answer)) != 0)
		fail_msg("%zu bytes of a ClientHello are answered", first);
	world_write(fd, hello + first, len - first);
	for (unsigned i = 0; i < 10000 && n == 0; i++) {
		world_turns(w, 1);
		n = world_read(fd, answer, sizeof(answer));
	}
	// A record of the handshake, not an alert.
	if (n != sizeof(answer) || answer[0] != 22)
		fail_msg("a ClientHello cut at %zu is not answered", first);
	close(fd);
	world_turns(w, 2);
}

// With backends the whole of it is looked at first.
static void hellos_may_be_cut_anywhere(void **state)
{
	struct world w = {
		.unnamed = false,
		.shared_tls =
			", backends: [{names: [www.example.org], address: 127.0.0.1, port: 9}]",
	};
	uint8_t hello[4096];
	size_t len = long_hello(hello, sizeof(hello));

	(void)state;
	world_start(&w, "  handshake_rate: 0\n  handshake_rate_per_prefix: 0\n");
	for (size_t first = 1; first < len; first++) {
		hello_is_answered(&w, 0, hello, len, first);
		// The unit test of the reader has every length.
		if (first % 13 == 1)
			hello_is_answered(&w, 3, hello, len, first);
	}
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_go_both_ways),
		cmocka_unit_test(strangers_are_closed),
		cmocka_unit_test(proxies_name_the_client),
		cmocka_unit_test(answers_follow_a_client_that_ended_its_side),
		cmocka_unit_test(an_answer_is_not_waited_for_without_end),
		cmocka_unit_test(a_proxy_has_five_seconds),
		cmocka_unit_test(unnamed_listeners_serve_nobody),
		cmocka_unit_test(tls_shares_the_port),
		cmocka_unit_test(http_inside_tls_ends_at_once),
		cmocka_unit_test(tls_waits_for_a_slow_reader),
		cmocka_unit_test(hellos_may_be_cut_anywhere),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
