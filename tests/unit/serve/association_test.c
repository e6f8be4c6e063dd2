// SPDX-License-Identifier: BSD-3-Clause
// Associations of DTLS clients.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "association.h"
#include "dtls_client.h"

// ---- tests --------------------------------------------------------------------------------------

static void messages_go_both_ways(void **state)
{
	struct world w = {.unnamed = false};
	uint8_t bytes[64];
	struct dtls_client c;

	(void)state;
	world_start(&w, "");
	dtls_client_start(&c, 4660);
	dtls_client_shake(&w, &c);
	assert_int_equal(world_counters(&w).cookies, 1);
	assert_int_equal(world_counters(&w).handshakes, 1);
	assert_int_equal(fake_edge_open(w.link), 0);
	// Padding may come, and does not go on.
	dtls_client_say(&w, &c, world_media, sizeof(world_media));
	assert_int_equal(c.message.listener_id, WORLD_DTLS);
	assert_true(tp_addr_equal(&c.message.remote, &c.remote));
	assert_int_equal(c.message.len, WORLD_MEDIA_LEN);
	assert_memory_equal(c.message.data, world_media, WORLD_MEDIA_LEN);
	assert_int_equal(fake_edge_open(w.link), 1);
	world_put(&w, c.message.connection, world_media, WORLD_MEDIA_LEN);
	dtls_client_carry(&w, &c);
	assert_int_equal(SSL_read(c.ssl, bytes, sizeof(bytes)), WORLD_MEDIA_LEN);
	assert_memory_equal(bytes, world_media, WORLD_MEDIA_LEN);
	SSL_shutdown(c.ssl);
	dtls_client_carry(&w, &c);
	assert_int_equal(fake_edge_open(w.link), 0);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_client), 1);
	assert_int_equal(c.astray, 0);
	dtls_client_stop(&c);
	world_stop(&w);
}

// Nothing is kept for those that have not answered, and nothing sent but the cookie.
static void no_state_before_the_cookie(void **state)
{
	struct world w = {.unnamed = false};
	uint8_t hello[2048];
	struct dtls_client c;
	ssize_t n;

	(void)state;
	world_start(&w, "");
	dtls_client_start(&c, 4660);
	(void)SSL_do_handshake(c.ssl);
	n = recv(c.fd, hello, sizeof(hello), 0);
	assert_true(n > 0);
	for (unsigned i = 0; i < 100; i++) {
		struct fake_edge_message m;

		c.remote.port_be++;
		dtls_client_put(&w, &c, hello, (size_t)n);
		world_turns(&w, 1);
		assert_true(fake_edge_take(w.link, &m));
		assert_int_equal(m.len, DTLS_ANSWER_LEN);
		assert_true(m.len < (size_t)n);
		assert_false(fake_edge_take(w.link, &m));
	}
	assert_int_equal(serve_connections(w.serve), 0);
	assert_int_equal(world_counters(&w).cookies, 100);
	dtls_client_stop(&c);
	world_stop(&w);
}

static void strays_are_counted(void **state)
{
	static const uint8_t record[] = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4};
	struct fake_edge_message m;
	struct world w = {.unnamed = false};
	struct dtls_client c, other;

	(void)state;
	world_start(&w, "");
	dtls_client_start(&c, 4660);
	dtls_client_shake(&w, &c);
	dtls_client_say(&w, &c, world_media, sizeof(world_media));
	dtls_client_start(&other, 4661);
	dtls_client_put(&w, &other, record, sizeof(record));
	world_turns(&w, 1);
	assert_int_equal(world_counters(&w).datagrams_stray, 1);
	// With the client's address, by another way: neither the end nor the way back.
	other.remote = c.remote;
	other.way.next_hop = 99;
	dtls_client_put(&w, &other, record, sizeof(record));
	world_turns(&w, 1);
	assert_false(fake_edge_take(w.link, &m));
	dtls_client_say(&w, &c, world_media, sizeof(world_media));
	world_put(&w, c.message.connection, world_media, WORLD_MEDIA_LEN);
	dtls_client_carry(&w, &c);
	assert_int_equal(c.astray, 0);
	// The way of authentic records is the way back from then on.
	c.way.next_hop = 50;
	dtls_client_say(&w, &c, world_media, sizeof(world_media));
	world_put(&w, c.message.connection, world_media, WORLD_MEDIA_LEN);
	dtls_client_carry(&w, &c);
	assert_int_equal(c.astray, 0);
	dtls_client_stop(&other);
	dtls_client_stop(&c);
	world_stop(&w);
}

