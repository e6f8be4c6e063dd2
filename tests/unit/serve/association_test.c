// SPDX-License-Identifier: BSD-3-Clause
// Associations of DTLS clients: OpenSSL's client behind a pair of sockets, whose datagrams the test
// carries to the fake link and back.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "association.h"
#include "world.h"

#define ROUNDS 40u

// ---- a client -----------------------------------------------------------------------------------

struct client {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd; // the far end of its socket
	struct tp_addr remote;
	struct edge_link_way way;
	// Messages that the edge has handed to the data plane, the last one.
	unsigned n_messages;
	struct fake_edge_message message;
	unsigned astray; // datagrams by another way than the client's
};

static void client_start(struct client *c, uint16_t port)
{
	int fds[2];
	BIO *b;

	memset(c, 0, sizeof(*c));
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	c->fd = fds[0];
	c->remote = tp_addr_ipv4(0xc0000209, port);
	c->way = (struct edge_link_way){.next_hop = 17, .tag = 18};
	c->ctx = SSL_CTX_new(DTLS_client_method());
	c->ssl = SSL_new(c->ctx);
	b = BIO_new_socket(fds[1], BIO_CLOSE);
	SSL_set_bio(c->ssl, b, b);
	SSL_set_options(c->ssl, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(c->ssl, 1200);
	SSL_set_connect_state(c->ssl);
}

static void client_stop(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
}

static void datagram_put(struct world *w, const struct client *c, const uint8_t *data, size_t len)
{
	struct fake_edge_message m = {
		.listener_id = WORLD_DTLS, .remote = c->remote, .way = c->way, .len = len};

	memcpy(m.data, data, len);
	fake_edge_put(edge_link_thread(w->link, 0), &m);
}

// Carries what both sides have sent.
static void carry(struct world *w, struct client *c)
{
	struct fake_edge_message m;
	uint8_t bytes[2048];
	ssize_t n;

	while ((n = recv(c->fd, bytes, sizeof(bytes), 0)) > 0)
		datagram_put(w, c, bytes, (size_t)n);
	world_turns(w, 2);
	while (fake_edge_take(w->link, &m)) {
		if (m.connection != 0) {
			c->message = m;
			c->n_messages++;
			continue;
		}
		assert_int_equal(m.listener_id, WORLD_DTLS);
		c->astray += m.way.next_hop != c->way.next_hop || m.way.tag != c->way.tag;
		if (tp_addr_equal(&m.remote, &c->remote))
			assert_int_equal(send(c->fd, m.data, m.len, 0), m.len);
	}
}

static void client_shake(struct world *w, struct client *c)
{
	for (unsigned i = 0; i < ROUNDS && !SSL_is_init_finished(c->ssl); i++) {
		(void)SSL_do_handshake(c->ssl);
		carry(w, c);
	}
	assert_true(SSL_is_init_finished(c->ssl));
	carry(w, c);
}

static void client_say(struct world *w, struct client *c, const void *bytes, int len)
{
	unsigned before = c->n_messages;

	assert_int_equal(SSL_write(c->ssl, bytes, len), len);
	carry(w, c);
	assert_int_equal(c->n_messages, before + 1);
}

static struct serve_counters counters(struct world *w)
{
	struct serve_counters c;

	serve_counters_read(w->serve, &c);
	return c;
}

// ---- tests --------------------------------------------------------------------------------------

static void messages_go_both_ways(void **state)
{
	struct world w = {.unnamed = false};
	uint8_t bytes[64];
	struct client c;

	(void)state;
	world_start(&w, "");
	client_start(&c, 4660);
	client_shake(&w, &c);
	assert_int_equal(counters(&w).cookies, 1);
	assert_int_equal(counters(&w).handshakes, 1);
	assert_int_equal(fake_edge_open(w.link), 0);
	// Padding may come, and does not go on.
	client_say(&w, &c, world_media, sizeof(world_media));
	assert_int_equal(c.message.listener_id, WORLD_DTLS);
	assert_true(tp_addr_equal(&c.message.remote, &c.remote));
	assert_int_equal(c.message.len, WORLD_MEDIA_LEN);
	assert_memory_equal(c.message.data, world_media, WORLD_MEDIA_LEN);
	assert_int_equal(fake_edge_open(w.link), 1);
	world_put(&w, c.message.connection, world_media, WORLD_MEDIA_LEN);
	carry(&w, &c);
	assert_int_equal(SSL_read(c.ssl, bytes, sizeof(bytes)), WORLD_MEDIA_LEN);
	assert_memory_equal(bytes, world_media, WORLD_MEDIA_LEN);
	SSL_shutdown(c.ssl);
	carry(&w, &c);
	assert_int_equal(fake_edge_open(w.link), 0);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_client), 1);
	assert_int_equal(c.astray, 0);
	client_stop(&c);
	world_stop(&w);
}

// Nothing is kept for those that have not answered, and nothing sent but the cookie.
static void no_state_before_the_cookie(void **state)
{
	struct world w = {.unnamed = false};
	uint8_t hello[2048];
	struct client c;
	ssize_t n;

	(void)state;
	world_start(&w, "");
	client_start(&c, 4660);
	(void)SSL_do_handshake(c.ssl);
	n = recv(c.fd, hello, sizeof(hello), 0);
	assert_true(n > 0);
	for (unsigned i = 0; i < 100; i++) {
		struct fake_edge_message m;

		c.remote.port_be++;
		datagram_put(&w, &c, hello, (size_t)n);
		world_turns(&w, 1);
		assert_true(fake_edge_take(w.link, &m));
		assert_int_equal(m.len, DTLS_ANSWER_LEN);
		assert_true(m.len < (size_t)n);
		assert_false(fake_edge_take(w.link, &m));
	}
	assert_int_equal(serve_connections(w.serve), 0);
	assert_int_equal(counters(&w).cookies, 100);
	client_stop(&c);
	world_stop(&w);
}

