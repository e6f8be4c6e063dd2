// SPDX-License-Identifier: BSD-3-Clause
// Data connections of TCP allocations, with a peer and a control process that the test plays.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "internal.h"
#include "world.h"

#define KEY 0x123456789u

struct fixture {
	struct world w;
	int client;
	int peer;  // the test's end
	int given; // the edge's
	uint64_t connection;
	unsigned ended;
	uint64_t to_peer, to_client;
	struct meters *meters;
	struct meter *meter; // with a reference for the connection
};

static void on_ended(void *ctx, uint64_t key, uint64_t to_peer, uint64_t to_client)
{
	struct fixture *f = ctx;

	assert_true(key == KEY);
	f->ended++;
	f->to_peer = to_peer;
	f->to_client = to_client;
}

// A request without attributes.
static void request(uint8_t out[20], uint16_t type)
{
	memset(out, 0, 20);
	tp_store_be16(out, type);
	tp_store_be32(out + 4, 0x2112a442);
}

static void start(struct fixture *f)
{
	static const uint8_t key[16] = "meters of a test";
	int fds[2];

	*f = (struct fixture){.client = -1};
	f->meters = meters_create(key);
	f->meter = meter_create(f->meters);
	assert_non_null(meter_ref(f->meter));
	world_start(&f->w, "");
	serve_on_joined(f->w.serve, &(struct serve_joined){.ctx = f, .ended = on_ended});
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	f->peer = fds[0];
	f->given = fds[1];
	f->client = world_connect(f->w.ports[0]);
}

static void stop(struct fixture *f)
{
	close(f->client);
	close(f->peer);
	world_stop(&f->w);
	meter_unref(f->meter);
	meters_destroy(f->meters);
}

// The request, and bytes behind it.
static void ask(struct fixture *f, const void *more, size_t len)
{
	struct fake_edge_message m;
	uint8_t bytes[64];

	request(bytes, CONNECTION_BIND);
	memcpy(bytes + 20, more, len);
	world_write(f->client, bytes, 20 + len);
	world_take(&f->w, &m);
	assert_int_equal(m.len, 20);
	f->connection = m.connection;
}

static void receive(struct fixture *f, int fd, const char *want)
{
	char got[64] = "";
	size_t n = 0;

	for (unsigned i = 0; i < 20000 && n < strlen(want); i++) {
		ssize_t k;

		world_turns(&f->w, 1);
		k = recv(fd, got + n, sizeof(got) - n, MSG_DONTWAIT);
		n += k > 0 ? (size_t)k : 0;
		if (k <= 0)
			usleep(100);
	}
	assert_int_equal(n, strlen(want));
	assert_memory_equal(got, want, n);
}

static void receive_end(struct fixture *f, int fd)
{
	char byte;

	for (unsigned i = 0; i < 20000; i++) {
		world_turns(&f->w, 1);
		if (recv(fd, &byte, 1, MSG_DONTWAIT) == 0)
			return;
		usleep(100);
	}
	fail_msg("no end comes");
}

static void wait_ended(struct fixture *f)
{
	for (unsigned i = 0; i < 20000 && f->ended == 0; i++) {
		world_turns(&f->w, 1);
		usleep(100);
	}
	assert_int_equal(f->ended, 1);
}

static void joined(struct fixture *f)
{
	ask(f, "early", 5);
	serve_join(
		f->w.serve, KEY, f->connection, f->given, f->meter, (const uint8_t *)"answer", 6);
	receive(f, f->client, "answer");
	receive(f, f->peer, "early");
}

static void bytes_pass_both_ways(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	// The peer's first bytes wait in its socket.
	assert_int_equal(send(f.peer, "first", 5, 0), 5);
	ask(&f, "", 0);
	serve_join(f.w.serve, KEY, f.connection, f.given, f.meter, (const uint8_t *)"answer", 6);
	receive(&f, f.client, "answerfirst");
	// Bytes that would be a fault of framing.
	world_write(f.client, "\xff\xff\xff\xff", 4);
	receive(&f, f.peer, "\xff\xff\xff\xff");
	// One end closes, the other goes on.
	assert_int_equal(shutdown(f.client, SHUT_WR), 0);
	receive_end(&f, f.peer);
	assert_int_equal(send(f.peer, "last", 4, 0), 4);
	receive(&f, f.client, "last");
	assert_int_equal(f.ended, 0);
	assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
	wait_ended(&f);
	assert_true(f.to_peer == 4 && f.to_client == 9);
	assert_true(meter_total(f.meter).to_peer == 4 && meter_total(f.meter).to_client == 9);
	assert_int_equal(world_closes(&f.w, SERVE_CLOSE_data), 1);
	stop(&f);
}

