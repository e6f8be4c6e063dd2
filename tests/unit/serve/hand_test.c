// SPDX-License-Identifier: BSD-3-Clause
// Connections pass from one process to the next.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "world.h"

#define PATIENCE 20000u // turns

struct pair {
	struct world before, after;
	bool refuses; // the next process can't be told
	unsigned n;
};

// As over a socket.
static bool pass(void *ctx, const uint8_t *bytes, size_t len, int fd, int far)
{
	struct pair *p = ctx;

	if (p->refuses)
		return false;
	p->n++;
	return serve_take(p->after.serve, bytes, len, fcntl(fd, F_DUPFD_CLOEXEC, 0),
		far >= 0 ? fcntl(far, F_DUPFD_CLOEXEC, 0) : -1);
}

static void hand_over(struct pair *p)
{
	const struct serve_next to = {.ctx = p, .connection = pass};
	int shown = serve_hand(p->before.serve, &to);

	assert_int_equal(shown, p->n);
	assert_int_equal(serve_leave(p->before.serve, &to), shown);
}

static void both_turn(struct pair *p)
{
	for (unsigned i = 0; i < 4; i++) {
		world_turns(&p->before, 1);
		world_turns(&p->after, 1);
	}
}

static void take(struct pair *p, struct fake_edge_message *m)
{
	for (unsigned i = 0; i < PATIENCE; i++) {
		both_turn(p);
		if (fake_edge_take(p->after.link, m))
			return;
	}
	fail_msg("no message");
}

// The first message of a plain connection is a request; `from` to `to` of its bytes.
static void write_request(int fd, size_t from, size_t to)
{
	uint8_t bytes[TP_STUN_HEADER_LEN];

	(void)world_request(bytes, 1);
	world_write(fd, bytes + from, to - from);
}

static void start(struct pair *p)
{
	*p = (struct pair){.n = 0};
	world_start(&p->before, "");
	world_next(&p->after, &p->before);
}

static void stop(struct pair *p)
{
	world_next_stop(&p->after);
	world_stop(&p->before);
}

static size_t read_some(struct pair *p, int fd, uint8_t *out, size_t room)
{
	for (unsigned i = 0; i < PATIENCE; i++) {
		ssize_t n = world_read(fd, out, room);

		if (n > 0)
			return (size_t)n;
		both_turn(p);
	}
	fail_msg("nothing comes");
	return 0;
}

// With half of a message read, and another one that the client has not been sent.
static void a_plain_one_moves(void **state)
{
	struct fake_edge_message m;
	struct pair p;
	uint8_t bytes[64];
	uint64_t connection;
	int fd;

	(void)state;
	start(&p);
	fd = world_connect(p.before.ports[0]);
	write_request(fd, 0, TP_STUN_HEADER_LEN);
	world_take(&p.before, &m);
	connection = m.connection;
	world_write(fd, world_media, 5);
	world_turns(&p.before, 3);
	hand_over(&p);
	assert_int_equal(p.n, 1);
	assert_int_equal(serve_connections(p.before.serve), 0);
	assert_int_equal(serve_connections(p.after.serve), 1);
	world_write(fd, world_media + 5, sizeof(world_media) - 5);
	take(&p, &m);
	assert_true(m.connection == connection && m.listener_id == WORLD_TCP);
	assert_int_equal(m.len, WORLD_MEDIA_LEN);
	world_put(&p.after, connection, world_media, WORLD_MEDIA_LEN);
	assert_int_equal(read_some(&p, fd, bytes, sizeof(bytes)), sizeof(world_media));
	assert_memory_equal(bytes, world_media, sizeof(world_media));
	close(fd);
	// The end of the one is of no meaning to the other.
	edge_link_close(edge_link_thread(p.before.link, 0), connection);
	stop(&p);
}

// The client has ended its side, and waits for the answer to its request.
static void half_of_one_moves(void **state)
{
	struct fake_edge_message m;
	struct pair p;
	uint8_t bytes[64];
	int fd;

	(void)state;
	start(&p);
	fd = world_connect(p.before.ports[0]);
	write_request(fd, 0, TP_STUN_HEADER_LEN);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	world_take(&p.before, &m);
	world_turns(&p.before, 20);
	hand_over(&p);
	for (unsigned i = 0; i < 5; i++)
		both_turn(&p);
	assert_int_equal(serve_connections(p.after.serve), 1);
	m.data[0] = 1;
	world_put(&p.after, m.connection, m.data, m.len);
	assert_int_equal(read_some(&p, fd, bytes, sizeof(bytes)), m.len);
	assert_memory_equal(bytes, m.data, m.len);
	world_closed(&p.after, fd);
	edge_link_close(edge_link_thread(p.before.link, 0), m.connection);
	stop(&p);
}