// From the same address: with a cookie alone the association before ends.
static void a_new_association_replaces(void **state)
{
	struct world w = {.unnamed = false};
	struct dtls_client old, new;
	uint64_t connection;

	(void)state;
	world_start(&w, "");
	dtls_client_start(&old, 4660);
	dtls_client_shake(&w, &old);
	dtls_client_say(&w, &old, world_media, sizeof(world_media));
	connection = old.message.connection;
	dtls_client_start(&new, 4660);
	(void)SSL_do_handshake(new.ssl);
	dtls_client_carry(&w, &new);
	assert_int_equal(world_counters(&w).cookies, 2);
	dtls_client_say(&w, &old, world_media, sizeof(world_media));
	assert_int_equal(world_closes(&w, SERVE_CLOSE_replaced), 0);
	dtls_client_shake(&w, &new);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_replaced), 1);
	dtls_client_say(&w, &new, world_media, sizeof(world_media));
	assert_true(new.message.connection != connection);
	assert_int_equal(fake_edge_open(w.link), 1);
	assert_int_equal(serve_connections(w.serve), 1);
	dtls_client_stop(&old);
	dtls_client_stop(&new);
	world_stop(&w);
}

static void limits_hold(void **state)
{
	struct world w = {.unnamed = false};
	struct dtls_client c[2], third;

	(void)state;
	world_start(&w, "  connections_per_prefix: 2\n");
	for (unsigned i = 0; i < 2; i++) {
		dtls_client_start(&c[i], (uint16_t)(4660 + i));
		dtls_client_shake(&w, &c[i]);
	}
	dtls_client_start(&third, 4670);
	for (unsigned i = 0; i < DTLS_ROUNDS; i++) {
		(void)SSL_do_handshake(third.ssl);
		dtls_client_carry(&w, &third);
	}
	assert_false(SSL_is_init_finished(third.ssl));
	assert_true(world_counters(&w).refused[ADMIT_REFUSED_connections_prefix] >= 1);
	assert_int_equal(serve_connections(w.serve), 2);
	dtls_client_stop(&c[0]);
	dtls_client_stop(&c[1]);
	dtls_client_stop(&third);
	world_stop(&w);
}

// By the thread's time: without a message first, and without one for long.
static void time_ends_associations(void **state)
{
	struct serve_thread *t;
	struct world w = {.unnamed = false};
	struct dtls_client c[2];

	(void)state;
	world_start(&w, "  handshake_timeout: 10\n  idle_timeout: 60\n");
	for (unsigned i = 0; i < 2; i++) {
		dtls_client_start(&c[i], (uint16_t)(4660 + i));
		dtls_client_shake(&w, &c[i]);
	}
	dtls_client_say(&w, &c[0], world_media, sizeof(world_media));
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
	dtls_client_stop(&c[0]);
	dtls_client_stop(&c[1]);
	world_stop(&w);
}

static void unnamed_listeners_serve_nobody(void **state)
{
	struct world w = {.unnamed = true};
	struct dtls_client c;

	(void)state;
	world_start(&w, "");
	dtls_client_start(&c, 4660);
	for (unsigned i = 0; i < DTLS_ROUNDS; i++) {
		(void)SSL_do_handshake(c.ssl);
		dtls_client_carry(&w, &c);
	}
	assert_false(SSL_is_init_finished(c.ssl));
	assert_int_equal(serve_connections(w.serve), 0);
	dtls_client_stop(&c);
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