static void bytes_behind_the_request_are_the_peers(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	joined(&f);
	close(f.client);
	f.client = -1;
	receive_end(&f, f.peer);
	close(f.peer);
	f.peer = -1;
	wait_ended(&f);
	assert_int_equal(f.to_peer, 5);
	stop(&f);
}

static void refused_one_stays_a_client(void **state)
{
	struct fake_edge_message m;
	struct fixture f;
	uint8_t next[20], error[20];

	(void)state;
	start(&f);
	request(next, 1);
	ask(&f, next, sizeof(next));
	// It is not read meanwhile.
	world_turns(&f.w, 50);
	assert_false(fake_edge_take(f.w.link, &m));
	// Nor after the answer to another request.
	request(error, 0x0101);
	world_put(&f.w, f.connection, error, sizeof(error));
	world_turns(&f.w, 50);
	assert_false(fake_edge_take(f.w.link, &m));
	request(error, 0x011b);
	world_put(&f.w, f.connection, error, sizeof(error));
	world_take(&f.w, &m);
	assert_true(m.len == 20 && tp_load_be16(m.data) == 1);
	// As before.
	world_write(f.client, next, sizeof(next));
	world_take(&f.w, &m);
	assert_int_equal(m.len, 20);
	close(f.given);
	meter_unref(f.meter);
	stop(&f);
}

static void control_ends_it(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	joined(&f);
	serve_part(f.w.serve, KEY, f.connection);
	wait_ended(&f);
	receive_end(&f, f.client);
	receive_end(&f, f.peer);
	stop(&f);
}

static void control_ends_one_that_is_half_over(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	joined(&f);
	shutdown(f.client, SHUT_WR);
	receive_end(&f, f.peer);
	serve_part(f.w.serve, KEY, f.connection);
	wait_ended(&f);
	receive_end(&f, f.client);
	stop(&f);
}

// The connection is gone, never asked, or is of no thread.
static void nobody_to_join(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	serve_join(f.w.serve, KEY, 5, f.given, f.meter, (const uint8_t *)"answer", 6);
	assert_int_equal(f.ended, 1);
	receive_end(&f, f.peer);
	stop(&f);
	start(&f);
	ask(&f, "", 0);
	serve_join(f.w.serve, KEY, f.connection + (UINT64_C(1) << 32), f.given, f.meter,
		(const uint8_t *)"answer", 6);
	wait_ended(&f);
	receive_end(&f, f.peer);
	stop(&f);
}

static void stop_ends_all(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	joined(&f);
	world_stop(&f.w);
	assert_int_equal(f.ended, 1);
	close(f.client);
	close(f.peer);
	meter_unref(f.meter);
	meters_destroy(f.meters);
}

// A cap so low that the test ends before its bucket has a bit again.
static void cap(struct fixture *f, uint64_t bits_per_s)
{
	const struct tp_session_cap caps[TP_SESSION_CAPS_MAX] = {
		{.id = bits_per_s != 0 ? 1 : 0, .bits_per_s = bits_per_s, .burst_bits = 8}};

	meter_caps_set(f->meter, caps, f->w.serve->threads[0]->now_ns);
}

static void receive_nothing(struct fixture *f, int fd)
{
	char byte;

	world_turns(&f->w, 200);
	assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) < 0);
}

static void capped_one_waits_and_loses_nothing(void **state)
{
	struct serve_counters c;
	struct fixture f;

	(void)state;
	start(&f);
	cap(&f, 1);
	joined(&f);
	// The bytes behind the request have used up all.
	world_write(f.client, "later", 5);
	assert_int_equal(send(f.peer, "back", 4, 0), 4);
	receive_nothing(&f, f.client);
	receive_nothing(&f, f.peer);
	// More of them are no way around.
	world_write(f.client, ", more", 6);
	receive_nothing(&f, f.peer);
	serve_counters_read(f.w.serve, &c);
	assert_true(c.data_waits > 0);
	cap(&f, 0);
	receive(&f, f.peer, "later, more");
	receive(&f, f.client, "back");
	assert_int_equal(meter_total(f.meter).to_peer, 16);
	stop(&f);
	assert_int_equal(f.ended, 1);
}

