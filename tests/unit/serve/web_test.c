// SPDX-License-Identifier: BSD-3-Clause
// Plain HTTP and WebSockets, on a plain port and inside TLS.
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <turnpike/stun.h>

#include "internal.h"
#include "world.h"

#define REQUEST                                                                                    \
	"GET /turn HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"           \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ORIGIN "Origin: https://app.example.org\r\n"
#define ANSWER                                                                                     \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"        \
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
#define WEBSOCKET ", websocket: {path: /turn, origins: [\"https://app.example.org\"]}"

// One of both.
struct end {
	int fd;
	struct world_client *tls; // NULL: plain
};

static void end_write(struct end *e, const void *bytes, size_t len)
{
	if (e->tls == NULL)
		world_write(e->fd, bytes, len);
	else
		assert_int_equal(SSL_write(e->tls->ssl, bytes, (int)len), len);
}

static void end_read(struct world *w, struct end *e, void *out, size_t len)
{
	size_t got = 0;

	for (unsigned i = 0; i < 20000 && got < len; i++) {
		char *at = (char *)out + got;
		ssize_t n;

		world_turns(w, 1);
		n = e->tls == NULL ? world_read(e->fd, at, len - got)
				   : SSL_read(e->tls->ssl, at, (int)(len - got));
		got += n > 0 ? (size_t)n : 0;
		if (n <= 0)
			usleep(100);
	}
	assert_int_equal(got, len);
}

// A masked frame; the mask is 1 2 3 4.
static void frame_write(struct end *e, uint8_t first, const uint8_t *payload, size_t len)
{
	uint8_t out[160] = {first, (uint8_t)(0x80 | len), 1, 2, 3, 4};

	for (size_t i = 0; i < len; i++)
		out[6 + i] = payload[i] ^ (uint8_t)(i % 4 + 1);
	end_write(e, out, 6 + len);
}

// Three messages and a close.
static void frames_write(struct end *e)
{
	uint8_t bytes[3 * (6 + sizeof(world_media)) + 6 + 2], *at = bytes;

	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *payload = i < 3 ? world_media : (const uint8_t *)"\x03\xe8";
		size_t len = i < 3 ? sizeof(world_media) : 2;
		const uint8_t head[] = {i < 3 ? 0x82 : 0x88, (uint8_t)(0x80 | len), 1, 2, 3, 4};

		memcpy(at, head, sizeof(head));
		at += sizeof(head);
		for (size_t k = 0; k < len; k++)
			*at++ = payload[k] ^ (uint8_t)(k % 4 + 1);
	}
	end_write(e, bytes, sizeof(bytes));
}

static void frame_expect(
	struct world *w, struct end *e, uint8_t first, const void *payload, size_t len)
{
	uint8_t got[160];

	end_read(w, e, got, 2 + len);
	assert_int_equal(got[0], first);
	assert_int_equal(got[1], len);
	assert_memory_equal(got + 2, payload, len);
}