static void tls_stays_and_its_messages_move(void **state)
{
	struct fake_edge_message m;
	struct world_client c;
	struct pair p;
	uint8_t bytes[64];
	uint64_t connection;
	int n = 0;

	(void)state;
	start(&p);
	world_client_start(&c, p.before.ports[0]);
	world_client_shake(&p.before, &c);
	assert_int_equal(SSL_write(c.ssl, world_media, sizeof(world_media)), sizeof(world_media));
	world_take(&p.before, &m);
	connection = m.connection;
	assert_int_equal(SSL_write(c.ssl, world_media, 5), 5);
	world_turns(&p.before, 3);
	hand_over(&p);
	assert_int_equal(serve_connections(p.before.serve), 1);
	assert_int_equal(serve_connections(p.after.serve), 1);
	assert_int_equal(SSL_write(c.ssl, world_media + 5, sizeof(world_media) - 5),
		sizeof(world_media) - 5);
	take(&p, &m);
	assert_true(m.connection == connection && m.listener_id == WORLD_TLS);
	world_put(&p.after, connection, world_media, WORLD_MEDIA_LEN);
	for (unsigned i = 0; i < PATIENCE && n <= 0; i++) {
		both_turn(&p);
		n = SSL_read(c.ssl, bytes, sizeof(bytes));
	}
	assert_int_equal(n, sizeof(world_media));
	// Its end goes the same way.
	edge_link_close(edge_link_thread(p.before.link, 0), connection);
	world_client_end(&c);
	for (unsigned i = 0; i < PATIENCE && serve_connections(p.after.serve) > 0; i++)
		both_turn(&p);
	assert_int_equal(serve_connections(p.before.serve), 0);
	assert_int_equal(serve_connections(p.after.serve), 0);
	stop(&p);
}

// A client that the old process has not looked at yet, and one in the middle of its handshake.
static void those_that_have_not_begun_move(void **state)
{
	struct fake_edge_message m;
	struct world_client c;
	struct pair p;
	int fd;

	(void)state;
	start(&p);
	fd = world_connect(p.before.ports[0]);
	world_turns(&p.before, 3);
	world_client_start(&c, p.before.ports[2]);
	(void)SSL_do_handshake(c.ssl);
	world_turns(&p.before, 3);
	hand_over(&p);
	assert_int_equal(p.n, 1);
	write_request(fd, 0, TP_STUN_HEADER_LEN);
	take(&p, &m);
	assert_int_equal(m.listener_id, WORLD_TCP);
	for (unsigned i = 0; i < PATIENCE && SSL_do_handshake(c.ssl) != 1; i++)
		both_turn(&p);
	assert_int_equal(SSL_write(c.ssl, world_media, sizeof(world_media)), sizeof(world_media));
	take(&p, &m);
	assert_int_equal(m.listener_id, WORLD_TLS_ALONE);
	assert_int_equal(p.n, 2);
	// The listening sockets are the new one's.
	close(fd);
	fd = world_connect(p.before.ports[0]);
	write_request(fd, 0, TP_STUN_HEADER_LEN);
	take(&p, &m);
	assert_int_equal(serve_connections(p.before.serve), 1);
	close(fd);
	world_client_end(&c);
	stop(&p);
}

static void a_failure_changes_nothing(void **state)
{
	struct fake_edge_message m;
	struct world_client c;
	struct pair p;
	int fd;

	(void)state;
	start(&p);
	world_client_start(&c, p.before.ports[0]);
	world_client_shake(&p.before, &c);
	fd = world_connect(p.before.ports[0]);
	write_request(fd, 0, 5);
	world_turns(&p.before, 3);
	p.refuses = true;
	assert_int_equal(
		serve_hand(p.before.serve, &(struct serve_next){.ctx = &p, .connection = pass}),
		-1);
	serve_stay(p.before.serve);
	write_request(fd, 5, TP_STUN_HEADER_LEN);
	world_take(&p.before, &m);
	assert_int_equal(m.listener_id, WORLD_TCP);
	assert_int_equal(SSL_write(c.ssl, world_media, sizeof(world_media)), sizeof(world_media));
	world_take(&p.before, &m);
	assert_int_equal(m.listener_id, WORLD_TLS);
	close(fd);
	world_client_end(&c);
	stop(&p);
}

// Fault: a process that was refused, and has not ended yet, has the socket too, so that the events
// of a connection that was closed went on.
static void a_closed_one_has_no_events(void **state)
{
	struct serve_next to;
	struct fake_edge_message m;
	struct epoll_event event;
	struct pair p;
	int fd;

	(void)state;
	start(&p);
	to = (struct serve_next){.ctx = &p, .connection = pass};
	fd = world_connect(p.before.ports[0]);
	write_request(fd, 0, TP_STUN_HEADER_LEN);
	world_take(&p.before, &m);
	assert_int_equal(serve_hand(p.before.serve, &to), 1);
	serve_stay(p.before.serve);
	conn_close(DS_CONTAINER(p.before.serve->threads[0]->idle.next, struct conn, timed),
		SERVE_CLOSE_idle_timeout);
	world_write(fd, world_media, sizeof(world_media));
	assert_int_equal(epoll_wait(p.before.serve->threads[0]->epoll_fd, &event, 1, 0), 0);
	world_turns(&p.before, 2);
	close(fd);
	stop(&p);
}

