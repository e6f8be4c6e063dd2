// SPDX-License-Identifier: BSD-3-Clause
// Connections that are a backend's or a peer's pass from one process to the next, with both ends.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "hello.h"
#include "internal.h"
#include "world.h"

#define PATIENCE 20000u // turns
#define KEY	 0x123456789u

struct fixture {
	struct world before, after;
	struct world_client tls;
	bool by_tls;
	bool unknown; // the next process has not heard of the peer connection
	int client, peer;
	int listening;
	char keys[256]; // of the listener, for the backend
	uint64_t connection;
	unsigned ended;
	uint64_t to_peer, to_client;
	struct meters *meters;
	struct meter *meter;
};

static void on_ended(void *ctx, uint64_t key, uint64_t to_peer, uint64_t to_client)
{
	struct fixture *f = ctx;

	assert_true(key == KEY);
	f->ended++;
	f->to_peer = to_peer;
	f->to_client = to_client;
}

static bool on_claim(void *ctx, uint64_t key, struct meter **meter)
{
	struct fixture *f = ctx;

	assert_true(key == KEY);
	if (f->unknown)
		return false;
	*meter = meter_ref(f->meter);
	return true;
}

static bool on_connection(void *ctx, const uint8_t *bytes, size_t len, int fd, int far)
{
	struct fixture *f = ctx;

	return serve_take(f->after.serve, bytes, len, fcntl(fd, F_DUPFD_CLOEXEC, 0),
		far >= 0 ? fcntl(far, F_DUPFD_CLOEXEC, 0) : -1);
}

static void both_turn(struct fixture *f)
{
	world_turns(&f->before, 1);
	if (f->after.serve != NULL)
		world_turns(&f->after, 1);
}

static void hand_over(struct fixture *f)
{
	const struct serve_next to = {.ctx = f, .connection = on_connection};
	int shown = serve_hand(f->before.serve, &to);

	assert_int_equal(shown, 1);
	assert_int_equal(serve_leave(f->before.serve, &to), 1);
}

