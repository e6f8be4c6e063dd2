// SPDX-License-Identifier: BSD-3-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <turnpike/stun.h>

#include "certificate.h"
#include "internal.h"
#include "world.h"

#define DAY 86400L

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

// ---- limits ------------------------------------------------------------------------------------

// Clauses: 8489 6.2.2-5
static void connections_have_a_limit(void **state)
{
	struct serve_counters counters;
	struct world w = {.unnamed = false};
	int fds[3];

	(void)state;
	world_start(&w, "  connections_per_prefix: 2\n");
	for (size_t i = 0; i < TP_ARRAY_LEN(fds); i++) {
		fds[i] = world_connect(w.ports[0]);
		world_turns(&w, 5);
	}
	world_closed(&w, fds[2]);
	serve_counters_read(w.serve, &counters);
	assert_int_equal(counters.refused[ADMIT_REFUSED_connections_prefix], 1);
	assert_int_equal(serve_connections(w.serve), 2);
	close(fds[0]);
	close(fds[1]);
	world_stop(&w);
}

// Without a descriptor the connection ends; it would wait else, and wake the thread without end.
static void no_descriptor_refuses(void **state)
{
	struct serve_counters counters;
	uint8_t bytes[64];
	struct fake_edge_message m;
	struct world w = {.unnamed = false};
	struct rlimit before, few;
	int fds[256], fd, n = 0;

	(void)state;
	world_start(&w, "");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){TP_ARRAY_LEN(fds), before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	fd = world_connect(w.ports[0]);
	while (n < (int)TP_ARRAY_LEN(fds) && (fds[n] = dup(fd)) >= 0)
		n++;
	assert_true(n < (int)TP_ARRAY_LEN(fds));
	world_closed(&w, fd);
	serve_counters_read(w.serve, &counters);
	assert_int_equal(counters.accept_failed, 1);
	assert_int_equal(counters.accepted, 0);
	while (n > 0)
		close(fds[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	fd = world_connect(w.ports[0]);
	world_write(fd, bytes, world_request(bytes, 1));
	world_take(&w, &m);
	close(fd);
	// Without a spare one at that time, the next connection brings one back.
	close(w.serve->threads[0]->spare_fd);
	w.serve->threads[0]->spare_fd = -1;
	fd = world_connect(w.ports[0]);
	world_write(fd, bytes, world_request(bytes, 1));
	world_take(&w, &m);
	assert_true(w.serve->threads[0]->spare_fd >= 0);
	close(fd);
	world_stop(&w);
}

// The slow one alone loses: its oldest media, and nothing of the other.
static void slow_client_loses_its_own(void **state)
{
	struct fake_edge_message slow, fast;
	struct serve_counters counters;
	uint8_t bytes[2048] = {0x40, 0, 0x04, 0x00};
	struct world w = {.unnamed = false};
	size_t got = 0;
	ssize_t n;
	int a, b;

	(void)state;
	world_start(&w, "  queue_bytes: 65536\n  queue_age_ms: 60000\n");
	a = world_connect(w.ports[0]);
	world_write(a, bytes + 1024, world_request(bytes + 1024, 1));
	world_take(&w, &slow);
	b = world_connect(w.ports[0]);
	world_write(b, bytes + 1024, world_request(bytes + 1024, 2));
	world_take(&w, &fast);
	// More than all buffers of the kernel hold.
	for (unsigned i = 0; i < 16000; i++) {
		world_put(&w, slow.connection, bytes, 1028);
		if (i % 100 == 0)
			world_put(&w, fast.connection, world_media, WORLD_MEDIA_LEN);
		world_turns(&w, 1);
	}
	serve_counters_read(w.serve, &counters);
	assert_true(counters.lost_full > 1000);
	assert_int_equal(counters.lost_late, 0);
	for (unsigned i = 0; i < 1000 && got < 160 * sizeof(world_media); i++) {
		world_turns(&w, 1);
		while ((n = world_read(b, bytes, sizeof(bytes))) > 0)
			got += (size_t)n;
	}
	assert_int_equal(got, 160 * sizeof(world_media));
	close(a);
	close(b);
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

// A pair that does not fit keeps the old one; the next one that fits serves.
static void certificates_are_read_again(void **state)
{
	const char *certificate = world_certificate, *key = world_key;
	struct serve_changes changes;
	struct tls_error err;
	char file[64], other[64];
	struct world_client c;
	struct world w = {.unnamed = false};
	uint64_t expires_s;

	(void)state;
	world_start(&w, "");
	expires_s = serve_expires_s(w.serve, file, sizeof(file));
	assert_string_equal(file, certificate);
	snprintf(other, sizeof(other), "%s/b.pem", world_directory);
	certificate_make(CERTIFICATE_ECDSA, 60 * DAY, other, key);
	assert_int_equal(serve_reload(w.serve, w.conf, &changes, &err), -1);
	assert_non_null(strstr(err.problem, "the key is not that of the certificate"));
	assert_int_equal(serve_expires_s(w.serve, file, sizeof(file)), expires_s);
	world_client_start(&c, w.ports[0]);
	world_client_shake(&w, &c);
	world_client_end(&c);
	assert_int_equal(rename(other, certificate), 0);
	assert_int_equal(serve_reload(w.serve, w.conf, &changes, &err), 0);
	assert_true(serve_expires_s(w.serve, file, sizeof(file)) > expires_s + 29 * DAY);
	world_client_start(&c, w.ports[0]);
	world_client_shake(&w, &c);
	world_client_end(&c);
	world_stop(&w);
}

// A message of the client arrives by the listener.
static void assert_serves(struct world *w, int fd, uint16_t listener_id)
{
	static const uint8_t binding[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	struct fake_edge_message m;

	world_write(fd, binding, sizeof(binding));
	world_take(w, &m);
	assert_int_equal(m.listener_id, listener_id);
}

static bool is_refused(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool refused = connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == ECONNREFUSED;

	close(fd);
	return refused;
}

static struct conf *conf_of(const struct world *w, uint16_t more)
{
	char listeners[512];

	snprintf(listeners, sizeof(listeners),
		"  - {address: 127.0.0.1, transport: tcp, port: %u}\n"
		"  - {address: 127.0.0.1, transport: tls, port: %u}\n"
		"  - {address: 127.0.0.1, transport: tcp, port: %u}\n"
		"  - {address: 127.0.0.1, transport: dtls, port: %u}\n",
		w->ports[0], w->ports[0], more, more);
	return world_conf(listeners, "");
}

// Connections of listeners that stay go on; those of removed ones end.
static void listeners_come_and_go(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_changes changes;
	struct tp_addr added;
	struct tls_error err;
	struct conf *other;
	uint16_t port;
	int stays, leaves, comes;

	(void)state;
	world_start(&w, "");
	world_ports(&port, 1);
	added = tp_addr_ipv4(INADDR_LOOPBACK, port);
	fake_edge_listener(w.link, 30, &added, TP_TRANSPORT_TCP);
	stays = world_connect(w.ports[0]);
	leaves = world_connect(w.ports[3]);
	assert_serves(&w, stays, WORLD_TCP);
	assert_serves(&w, leaves, WORLD_SHARED_TCP);
	other = conf_of(&w, port);
	assert_int_equal(serve_reload(w.serve, other, &changes, &err), 0);
	assert_int_equal(changes.added, 2);
	assert_int_equal(changes.removed, 3);
	assert_false(changes.others);
	world_closed(&w, leaves);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_removed), 1);
	assert_true(is_refused(w.ports[3]));
	assert_serves(&w, stays, WORLD_TCP);
	comes = world_connect(port);
	assert_serves(&w, comes, 30);
	// The same again changes nothing.
	assert_int_equal(serve_reload(w.serve, other, &changes, &err), 0);
	assert_int_equal(changes.added + changes.removed, 0);
	assert_serves(&w, comes, 30);
	close(stays);
	close(comes);
	world_stop(&w);
	conf_free(other);
}

// A tls listener leaves a port whose tcp listener stays: its certificate is no reason to warn, and
// no client gets it.
static void tls_listeners_leave_their_port(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_changes changes;
	struct world_client c;
	char listener[128], file[64];
	struct conf *without;
	struct tls_error err;
	int fd, stays;

	(void)state;
	world_start(&w, "");
	snprintf(listener, sizeof(listener), "  - {address: 127.0.0.1, transport: tcp, port: %u}\n",
		w.ports[0]);
	without = world_conf(listener, "");
	stays = world_connect(w.ports[0]);
	assert_serves(&w, stays, WORLD_TCP);
	world_client_start(&c, w.ports[0]);
	world_client_shake(&w, &c);
	assert_int_equal(serve_reload(w.serve, without, &changes, &err), 0);
	world_closed(&w, c.fd);
	world_client_end(&c);
	// The client on port 0 that came by TLS.
	assert_int_equal(world_closes(&w, SERVE_CLOSE_removed), 1);
	assert_serves(&w, stays, WORLD_TCP);
	close(stays);
	assert_int_equal(serve_expires_s(w.serve, file, sizeof(file)), 0);
	fd = world_connect(w.ports[0]);
	world_write(fd, "\x16\x03\x01\x02", 4);
	world_closed(&w, fd);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_alien), 1);
	close(fd);
	assert_int_equal(serve_reload(w.serve, w.conf, &changes, &err), 0);
	assert_int_not_equal(serve_expires_s(w.serve, file, sizeof(file)), 0);
	world_client_start(&c, w.ports[0]);
	world_client_shake(&w, &c);
	world_client_end(&c);
	world_stop(&w);
	conf_free(without);
}