// Two messages in three frames, answers, a ping, and the end.
static void session(struct world *w, struct end *e, uint16_t listener_id)
{
	uint8_t bytes[TP_STUN_HEADER_LEN + sizeof(world_media)] = {
		0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	struct fake_edge_message m;
	char answer[sizeof(ANSWER)];

	memcpy(bytes + TP_STUN_HEADER_LEN, world_media, sizeof(world_media));
	end_write(e, REQUEST ORIGIN "\r\n", sizeof(REQUEST ORIGIN "\r\n") - 1);
	end_read(w, e, answer, sizeof(ANSWER) - 1);
	assert_memory_equal(answer, ANSWER, sizeof(ANSWER) - 1);
	frame_write(e, 0x02, bytes, 7);
	frame_write(e, 0x00, bytes + 7, 20);
	frame_write(e, 0x80, bytes + 27, sizeof(bytes) - 27);
	world_take(w, &m);
	assert_int_equal(m.listener_id, listener_id);
	assert_int_equal(m.len, TP_STUN_HEADER_LEN);
	assert_memory_equal(m.data, bytes, TP_STUN_HEADER_LEN);
	assert_int_equal(
		fake_edge_flags(edge_link_thread(w->link, 0), m.connection), TP_REPORT_FRAMED);
	world_take(w, &m);
	assert_int_equal(m.len, WORLD_MEDIA_LEN);
	world_put(w, m.connection, world_media, WORLD_MEDIA_LEN);
	frame_expect(w, e, 0x82, world_media, sizeof(world_media));
	frame_write(e, 0x89, (const uint8_t *)"are you there", 13);
	frame_expect(w, e, 0x8a, "are you there", 13);
	frame_write(e, 0x88, (const uint8_t *)"\x03\xe8", 2);
	frame_expect(w, e, 0x88, "\x03\xe8", 2);
	for (unsigned i = 0; i < 20000 && serve_connections(w->serve) > 0; i++)
		world_turns(w, 1);
	assert_int_equal(world_closes(w, SERVE_CLOSE_client), 1);
}

static void websocket_plain(void **state)
{
	struct world w = {.shared_tcp = WEBSOCKET};
	struct end e = {.tls = NULL};

	(void)state;
	world_start(&w, "");
	e.fd = world_connect(w.ports[3]);
	world_turns(&w, 2);
	session(&w, &e, WORLD_SHARED_TCP);
	close(e.fd);
	world_stop(&w);
}

static void websocket_in_tls(void **state)
{
	struct world w = {.shared_tls = WEBSOCKET};
	struct world_client c;
	struct end e = {.tls = &c};
	const unsigned char *chosen;
	unsigned n;

	(void)state;
	world_start(&w, "");
	world_client_start(&c, w.ports[3]);
	SSL_set_alpn_protos(c.ssl, (const uint8_t *)"\x08http/1.1", 9);
	world_client_shake(&w, &c);
	SSL_get0_alpn_selected(c.ssl, &chosen, &n);
	assert_int_equal(n, 8);
	session(&w, &e, WORLD_SHARED_TLS);
	world_client_end(&c);
	world_stop(&w);
}

// The messages before a Close find no room yet: they go first.
static void a_close_waits_for_held_messages(void **state)
{
	struct world w = {.shared_tcp = WEBSOCKET};
	struct end e = {.tls = NULL};
	struct fake_edge_message m;
	char answer[sizeof(ANSWER)];

	(void)state;
	world_start(&w, "");
	e.fd = world_connect(w.ports[3]);
	world_turns(&w, 2);
	end_write(&e, REQUEST ORIGIN "\r\n", sizeof(REQUEST ORIGIN "\r\n") - 1);
	end_read(&w, &e, answer, sizeof(ANSWER) - 1);
	fake_edge_set_room(w.link, 1);
	// In one piece.
	frames_write(&e);
	for (unsigned i = 0; i < 20; i++) {
		world_turns(&w, 1);
		usleep(100);
	}
	assert_true(fake_edge_take(w.link, &m));
	assert_false(fake_edge_take(w.link, &m));
	assert_int_equal(serve_connections(w.serve), 1);
	fake_edge_set_room(w.link, UINT32_MAX);
	for (unsigned i = 0; i < 2; i++) {
		world_take(&w, &m);
		assert_int_equal(m.len, WORLD_MEDIA_LEN);
	}
	for (unsigned i = 0; i < 20000 && serve_connections(w.serve) > 0; i++)
		world_turns(&w, 1);
	frame_expect(&w, &e, 0x88, "\x03\xe8", 2);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_client), 1);
	close(e.fd);
	world_stop(&w);
}

// The edge waits for the client's end.
static void closes_reach(struct world *w, uint64_t n)
{
	for (unsigned i = 0; i < 20000 && world_closes(w, SERVE_CLOSE_http) < n; i++) {
		world_turns(w, 1);
		usleep(100);
	}
	assert_int_equal(world_closes(w, SERVE_CLOSE_http), n);
}

static void requests_are_refused(void **state)
{
	static const struct {
		const char *request;
		const char *answer;
	} rows[] = {
		{REQUEST "Origin: https://evil.example\r\n\r\n", "HTTP/1.1 403 "},
		{REQUEST "Sec-WebSocket-Key: x\r\n\r\n", "HTTP/1.1 400 "},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 "},
		{"GET /turn HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 426 "},
	};
	struct world w = {.shared_tcp = WEBSOCKET};

	(void)state;
	world_start(&w, "");
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct end e = {.fd = world_connect(w.ports[3])};
		char got[16];

		world_turns(&w, 2);
		end_write(&e, rows[i].request, strlen(rows[i].request));
		end_read(&w, &e, got, strlen(rows[i].answer));
		assert_memory_equal(got, rows[i].answer, strlen(rows[i].answer));
		world_closed(&w, e.fd);
		closes_reach(&w, i + 1);
	}
	world_stop(&w);
}

