// SPDX-License-Identifier: BSD-3-Clause
// Bounds of the edge's connections, descriptors and queues.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "internal.h"
#include "world.h"

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

// A connection without a message has handshake_timeout; one whose request waits for its answer has
// idle_timeout.
// Clauses: 8489 6.2.2-3
static void unanswered_requests_keep_the_connection(void **state)
{
	struct fake_edge_message m;
	struct serve_thread *t;
	uint8_t bytes[64];
	struct world w = {.unnamed = false};
	ssize_t n = 0;
	int asks, silent;

	(void)state;
	world_start(&w, "  handshake_timeout: 10\n  idle_timeout: 60\n");
	t = w.serve->threads[0];
	asks = world_connect(w.ports[0]);
	silent = world_connect(w.ports[0]);
	world_turns(&w, 5);
	world_write(asks, bytes, world_request(bytes, 7));
	world_take(&w, &m);
	t->now_ns += 11 * TP_NS_PER_S;
	(void)conn_expire(t);
	world_closed(&w, silent);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_handshake_timeout), 1);
	assert_int_equal(fake_edge_open(w.link), 1);
	world_put(&w, m.connection, bytes, TP_STUN_HEADER_LEN);
	for (unsigned i = 0; i < 1000 && n == 0; i++) {
		world_turns(&w, 1);
		n = world_read(asks, bytes, sizeof(bytes));
	}
	assert_int_equal(n, TP_STUN_HEADER_LEN);
	close(asks);
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
	tcp_spare_close(&w.serve->threads[0]->spare);
	fd = world_connect(w.ports[0]);
	world_write(fd, bytes, world_request(bytes, 1));
	world_take(&w, &m);
	assert_true(w.serve->threads[0]->spare.fd >= 0);
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

// The first byte alone does not tell what the client speaks: it stays in the socket.
static void first_byte_wakes_once(void **state)
{
	struct world w = {.unnamed = false};
	struct epoll_event event;
	struct serve_thread *t;
	int fd;

	(void)state;
	world_start(&w, "");
	t = w.serve->threads[0];
	fd = world_connect(w.ports[0]);
	world_write(fd, "\x16", 1);
	usleep(1000);
	world_turns(&w, 5);
	assert_int_equal(epoll_wait(t->epoll_fd, &event, 1, 0), 0);
	world_write(fd, "\x04", 1);
	world_closed(&w, fd);
	world_stop(&w);
}

static void assert_option(int fd, int name, int value)
{
	socklen_t len = sizeof(int);
	int is = 0;

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, name, &is, &len), 0);
	if (name == TCP_NODELAY)
		is = is != 0;
	assert_int_equal(is, value);
}

static void connections_have_their_options(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_thread *t;
	const struct conn *c;
	int fd;

	(void)state;
	world_start(&w, "");
	t = w.serve->threads[0];
	fd = world_connect(w.ports[0]);
	world_turns(&w, 5);
	assert_false(ds_list_is_empty(&t->young));
	c = DS_CONTAINER(t->young.next, struct conn, timed);
	assert_option(c->fd, TCP_NODELAY, 1);
	assert_option(c->fd, TCP_NOTSENT_LOWAT, SERVE_LOWAT);
	assert_option(c->fd, TCP_USER_TIMEOUT, SERVE_UNACKED_MS);
	close(fd);
	world_stop(&w);
}

// Until the edge has taken so many messages of the client. The most sessions that read much at
// once.
static unsigned messages_pass(struct world *w, struct world_client *c, unsigned n)
{
	static const uint8_t message[1004] = {0x40, 0, 0x03, 0xe8};
	struct serve_thread *t = w->serve->threads[0];
	struct fake_edge_message m;
	unsigned sent = 0, taken = 0, most = 0;

	for (unsigned i = 0; i < 100000 && taken < n; i++) {
		while (sent < n && SSL_write(c->ssl, message, sizeof(message)) > 0)
			sent++;
		world_turns(w, 1);
		most = t->n_wide > most ? t->n_wide : most;
		while (fake_edge_take(w->link, &m)) {
			assert_int_equal(m.len, sizeof(message));
			taken++;
		}
	}
	assert_int_equal(taken, n);
	return most;
}

// A session reads much at once while its client sends much, and not when that is over.
static void busy_session_reads_much(void **state)
{
	static const int on = 1;
	struct world w = {.unnamed = false};
	struct world_client c;
	struct serve_thread *t;

	(void)state;
	world_start(&w, "");
	t = w.serve->threads[0];
	world_client_start(&c, w.ports[2]);
	// A message of its own would wait for the acknowledgement of the one before.
	assert_int_equal(setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	world_client_shake(&w, &c);
	assert_int_equal(messages_pass(&w, &c, 1), 0);
	assert_int_equal(messages_pass(&w, &c, 1000), 1);
	for (unsigned i = 0; i < 3; i++)
		(void)messages_pass(&w, &c, 1);
	assert_int_equal(t->n_wide, 0);
	// Nor after its end, nor where too many do.
	assert_int_equal(messages_pass(&w, &c, 1000), 1);
	world_client_end(&c);
	world_turns(&w, 20);
	assert_int_equal(serve_connections(w.serve), 0);
	assert_int_equal(t->n_wide, 0);
	t->n_wide = SERVE_WIDE_MAX;
	world_client_start(&c, w.ports[2]);
	world_client_shake(&w, &c);
	assert_int_equal(messages_pass(&w, &c, 1000), SERVE_WIDE_MAX);
	world_client_end(&c);
	world_turns(&w, 20);
	assert_int_equal(t->n_wide, SERVE_WIDE_MAX);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_byte_wakes_once),
		cmocka_unit_test(busy_session_reads_much),
		cmocka_unit_test(connections_have_their_options),
		cmocka_unit_test(connections_have_a_limit),
		cmocka_unit_test(unanswered_requests_keep_the_connection),
		cmocka_unit_test(no_descriptor_refuses),
		cmocka_unit_test(slow_client_loses_its_own),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
