// SPDX-License-Identifier: BSD-3-Clause
// A client of TLS 1.3 that asks for new keys without end and reads nothing: the
// session has to answer before it reads or writes anything else, and can't.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cmocka.h>

#include "internal.h"
#include "world.h"

static const int small = 4096;
// However slow the machine is, no connection ends by its time.
#define PATIENT "  handshake_timeout: 300\n  queue_age_ms: 60000\n"

struct asker {
	struct world_client client;
	struct conn *conn;
	uint64_t connection;
};

static void message_write(uint8_t out[1028], uint8_t with)
{
	memset(out, with, 1028);
	memcpy(out, (const uint8_t[]){0x40, 0, 0x04, 0x00}, 4);
}

static void asker_open(struct world *w, struct asker *a)
{
	struct serve_thread *t = w->serve->threads[0];
	uint8_t request[TP_STUN_HEADER_LEN];
	struct fake_edge_message m;

	world_client_start(&a->client, w->ports[2]);
	world_client_shake(w, &a->client);
	assert_int_equal(SSL_write(a->client.ssl, request, (int)world_request(request, 1)), 20);
	world_take(w, &m);
	a->connection = m.connection;
	a->conn = DS_CONTAINER(t->idle.prev, struct conn, timed);
}

// Asks until the session waits for room in its socket, and goes on to, then some more, which stay
// in the socket.
static bool asker_asks_on(struct world *w, struct asker *a)
{
	unsigned more = 0;

	for (unsigned i = 0; i < 20000 && more < 20; i++) {
		more = SSL_want_write(a->conn->ssl) ? more + 1 : 0;
		if (more > 0)
			usleep(500);
		if (SSL_get_key_update_type(a->client.ssl) == SSL_KEY_UPDATE_NONE)
			(void)SSL_key_update(a->client.ssl, SSL_KEY_UPDATE_REQUESTED);
		(void)SSL_do_handshake(a->client.ssl);
		world_turns(w, 1);
	}
	return more == 20;
}

// Where TCP goes on making the client's buffer larger, another client has another try.
static void asker_start(struct world *w, struct asker *a)
{
	for (unsigned i = 0; i < 20; i++) {
		asker_open(w, a);
		assert_int_equal(
			setsockopt(a->conn->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
		if (asker_asks_on(w, a))
			return;
		world_client_end(&a->client);
		world_turns(w, 10);
	}
	fail_msg("the session never waits");
}

static void asker_reads(struct world *w, struct asker *a, uint8_t *out, int len)
{
	int got = 0;

	for (unsigned i = 0; i < 20000 && got < len; i++) {
		int n = SSL_read(a->client.ssl, out + got, len - got);

		got += n > 0 ? n : 0;
		world_turns(w, 1);
		usleep(100);
	}
	assert_int_equal(got, len);
}

// Sends a request, which is taken once the client reads the answers that wait.
static void asker_asks(struct world *w, struct asker *a)
{
	uint8_t request[TP_STUN_HEADER_LEN], got[64];
	struct fake_edge_message m = {.len = 0};

	assert_int_equal(SSL_write(a->client.ssl, request, (int)world_request(request, 2)), 20);
	for (unsigned i = 0; i < 20000 && !fake_edge_take(w->link, &m); i++) {
		(void)SSL_read(a->client.ssl, got, sizeof(got));
		world_turns(w, 1);
		usleep(100);
	}
	assert_true(m.connection == a->connection);
}

// The bytes that wait are its own, not those of the next client that is served.
static void what_waits_is_its_own(void **state)
{
	struct world w = {.unnamed = false};
	uint8_t own[1028], others[1028], got[1028];
	struct fake_edge_message m;
	struct asker a;
	int other;

	(void)state;
	world_start(&w, PATIENT);
	other = world_connect(w.ports[0]);
	world_write(other, got, world_request(got, 3));
	world_take(&w, &m);
	asker_start(&w, &a);
	message_write(own, 'a');
	message_write(others, 'b');
	world_put(&w, a.connection, own, sizeof(own));
	world_turns(&w, 2);
	world_put(&w, m.connection, others, sizeof(others));
	world_turns(&w, 2);
	asker_reads(&w, &a, got, sizeof(got));
	assert_memory_equal(got, own, sizeof(own));
	close(other);
	world_client_end(&a.client);
	world_stop(&w);
}

// Its bytes stay in the socket, and wake nobody.
static void it_keeps_no_thread_busy(void **state)
{
	struct world w = {.unnamed = false};
	struct epoll_event events[4];
	uint8_t own[1028], got[1028];
	struct asker a;

	(void)state;
	world_start(&w, PATIENT);
	asker_start(&w, &a);
	world_turns(&w, 5);
	assert_int_equal(epoll_wait(w.serve->threads[0]->epoll_fd, events, 4, 0), 0);
	message_write(own, 'a');
	world_put(&w, a.connection, own, sizeof(own));
	asker_reads(&w, &a, got, sizeof(got));
	asker_asks(&w, &a);
	world_client_end(&a.client);
	world_stop(&w);
}

// Once all that the client sent has arrived.
static int unread(const struct asker *a)
{
	int n = 0, under_way = 1;

	for (unsigned i = 0; i < 60000 && under_way > 0; i++) {
		assert_int_equal(ioctl(a->client.fd, TIOCOUTQ, &under_way), 0);
		if (under_way > 0)
			usleep(1000);
	}
	assert_int_equal(under_way, 0);
	assert_int_equal(ioctl(a->conn->fd, FIONREAD, &n), 0);
	return n;
}

// Fault: one read went on as long as new keys came, and all other clients of the thread waited.
static void many_keys_have_turns(void **state)
{
	struct world w = {.unnamed = false};
	uint8_t request[TP_STUN_HEADER_LEN];
	struct fake_edge_message m;
	struct asker a;
	int before;

	(void)state;
	world_start(&w, PATIENT);
	asker_open(&w, &a);
	for (unsigned i = 0; i < 2000; i++) {
		assert_int_equal(SSL_key_update(a.client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(a.client.ssl), 1);
	}
	assert_int_equal(SSL_write(a.client.ssl, request, (int)world_request(request, 2)), 20);
	before = unread(&a);
	world_turns(&w, 1);
	assert_in_range(unread(&a), 1, before - 1);
	world_take(&w, &m);
	assert_true(m.connection == a.connection);
	world_client_end(&a.client);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_is_its_own),
		cmocka_unit_test(it_keeps_no_thread_busy),
		cmocka_unit_test(many_keys_have_turns),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