// Likewise the other way round.
static void tcp_listeners_leave_their_port(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_changes changes;
	struct world_client c;
	char listener[128];
	struct conf *without;
	struct tls_error err;
	int plain, fresh;

	(void)state;
	world_start(&w, "");
	snprintf(listener, sizeof(listener), "  - {address: 127.0.0.1, transport: tls, port: %u}\n",
		w.ports[0]);
	without = world_conf(listener, "");
	plain = world_connect(w.ports[0]);
	assert_serves(&w, plain, WORLD_TCP);
	// It may become one of the other listener yet.
	world_client_start(&c, w.ports[0]);
	world_turns(&w, 2);
	assert_int_equal(serve_reload(w.serve, without, &changes, &err), 0);
	world_closed(&w, plain);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_removed), 1);
	fresh = world_connect(w.ports[0]);
	world_write(fresh, world_media, sizeof(world_media));
	world_closed(&w, fresh);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_alien), 1);
	world_client_shake(&w, &c);
	world_client_end(&c);
	assert_int_equal(serve_reload(w.serve, w.conf, &changes, &err), 0);
	plain = world_connect(w.ports[0]);
	assert_serves(&w, plain, WORLD_TCP);
	close(plain);
	world_stop(&w);
	conf_free(without);
}

// The certificate of a removed listener is no reason to warn.
static void removed_dtls_listeners_have_no_expiry(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_changes changes;
	char listeners[256], file[64];
	struct conf *with, *without;
	struct tls_error err;

	(void)state;
	world_start(&w, "");
	snprintf(listeners, sizeof(listeners),
		"  - {address: 127.0.0.1, transport: tcp, port: %u, proxies: [127.0.0.0/8]}\n"
		"  - {address: 127.0.0.1, transport: dtls, port: %u}\n",
		w.ports[1], w.ports[2]);
	with = world_conf(listeners, "");
	strchr(listeners, '\n')[1] = '\0';
	without = world_conf(listeners, "");
	assert_int_equal(serve_reload(w.serve, with, &changes, &err), 0);
	assert_int_not_equal(serve_expires_s(w.serve, file, sizeof(file)), 0);
	assert_int_equal(serve_reload(w.serve, without, &changes, &err), 0);
	assert_int_equal(serve_expires_s(w.serve, file, sizeof(file)), 0);
	assert_int_equal(serve_reload(w.serve, with, &changes, &err), 0);
	assert_int_not_equal(serve_expires_s(w.serve, file, sizeof(file)), 0);
	world_stop(&w);
	conf_free(with);
	conf_free(without);
}