// A client that still sends gets the answer and an end, and no reset; one that never ends is
// closed.
static void the_answer_is_followed_by_an_end(void **state)
{
	static const char request[] = "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
			  want[] = "HTTP/1.1 400 ";
	static const char body[20000];
	struct world w = {.shared_tcp = WEBSOCKET, .shared_tls = WEBSOCKET};
	struct serve_thread *t;
	struct world_client c;
	struct end e = {.tls = NULL}, secure = {.tls = &c};
	char got[512];
	ssize_t n = 1;

	(void)state;
	world_start(&w, "");
	t = w.serve->threads[0];
	e.fd = world_connect(w.ports[3]);
	world_turns(&w, 2);
	end_write(&e, request, sizeof(request) - 1);
	end_write(&e, body, sizeof(body));
	world_turns(&w, 50);
	end_write(&e, body, sizeof(body));
	world_turns(&w, 50);
	end_read(&w, &e, got, sizeof(want) - 1);
	assert_memory_equal(got, want, sizeof(want) - 1);
	while (n > 0)
		n = recv(e.fd, got, sizeof(got), 0);
	assert_int_equal(n, 0);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_http), 0);
	DS_CONTAINER(t->young.next, struct conn, timed)->since_ns -= 10 * TP_NS_PER_S;
	closes_reach(&w, 1);
	close(e.fd);
	world_client_start(&c, w.ports[3]);
	world_client_shake(&w, &c);
	end_write(&secure, request, sizeof(request) - 1);
	end_read(&w, &secure, got, sizeof(want) - 1);
	assert_memory_equal(got, want, sizeof(want) - 1);
	for (unsigned i = 0; i < 20000 && SSL_get_shutdown(c.ssl) == 0; i++) {
		world_turns(&w, 1);
		(void)SSL_read(c.ssl, got, sizeof(got));
	}
	assert_int_equal(SSL_get_shutdown(c.ssl), SSL_RECEIVED_SHUTDOWN);
	world_client_end(&c);
	closes_reach(&w, 2);
	world_stop(&w);
}

// The code of the fault comes back, then the end.
static void faults_are_told(void **state)
{
	struct world w = {.shared_tcp = WEBSOCKET};
	char answer[sizeof(ANSWER)];
	struct end e = {.tls = NULL};

	(void)state;
	world_start(&w, "");
	e.fd = world_connect(w.ports[3]);
	world_turns(&w, 2);
	end_write(&e, REQUEST "\r\n", sizeof(REQUEST "\r\n") - 1);
	end_read(&w, &e, answer, sizeof(ANSWER) - 1);
	frame_write(&e, 0x81, (const uint8_t *)"text", 4);
	frame_expect(&w, &e, 0x88, "\x03\xeb", 2);
	world_closed(&w, e.fd);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_garbage), 1);
	world_stop(&w);
}

// ---- plain backends -----------------------------------------------------------------------------

static int backend_open(char keys[160], const char *more)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(listen(fd, 8), 0);
	snprintf(keys, 160, ", backends: [{plain: true, address: 127.0.0.1, port: %u}]%s",
		ntohs(at.sin_port), more);
	return fd;
}

static int backend_take(struct world *w, int listening)
{
	int fd = -1;

	for (unsigned i = 0; i < 20000 && fd < 0; i++) {
		world_turns(w, 1);
		fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			usleep(100);
	}
	assert_true(fd >= 0);
	return fd;
}

// A request, an answer, and the client's end of TLS, which the backend sees.
static void page(struct world *w, struct end *e, int listening)
{
	static const char request[] = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
	struct end backend = {.tls = NULL};
	char got[64];

	end_write(e, request, sizeof(request) - 1);
	backend.fd = backend_take(w, listening);
	end_read(w, &backend, got, sizeof(request) - 1);
	assert_memory_equal(got, request, sizeof(request) - 1);
	end_write(&backend, "a page", 6);
	end_read(w, e, got, 6);
	assert_memory_equal(got, "a page", 6);
	if (e->tls != NULL)
		SSL_shutdown(e->tls->ssl);
	else
		shutdown(e->fd, SHUT_WR);
	world_closed(w, backend.fd);
}