static void some_of_a_request_is_read(size_t cut, bool tls)
{
	static const char request[] = "GET /turn HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
				      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
				      "Origin: https://app.example.org\r\n\r\n";
	static const char keys[] =
		", websocket: {path: /turn, origins: [\"https://app.example.org\"]}";
	size_t rest = sizeof(request) - 1 - cut;
	struct pair p = {.before = {.shared_tcp = keys, .shared_tls = keys}};
	struct world_client c;
	char answer[512] = "";
	int fd = -1, n = 0;

	world_start(&p.before, "");
	world_next(&p.after, &p.before);
	if (tls) {
		world_client_start(&c, p.before.ports[3]);
		world_client_shake(&p.before, &c);
		assert_int_equal(SSL_write(c.ssl, request, (int)cut), cut);
	} else {
		fd = world_connect(p.before.ports[3]);
		world_write(fd, request, cut);
	}
	world_turns(&p.before, 3);
	hand_over(&p);
	assert_int_equal(p.n, 1);
	if (tls)
		assert_int_equal(SSL_write(c.ssl, request + cut, (int)rest), rest);
	else
		world_write(fd, request + cut, rest);
	for (unsigned i = 0; i < PATIENCE && n <= 0; i++) {
		both_turn(&p);
		n = tls ? SSL_read(c.ssl, answer, sizeof(answer) - 1)
			: (int)world_read(fd, answer, sizeof(answer) - 1);
	}
	assert_true(n > 0);
	assert_memory_equal(answer, "HTTP/1.1 101 ", 13);
	if (tls)
		world_client_end(&c);
	else
		close(fd);
	stop(&p);
}

// Of a WebSocket's begin.
static void half_a_request_moves(void **state)
{
	static const size_t cuts[] = {1, 4, 20, 100, 170};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(cuts); i++) {
		some_of_a_request_is_read(cuts[i], false);
		some_of_a_request_is_read(cuts[i], true);
	}
}

// A client that waits for the answer to its ConnectionBind does so still, without being read.
static void one_that_asked_to_be_joined_moves(void **state)
{
	struct fake_edge_message m;
	uint8_t bytes[TP_STUN_HEADER_LEN];
	uint64_t connection;
	struct pair p;
	int fd;

	(void)state;
	start(&p);
	fd = world_connect(p.before.ports[0]);
	(void)world_request(bytes, 1);
	tp_store_be16(bytes, CONNECTION_BIND);
	world_write(fd, bytes, sizeof(bytes));
	world_take(&p.before, &m);
	connection = m.connection;
	hand_over(&p);
	assert_int_equal(p.n, 1);
	write_request(fd, 0, TP_STUN_HEADER_LEN);
	both_turn(&p);
	assert_false(fake_edge_take(p.after.link, &m));
	tp_store_be16(bytes, CONNECTION_BIND_ERROR);
	world_put(&p.after, connection, bytes, sizeof(bytes));
	take(&p, &m);
	assert_true(m.connection == connection && m.len == TP_STUN_HEADER_LEN);
	close(fd);
	edge_link_close(edge_link_thread(p.before.link, 0), connection);
	stop(&p);
}

// Each session of TLS needs a pair of sockets.
static void without_descriptors_all_stay(void **state)
{
	struct fake_edge_message m;
	struct world_client c;
	struct rlimit limit, less;
	struct pair p;

	(void)state;
	start(&p);
	world_client_start(&c, p.before.ports[0]);
	world_client_shake(&p.before, &c);
	world_turns(&p.before, 3);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	less = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
	errno = 0;
	assert_int_equal(
		serve_hand(p.before.serve, &(struct serve_next){.ctx = &p, .connection = pass}),
		-1);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	serve_stay(p.before.serve);
	assert_int_equal(SSL_write(c.ssl, world_media, sizeof(world_media)), sizeof(world_media));
	world_take(&p.before, &m);
	assert_int_equal(m.listener_id, WORLD_TLS);
	world_client_end(&c);
	stop(&p);
}

static void strange_bytes_are_refused(void **state)
{
	static const uint8_t zeros[80];
	struct pair p;

	(void)state;
	start(&p);
	assert_false(serve_take(p.after.serve, zeros, sizeof(zeros), -1, -1));
	assert_false(serve_take(p.after.serve, zeros, 3, -1, -1));
	stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_one_moves),
		cmocka_unit_test(half_of_one_moves),
		cmocka_unit_test(tls_stays_and_its_messages_move),
		cmocka_unit_test(those_that_have_not_begun_move),
		cmocka_unit_test(half_a_request_moves),
		cmocka_unit_test(a_failure_changes_nothing),
		cmocka_unit_test(a_closed_one_has_no_events),
		cmocka_unit_test(one_that_asked_to_be_joined_moves),
		cmocka_unit_test(without_descriptors_all_stay),
		cmocka_unit_test(strange_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