static ssize_t client_read(struct fixture *f, void *out, size_t room)
{
	int n;

	if (!f->by_tls)
		return recv(f->client, out, room, MSG_DONTWAIT);
	n = SSL_read(f->tls.ssl, out, (int)room);
	return n > 0 ? n : SSL_get_error(f->tls.ssl, n) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static void client_write(struct fixture *f, const void *bytes, size_t len)
{
	if (f->by_tls)
		assert_int_equal(SSL_write(f->tls.ssl, bytes, (int)len), len);
	else
		world_write(f->client, bytes, len);
}

static ssize_t side_read(struct fixture *f, int side, void *out, size_t room)
{
	return side == f->client ? client_read(f, out, room) : recv(side, out, room, MSG_DONTWAIT);
}

static void receive(struct fixture *f, int side, const char *want)
{
	char got[64] = "";
	size_t n = 0;

	for (unsigned i = 0; i < PATIENCE && n < strlen(want); i++) {
		ssize_t k;

		both_turn(f);
		k = side_read(f, side, got + n, sizeof(got) - n);
		n += k > 0 ? (size_t)k : 0;
		if (k <= 0)
			usleep(100);
	}
	assert_int_equal(n, strlen(want));
	assert_memory_equal(got, want, n);
}

static void receive_end(struct fixture *f, int side)
{
	char byte;

	for (unsigned i = 0; i < PATIENCE; i++) {
		both_turn(f);
		if (side_read(f, side, &byte, 1) == 0)
			return;
		usleep(100);
	}
	fail_msg("no end comes");
}

static void wait_empty(struct fixture *f)
{
	for (unsigned i = 0;
		i < PATIENCE &&
		serve_connections(f->before.serve) + serve_connections(f->after.serve) > 0;
		i++) {
		both_turn(f);
		usleep(100);
	}
	assert_int_equal(serve_connections(f->before.serve), 0);
	assert_int_equal(serve_connections(f->after.serve), 0);
}

static void start(struct fixture *f, bool by_tls)
{
	static const uint8_t key[16] = "meters of a test";
	const struct serve_joined joined = {.ctx = f, .ended = on_ended, .claim = on_claim};

	f->by_tls = by_tls;
	f->meters = meters_create(key);
	f->meter = meter_create(f->meters);
	world_start(&f->before, "");
	world_next(&f->after, &f->before);
	serve_on_joined(f->before.serve, &joined);
	serve_on_joined(f->after.serve, &joined);
}

static void client_start(struct fixture *f)
{
	if (f->by_tls) {
		world_client_start(&f->tls, f->before.ports[0]);
		world_client_shake(&f->before, &f->tls);
		f->client = f->tls.fd;
	} else {
		f->client = world_connect(f->before.ports[0]);
	}
}

static void join(struct fixture *f)
{
	struct fake_edge_message m;
	uint8_t bytes[TP_STUN_HEADER_LEN + 5];
	int fds[2];

	(void)world_request(bytes, 1);
	tp_store_be16(bytes, CONNECTION_BIND);
	memcpy(bytes + TP_STUN_HEADER_LEN, "early", 5);
	client_write(f, bytes, sizeof(bytes));
	world_take(&f->before, &m);
	f->connection = m.connection;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	f->peer = fds[0];
	serve_join(f->before.serve, KEY, f->connection, fds[1], meter_ref(f->meter),
		(const uint8_t *)"answer", 6);
}

static void joined(struct fixture *f, bool by_tls)
{
	start(f, by_tls);
	client_start(f);
	join(f);
	receive(f, f->client, "answer");
	receive(f, f->peer, "early");
}

static void stop(struct fixture *f)
{
	if (f->by_tls)
		world_client_end(&f->tls);
	else if (f->client >= 0)
		close(f->client);
	if (f->peer >= 0)
		close(f->peer);
	// The slot of the process before is of no meaning any more.
	if (f->connection != 0)
		edge_link_close(edge_link_thread(f->before.link, 0), f->connection);
	world_next_stop(&f->after);
	world_stop(&f->before);
	meter_unref(f->meter);
	meters_destroy(f->meters);
}

static void bytes_go_on(struct fixture *f, bool by_tls)
{
	joined(f, by_tls);
	hand_over(f);
	assert_int_equal(serve_connections(f->before.serve), by_tls);
	assert_int_equal(serve_connections(f->after.serve), 1);
	client_write(f, "to the peer", 11);
	receive(f, f->peer, "to the peer");
	world_write(f->peer, "to the client", 13);
	receive(f, f->client, "to the client");
	assert_int_equal(meter_total(f->meter).to_peer, 16);
	assert_int_equal(meter_total(f->meter).to_client, 13);
	// Each end closes by itself.
	assert_int_equal(shutdown(f->peer, SHUT_WR), 0);
	receive_end(f, f->client);
	assert_int_equal(f->ended, 0);
	client_write(f, "last", 4);
	receive(f, f->peer, "last");
	if (by_tls)
		(void)SSL_shutdown(f->tls.ssl);
	else
		assert_int_equal(shutdown(f->client, SHUT_WR), 0);
	receive_end(f, f->peer);
	wait_empty(f);
	assert_int_equal(f->ended, 1);
	assert_true(f->to_peer == 20 && f->to_client == 13);
	stop(f);
}

static void a_plain_one_goes_on_and_is_counted(void **state)
{
	struct fixture f = {.peer = -1};

	(void)state;
	bytes_go_on(&f, false);
}

static void one_by_tls_goes_on_and_is_counted(void **state)
{
	struct fixture f = {.peer = -1};

	(void)state;
	bytes_go_on(&f, true);
}

// Fills the sockets, pipe and all, until no byte moves any more.
static size_t fill(struct fixture *f, uint8_t *next)
{
	unsigned still = 0;
	size_t sent = 0;

	while (still < 50) {
		uint8_t bytes[4096];
		ssize_t n;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(*next + i);
		n = send(f->peer, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
		*next = (uint8_t)(*next + (n > 0 ? n : 0));
		sent += n > 0 ? (size_t)n : 0;
		still = n > 0 ? 0 : still + 1;
		world_turns(&f->before, 1);
	}
	return sent;
}

static void bytes_check(struct fixture *f, size_t n)
{
	uint8_t want = 0;
	size_t got = 0;

	for (unsigned i = 0; i < 20 * PATIENCE && got < n; i++) {
		uint8_t bytes[4096];
		ssize_t k;

		both_turn(f);
		k = client_read(f, bytes, sizeof(bytes));
		for (ssize_t j = 0; j < k; j++)
			assert_int_equal(bytes[j], want++);
		got += k > 0 ? (size_t)k : 0;
		if (k <= 0)
			usleep(10);
	}
	assert_int_equal(got, n);
}

// The client does not read meanwhile: bytes wait in the process before.
static void waiting_bytes_move(struct fixture *f, bool by_tls)
{
	uint8_t next = 0;
	size_t n;

	joined(f, by_tls);
	n = fill(f, &next);
	assert_true(n > 65536);
	hand_over(f);
	bytes_check(f, n);
	assert_int_equal(meter_total(f->meter).to_client, n);
	stop(f);
	assert_true(f->ended == 1 && f->to_client == n);
}

static void bytes_that_wait_move(void **state)
{
	struct fixture f = {.peer = -1};

	(void)state;
	waiting_bytes_move(&f, false);
}

static void bytes_that_wait_for_tls_stay_in_order(void **state)
{
	struct fixture f = {.peer = -1};

	(void)state;
	waiting_bytes_move(&f, true);
}

static bool on_refusal(void *ctx, const uint8_t *bytes, size_t len, int fd, int far)
{
	(void)ctx;
	(void)bytes;
	(void)len;
	(void)fd;
	(void)far;
	return false;
}

static void a_failure_changes_nothing(void **state)
{
	for (int by_tls = 0; by_tls < 2; by_tls++) {
		const struct serve_next to = {.connection = on_refusal};
		struct fixture f = {.peer = -1};
		uint8_t next = 0;
		size_t n;

		(void)state;
		joined(&f, by_tls);
		n = fill(&f, &next);
		assert_int_equal(serve_hand(f.before.serve, &to), -1);
		serve_stay(f.before.serve);
		bytes_check(&f, n);
		client_write(&f, "on", 2);
		receive(&f, f.peer, "on");
		f.connection = 0;
		stop(&f);
		assert_int_equal(f.ended, 1);
	}
}

// One end had closed before.
static void one_that_is_half_over_moves(void **state)
{
	for (int by_tls = 0; by_tls < 2; by_tls++) {
		struct fixture f = {.peer = -1};

		(void)state;
		joined(&f, by_tls);
		assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
		receive_end(&f, f.client);
		hand_over(&f);
		client_write(&f, "last", 4);
		receive(&f, f.peer, "last");
		stop(&f);
		assert_true(f.ended == 1 && f.to_peer == 9);
	}
}

// The bytes behind new keys have no event of their own.
static void new_keys_stop_nothing(void **state)
{
	struct fixture f = {.peer = -1};

	(void)state;
	joined(&f, true);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 1000; i++) {
			assert_int_equal(
				SSL_key_update(f.tls.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
			assert_int_equal(SSL_do_handshake(f.tls.ssl), 1);
		}
		client_write(&f, "behind", 6);
		receive(&f, f.peer, "behind");
		if (round == 0)
			hand_over(&f);
	}
	stop(&f);
}

// No limit of time holds for one that is joined, wherever its bytes are encrypted.
static void one_may_be_silent_after_it_moved(void **state)
{
	for (int by_tls = 0; by_tls < 2; by_tls++) {
		struct fixture f = {.peer = -1};

		(void)state;
		joined(&f, by_tls);
		hand_over(&f);
		f.before.serve->times.idle_ns = f.after.serve->times.idle_ns = 1;
		for (unsigned i = 0; i < 3; i++)
			both_turn(&f);
		client_write(&f, "late", 4);
		receive(&f, f.peer, "late");
		for (unsigned i = 0; i < 3; i++)
			both_turn(&f);
		world_write(f.peer, "later", 5);
		receive(&f, f.client, "later");
		stop(&f);
		assert_int_equal(f.ended, 1);
	}
}

// An order of the control process reaches it where it is.
static void the_next_process_can_end_it(void **state)
{
	for (int by_tls = 0; by_tls < 2; by_tls++) {
		struct fixture f = {.peer = -1};

		(void)state;
		joined(&f, by_tls);
		hand_over(&f);
		serve_part(f.after.serve, KEY, f.connection);
		receive_end(&f, f.peer);
		receive_end(&f, f.client);
		assert_int_equal(serve_connections(f.after.serve), 0);
		assert_int_equal(f.ended, 1);
		stop(&f);
	}
}

static void one_that_nobody_knows_is_closed(void **state)
{
	struct fixture f = {.peer = -1, .unknown = true};

	(void)state;
	joined(&f, false);
	hand_over(&f);
	receive_end(&f, f.peer);
	receive_end(&f, f.client);
	assert_int_equal(f.ended, 0);
	stop(&f);
}

// ---- backends -----------------------------------------------------------------------------------

static void backend_open(struct fixture *f)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	f->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f->listening, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(f->listening, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(listen(f->listening, 8), 0);
	snprintf(f->keys, sizeof(f->keys),
		", backends: [{names: [\"*.example.org\"], address: 127.0.0.1, port: %u}]",
		ntohs(at.sin_port));
	f->before.shared_tls = f->keys;
}

static void backend_take(struct fixture *f)
{
	for (unsigned i = 0; i < PATIENCE && f->peer < 0; i++) {
		both_turn(f);
		f->peer = accept4(f->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (f->peer < 0)
			usleep(100);
	}
	assert_true(f->peer >= 0);
}

static void one_of_a_backend_moves(void **state)
{
	static const struct hello shop = {.name = "shop.example.org", .protocols = {"h2"}};
	struct fixture f = {.peer = -1};
	uint8_t bytes[4096], got[4096];
	size_t len = hello_records(bytes, &shop, 100), n = 0;

	(void)state;
	backend_open(&f);
	start(&f, false);
	f.client = world_connect(f.before.ports[3]);
	world_write(f.client, bytes, len);
	backend_take(&f);
	hand_over(&f);
	assert_int_equal(serve_connections(f.before.serve), 0);
	world_write(f.peer, "answer", 6);
	receive(&f, f.client, "answer");
	while (n < len) {
		ssize_t k;

		both_turn(&f);
		k = recv(f.peer, got + n, sizeof(got) - n, MSG_DONTWAIT);
		n += k > 0 ? (size_t)k : 0;
	}
	assert_memory_equal(got, bytes, len);
	close(f.client);
	f.client = -1;
	receive_end(&f, f.peer);
	close(f.peer);
	f.peer = -1;
	wait_empty(&f);
	assert_int_equal(world_closes(&f.after, SERVE_CLOSE_passed), 1);
	assert_int_equal(f.ended, 0);
	close(f.listening);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_one_goes_on_and_is_counted),
		cmocka_unit_test(one_by_tls_goes_on_and_is_counted),
		cmocka_unit_test(bytes_that_wait_move),
		cmocka_unit_test(bytes_that_wait_for_tls_stay_in_order),
		cmocka_unit_test(a_failure_changes_nothing),
		cmocka_unit_test(one_that_is_half_over_moves),
		cmocka_unit_test(new_keys_stop_nothing),
		cmocka_unit_test(one_may_be_silent_after_it_moved),
		cmocka_unit_test(the_next_process_can_end_it),
		cmocka_unit_test(one_that_nobody_knows_is_closed),
		cmocka_unit_test(one_of_a_backend_moves),
	};

	return cmocka_run_group_tests_name("serve passage", tests, world_setup, world_teardown);
}