// All of them, or none.
static void a_listener_that_fails_changes_nothing(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_changes changes;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), stays, other_stays;
	struct tls_error err;
	struct conf *other;

	(void)state;
	assert_int_equal(bind(taken, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(taken, 1), 0);
	assert_int_equal(getsockname(taken, (struct sockaddr *)&at, &len), 0);
	world_start(&w, "");
	other = conf_of(&w, ntohs(at.sin_port));
	stays = world_connect(w.ports[0]);
	assert_int_equal(serve_reload(w.serve, other, &changes, &err), -1);
	assert_non_null(strstr(err.problem, "can't listen"));
	assert_int_equal(changes.added + changes.removed, 0);
	assert_serves(&w, stays, WORLD_TCP);
	other_stays = world_connect(w.ports[3]);
	assert_serves(&w, other_stays, WORLD_SHARED_TCP);
	close(stays);
	close(other_stays);
	close(taken);
	world_stop(&w);
	conf_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_go_both_ways),
		cmocka_unit_test(strangers_are_closed),
		cmocka_unit_test(proxies_name_the_client),
		cmocka_unit_test(unnamed_listeners_serve_nobody),
		cmocka_unit_test(connections_have_a_limit),
		cmocka_unit_test(no_descriptor_refuses),
		cmocka_unit_test(slow_client_loses_its_own),
		cmocka_unit_test(tls_shares_the_port),
		cmocka_unit_test(tls_waits_for_a_slow_reader),
		cmocka_unit_test(hellos_may_be_cut_anywhere),
		cmocka_unit_test(certificates_are_read_again),
		cmocka_unit_test(listeners_come_and_go),
		cmocka_unit_test(tls_listeners_leave_their_port),
		cmocka_unit_test(tcp_listeners_leave_their_port),
		cmocka_unit_test(removed_dtls_listeners_have_no_expiry),
		cmocka_unit_test(a_listener_that_fails_changes_nothing),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