static void pages_of_a_plain_backend(void **state)
{
	char tcp[160], tls[160];
	int listening[] = {backend_open(tcp, ""), backend_open(tls, WEBSOCKET)};
	struct world w = {.shared_tcp = tcp, .shared_tls = tls};
	struct world_client c;
	struct end plain = {.tls = NULL}, secure = {.tls = &c};

	(void)state;
	world_start(&w, "");
	plain.fd = world_connect(w.ports[3]);
	world_turns(&w, 2);
	page(&w, &plain, listening[0]);
	world_client_start(&c, w.ports[3]);
	world_client_shake(&w, &c);
	page(&w, &secure, listening[1]);
	world_client_end(&c);
	close(plain.fd);
	close(listening[0]);
	close(listening[1]);
	world_stop(&w);
}

static bool is_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 0) == 1;
}

// A page ends as the socket has just become full: its end follows once the client reads.
static void end_waits_for_room(void **state)
{
	static uint8_t bytes[65536];
	char tls[160];
	int listening = backend_open(tls, ""), fd;
	struct world w = {.shared_tls = tls};
	struct world_client c;
	size_t sent = 0, got = 0;
	const struct conn *conn;

	(void)state;
	world_start(&w, "");
	world_client_start(&c, w.ports[3]);
	world_client_shake(&w, &c);
	assert_int_equal(SSL_write(c.ssl, "GET /", 5), 5);
	fd = backend_take(&w, listening);
	world_turns(&w, 5);
	conn = DS_CONTAINER(w.serve->threads[0]->idle.next, struct conn, timed);
	while (is_writable(conn->fd)) {
		assert_int_equal(send(fd, bytes, 1000, MSG_NOSIGNAL), 1000);
		sent += 1000;
		world_turns(&w, 2);
	}
	shutdown(fd, SHUT_WR);
	world_turns(&w, 50);
	for (unsigned i = 0; i < 20000 && SSL_get_shutdown(c.ssl) == 0; i++) {
		int n = SSL_read(c.ssl, bytes, sizeof(bytes));

		got += n > 0 ? (size_t)n : 0;
		world_turns(&w, 1);
		if (n <= 0)
			usleep(100);
	}
	assert_int_equal(got, sent);
	assert_int_equal(SSL_get_shutdown(c.ssl), SSL_RECEIVED_SHUTDOWN);
	world_client_end(&c);
	close(fd);
	close(listening);
	world_stop(&w);
}

// TURN on a port that takes HTTP, too.
static void turn_stays(void **state)
{
	char tcp[160], tls[160];
	int listening[] = {backend_open(tcp, WEBSOCKET), backend_open(tls, "")};
	uint8_t request[TP_STUN_HEADER_LEN] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	struct world w = {.shared_tcp = tcp, .shared_tls = tls};
	struct fake_edge_message m;
	struct world_client c;
	int fd;

	(void)state;
	world_start(&w, "");
	fd = world_connect(w.ports[3]);
	world_write(fd, request, sizeof(request));
	world_take(&w, &m);
	assert_int_equal(m.listener_id, WORLD_SHARED_TCP);
	assert_memory_equal(m.data, request, sizeof(request));
	world_client_start(&c, w.ports[3]);
	world_client_shake(&w, &c);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(SSL_write(c.ssl, request, sizeof(request)), sizeof(request));
		world_take(&w, &m);
		assert_int_equal(m.listener_id, WORLD_SHARED_TLS);
		assert_memory_equal(m.data, request, sizeof(request));
	}
	world_client_end(&c);
	close(fd);
	close(listening[0]);
	close(listening[1]);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(websocket_plain),
		cmocka_unit_test(websocket_in_tls),
		cmocka_unit_test(a_close_waits_for_held_messages),
		cmocka_unit_test(requests_are_refused),
		cmocka_unit_test(the_answer_is_followed_by_an_end),
		cmocka_unit_test(faults_are_told),
		cmocka_unit_test(pages_of_a_plain_backend),
		cmocka_unit_test(end_waits_for_room),
		cmocka_unit_test(turn_stays),
	};

	return cmocka_run_group_tests_name("serve web", tests, world_setup, world_teardown);
}