static void strays_are_counted(void **state)
{
	static const uint8_t record[] = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4};
	struct fake_edge_message m;
	struct world w = {.unnamed = false};
	struct client c, other;

	(void)state;
	world_start(&w, "");
	client_start(&c, 4660);
	client_shake(&w, &c);
	client_say(&w, &c, world_media, sizeof(world_media));
	client_start(&other, 4661);
	datagram_put(&w, &other, record, sizeof(record));
	world_turns(&w, 1);
	assert_int_equal(counters(&w).datagrams_stray, 1);
	// With the client's address, by another way: neither the end nor the way back.
	other.remote = c.remote;
	other.way.next_hop = 99;
	datagram_put(&w, &other, record, sizeof(record));
	world_turns(&w, 1);
	assert_false(fake_edge_take(w.link, &m));
	client_say(&w, &c, world_media, sizeof(world_media));
	world_put(&w, c.message.connection, world_media, WORLD_MEDIA_LEN);
	carry(&w, &c);
	assert_int_equal(c.astray, 0);
	// The way of authentic records is the way back from then on.
	c.way.next_hop = 50;
	client_say(&w, &c, world_media, sizeof(world_media));
	world_put(&w, c.message.connection, world_media, WORLD_MEDIA_LEN);
	carry(&w, &c);
	assert_int_equal(c.astray, 0);
	client_stop(&other);
	client_stop(&c);
	world_stop(&w);
}

// From the same address: with a cookie alone the association before ends.
static void a_new_association_replaces(void **state)
{
	struct world w = {.unnamed = false};
	struct client old, new;
	uint64_t connection;

	(void)state;
	world_start(&w, "");
	client_start(&old, 4660);
	client_shake(&w, &old);
	client_say(&w, &old, world_media, sizeof(world_media));
	connection = old.message.connection;
	client_start(&new, 4660);
	(void)SSL_do_handshake(new.ssl);
	carry(&w, &new);
	assert_int_equal(counters(&w).cookies, 2);
	client_say(&w, &old, world_media, sizeof(world_media));
	assert_int_equal(world_closes(&w, SERVE_CLOSE_replaced), 0);
	client_shake(&w, &new);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_replaced), 1);
	client_say(&w, &new, world_media, sizeof(world_media));
	assert_true(new.message.connection != connection);
	assert_int_equal(fake_edge_open(w.link), 1);
	assert_int_equal(serve_connections(w.serve), 1);
	client_stop(&old);
	client_stop(&new);
	world_stop(&w);
}

static void limits_hold(void **state)
{
	struct world w = {.unnamed = false};
	struct client c[2], third;

	(void)state;
	world_start(&w, "  connections_per_prefix: 2\n");
	for (unsigned i = 0; i < 2; i++) {
		client_start(&c[i], (uint16_t)(4660 + i));
		client_shake(&w, &c[i]);
	}
	client_start(&third, 4670);
	for (unsigned i = 0; i < ROUNDS; i++) {
		(void)SSL_do_handshake(third.ssl);
		carry(&w, &third);
	}
	assert_false(SSL_is_init_finished(third.ssl));
	assert_true(counters(&w).refused[ADMIT_REFUSED_connections_prefix] >= 1);
	assert_int_equal(serve_connections(w.serve), 2);
	client_stop(&c[0]);
	client_stop(&c[1]);
	client_stop(&third);
	world_stop(&w);
}

// By the thread's time: without a message first, and without one for long.
static void time_ends_associations(void **state)
{
	struct serve_thread *t;
	struct world w = {.unnamed = false};
	struct client c[2];

	(void)state;
	world_start(&w, "  handshake_timeout: 10\n  idle_timeout: 60\n");
	for (unsigned i = 0; i < 2; i++) {
		client_start(&c[i], (uint16_t)(4660 + i));
		client_shake(&w, &c[i]);
	}
	client_say(&w, &c[0], world_media, sizeof(world_media));
	t = w.serve->threads[0];
	(void)associations_expire(t->associations);
	assert_int_equal(serve_connections(w.serve), 2);
	t->now_ns += 11 * TP_NS_PER_S;
	(void)associations_expire(t->associations);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_handshake_timeout), 1);
	assert_int_equal(fake_edge_open(w.link), 1);
	t->now_ns += 60 * TP_NS_PER_S;
	assert_int_equal(associations_expire(t->associations), UINT64_MAX);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_idle_timeout), 1);
	assert_int_equal(fake_edge_open(w.link), 0);
	client_stop(&c[0]);
	client_stop(&c[1]);
	world_stop(&w);
}

static void unnamed_listeners_serve_nobody(void **state)
{
	struct world w = {.unnamed = true};
	struct client c;

	(void)state;
	world_start(&w, "");
	client_start(&c, 4660);
	for (unsigned i = 0; i < ROUNDS; i++) {
		(void)SSL_do_handshake(c.ssl);
		carry(&w, &c);
	}
	assert_false(SSL_is_init_finished(c.ssl));
	assert_int_equal(serve_connections(w.serve), 0);
	client_stop(&c);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_go_both_ways),
		cmocka_unit_test(no_state_before_the_cookie),
		cmocka_unit_test(strays_are_counted),
		cmocka_unit_test(a_new_association_replaces),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(time_ends_associations),
		cmocka_unit_test(unnamed_listeners_serve_nobody),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