static void capped_one_can_be_ended(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	cap(&f, 1);
	joined(&f);
	world_write(f.client, "later", 5);
	receive_nothing(&f, f.peer);
	serve_part(f.w.serve, KEY, f.connection);
	wait_ended(&f);
	receive_end(&f, f.peer);
	stop(&f);
}

// However many connections the thread has, none of the others is looked at.
static void an_order_finds_its_connection_by_the_handle(void **state)
{
	struct fake_edge_message m;
	struct fixture f;
	uint8_t bytes[20];
	int other;

	(void)state;
	start(&f);
	other = world_connect(f.w.ports[0]);
	request(bytes, CONNECTION_BIND);
	world_write(other, bytes, sizeof(bytes));
	world_take(&f.w, &m);
	joined(&f);
	assert_int_equal(fake_edge_owners_asked(f.w.link), 1);
	// The other one has asked, and is no data connection yet.
	serve_part(f.w.serve, KEY, m.connection);
	world_turns(&f.w, 50);
	assert_int_equal(f.ended, 0);
	serve_part(f.w.serve, KEY, f.connection);
	wait_ended(&f);
	assert_int_equal(fake_edge_owners_asked(f.w.link), 3);
	close(other);
	stop(&f);
}

// The thread sees both in the same turn, twice.
static void orders_are_obeyed_one_after_the_other(void **state)
{
	struct fixture f;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start(&f);
		ask(&f, "", 0);
		serve_part(f.w.serve, KEY, f.connection);
		serve_part(f.w.serve, KEY, f.connection);
		world_turns(&f.w, 5);
		serve_join(f.w.serve, KEY, f.connection, f.given, f.meter,
			(const uint8_t *)"answer", 6);
		serve_part(f.w.serve, KEY, f.connection);
		wait_ended(&f);
		receive_end(&f, f.peer);
		stop(&f);
	}
}

// Of joined ones alone.
static bool count(void *ctx, const uint8_t *bytes, size_t len, int fd, int far)
{
	(void)bytes;
	(void)len;
	*(unsigned *)ctx += fd >= 0 && far >= 0;
	return true;
}

// The order that its thread has not seen yet, too, is obeyed by the process that got it: the next
// one is shown both sockets.
static void an_order_comes_before_a_pause(void **state)
{
	struct fixture f;
	unsigned shown = 0;
	const struct serve_next to = {.ctx = &shown, .connection = count};
	char got[8];

	(void)state;
	start(&f);
	ask(&f, "early", 5);
	serve_join(f.w.serve, KEY, f.connection, f.given, f.meter, (const uint8_t *)"answer", 6);
	serve_pause(f.w.serve);
	assert_int_equal(serve_hand(f.w.serve, &to), 1);
	assert_int_equal(shown, 1);
	serve_stay(f.w.serve);
	assert_int_equal(f.ended, 0);
	assert_int_equal(recv(f.client, got, sizeof(got), MSG_DONTWAIT), 6);
	// It goes on as before.
	receive(&f, f.peer, "early");
	assert_int_equal(send(f.peer, "late", 4, 0), 4);
	receive(&f, f.client, "late");
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_pass_both_ways),
		cmocka_unit_test(bytes_behind_the_request_are_the_peers),
		cmocka_unit_test(refused_one_stays_a_client),
		cmocka_unit_test(control_ends_it),
		cmocka_unit_test(control_ends_one_that_is_half_over),
		cmocka_unit_test(nobody_to_join),
		cmocka_unit_test(stop_ends_all),
		cmocka_unit_test(capped_one_waits_and_loses_nothing),
		cmocka_unit_test(capped_one_can_be_ended),
		cmocka_unit_test(an_order_finds_its_connection_by_the_handle),
		cmocka_unit_test(orders_are_obeyed_one_after_the_other),
		cmocka_unit_test(an_order_comes_before_a_pause),
	};

	return cmocka_run_group_tests_name("serve join", tests, world_setup, world_teardown);
}
