// SPDX-License-Identifier: BSD-3-Clause
// Back-pressure: clients whose messages find no room are not read, and lose nothing.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <turnpike/stun.h>

#include "internal.h"
#include "world.h"

#define LEN 12u // of a numbered message

// ChannelData with its number.
static void numbered(uint8_t out[LEN], uint32_t number)
{
	static const uint8_t head[] = {0x40, 0, 0, 8, 'd', 'a', 't', 'a'};

	memcpy(out, head, sizeof(head));
	tp_store_be32(out + 8, number);
}

static void numbers_write(int fd, uint32_t first, uint32_t n)
{
	uint8_t *bytes = malloc((size_t)n * LEN);

	assert_non_null(bytes);
	for (uint32_t i = 0; i < n; i++)
		numbered(bytes + (size_t)i * LEN, first + i);
	world_write(fd, bytes, (size_t)n * LEN);
	free(bytes);
}

static uint64_t counter(struct world *w, size_t offset)
{
	struct serve_counters c;

	serve_counters_read(w->serve, &c);
	return *(uint64_t *)(void *)((char *)&c + offset);
}

#define COUNTER(w, name) counter(w, offsetof(struct serve_counters, name))

// All messages that have come, each the next of its connection. Returns how many.
static uint32_t take_all(struct world *w, uint64_t connection, uint32_t first)
{
	struct fake_edge_message m;
	uint32_t n = 0;

	while (fake_edge_take(w->link, &m)) {
		assert_true(m.connection == connection);
		assert_int_equal(m.len, LEN);
		assert_int_equal(tp_load_be32(m.data + 8), first + n);
		n++;
	}
	return n;
}

// Connects, and sends a request, which tells the handle.
static int begin(struct world *w, uint64_t *connection)
{
	static const uint8_t binding[TP_STUN_HEADER_LEN] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	struct fake_edge_message m;
	int fd = world_connect(w->ports[0]);

	world_turns(w, 3);
	world_write(fd, binding, sizeof(binding));
	world_take(w, &m);
	*connection = m.connection;
	return fd;
}

static void settle(struct world *w)
{
	for (unsigned i = 0; i < 50; i++) {
		world_turns(w, 1);
		usleep(100);
	}
}

static void a_full_ring_loses_nothing(void **state)
{
	struct world w = {.unnamed = false};
	uint32_t seen = 1, rooms = 0;
	uint64_t a;
	int fd;

	(void)state;
	world_start(&w, "");
	fd = begin(&w, &a);
	fake_edge_set_room(w.link, 5);
	numbers_write(fd, 1, 999);
	settle(&w);
	seen += take_all(&w, a, seen);
	assert_int_equal(seen, 6);
	assert_int_equal(fake_edge_wanted(edge_link_thread(w.link, 0)), 1);
	assert_int_equal(COUNTER(&w, held), 1);
	// Nothing is tried without room.
	world_turns(&w, 100);
	assert_int_equal(COUNTER(&w, held), 1);
	for (; seen < 1000 && rooms < 1000; rooms++) {
		fake_edge_set_room(w.link, 7);
		world_turns(&w, 3);
		seen += take_all(&w, a, seen);
	}
	fake_edge_set_room(w.link, UINT32_MAX);
	settle(&w);
	assert_int_equal(seen, 1000);
	assert_int_equal(fake_edge_wanted(edge_link_thread(w.link, 0)), 0);
	assert_int_equal(COUNTER(&w, messages_in), 1000);
	assert_int_equal(COUNTER(&w, messages_full), 0);
	// It is read again.
	numbers_write(fd, 1000, 1);
	settle(&w);
	assert_int_equal(take_all(&w, a, 1000), 1);
	close(fd);
	world_stop(&w);
}

// Nothing is read into memory: the kernel's buffers fill, and the client can't send.
static void tcp_slows_the_client_down(void **state)
{
	struct world w = {.unnamed = false};
	uint8_t bytes[LEN * 1000];
	uint64_t a, sent = 0, seen = 0;
	ssize_t n = 1;
	int fd, quiet = 0;

	(void)state;
	world_start(&w, "");
	fd = begin(&w, &a);
	fake_edge_set_room(w.link, 0);
	for (size_t i = 0; i < 1000; i++)
		numbered(bytes + i * LEN, 1);
	while (quiet < 20) {
		n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
		sent += n > 0 ? (uint64_t)n : 0;
		assert_true(n == sizeof(bytes) || (n < 0 && errno == EAGAIN) || n > 0);
		// A part of a write ends the load: the messages must stay whole.
		if (n > 0 && n < (ssize_t)sizeof(bytes))
			break;
		quiet = n > 0 ? 0 : quiet + 1;
		world_turns(&w, 1);
	}
	assert_true(sent > sizeof(bytes));
	fake_edge_set_room(w.link, UINT32_MAX);
	for (unsigned i = 0; i < 20000 && seen < sent / LEN; i++) {
		struct fake_edge_message m;

		world_turns(&w, 1);
		while (fake_edge_take(w.link, &m))
			seen++;
	}
	assert_int_equal(seen, sent / LEN);
	close(fd);
	world_stop(&w);
}

// One with much to say leaves room to one with little.
static void held_connections_take_turns(void **state)
{
	struct world w = {.unnamed = false};
	struct fake_edge_message m;
	uint32_t before = 0, n = 0;
	uint64_t a, b;
	int much, little;

	(void)state;
	world_start(&w, "");
	much = begin(&w, &a);
	little = begin(&w, &b);
	fake_edge_set_room(w.link, 0);
	numbers_write(much, 1, 1000);
	settle(&w);
	numbers_write(little, 1, 1);
	settle(&w);
	assert_int_equal(COUNTER(&w, held), 2);
	fake_edge_set_room(w.link, 500);
	settle(&w);
	for (; fake_edge_take(w.link, &m); n++) {
		if (m.connection == b)
			before = n;
	}
	assert_int_equal(n, 500);
	assert_int_equal(before, SERVE_SHARE);
	close(much);
	close(little);
	world_stop(&w);
}

static void a_data_plane_that_is_away_loses_nothing(void **state)
{
	struct edge_link_up up = {true, false};
	struct world w = {.unnamed = false};
	uint64_t a;
	int fd;

	(void)state;
	world_start(&w, "");
	fd = begin(&w, &a);
	fake_edge_set_up(w.link, up);
	numbers_write(fd, 1, 20);
	settle(&w);
	assert_int_equal(take_all(&w, a, 1), 0);
	up.dataplane = true;
	fake_edge_set_up(w.link, up);
	settle(&w);
	assert_int_equal(take_all(&w, a, 1), 20);
	close(fd);
	world_stop(&w);
}

// The other direction goes on, and the end of a held one is seen.
static void a_held_connection_still_receives(void **state)
{
	static const struct linger reset = {.l_onoff = 1};
	struct world w = {.unnamed = false};
	uint8_t bytes[64];
	ssize_t n = 0;
	uint64_t a;
	int fd;

	(void)state;
	world_start(&w, "");
	fd = begin(&w, &a);
	fake_edge_set_room(w.link, 0);
	numbers_write(fd, 1, 10);
	settle(&w);
	assert_int_equal(COUNTER(&w, held), 1);
	numbered(bytes, 77);
	world_put(&w, a, bytes, LEN);
	for (unsigned i = 0; i < 1000 && n == 0; i++) {
		world_turns(&w, 1);
		n = world_read(fd, bytes, sizeof(bytes));
	}
	assert_int_equal(n, LEN);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(fd);
	for (unsigned i = 0; i < 1000 && fake_edge_open(w.link) > 0; i++)
		world_turns(&w, 1);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_broken), 1);
	world_turns(&w, 1);
	assert_int_equal(fake_edge_wanted(edge_link_thread(w.link, 0)), 0);
	world_stop(&w);
}

// While it is away all wait together. Behind one whose ring is full afterwards the others go on.
static void workers_part_again(void **state)
{
	struct edge_link_up up = {true, false};
	struct world w = {.n_workers = 2};
	struct fake_edge_message m;
	uint64_t a, b;
	int first, second;

	(void)state;
	world_start(&w, "");
	first = begin(&w, &a);
	second = begin(&w, &b);
	fake_edge_set_up(w.link, up);
	numbers_write(first, 1, 20);
	settle(&w);
	numbers_write(second, 1, 20);
	settle(&w);
	assert_int_equal(fake_edge_wanted(edge_link_thread(w.link, 0)), 1);
	fake_edge_set_full(w.link, 1ull << tp_egress_slot(tp_connection_egress(a)) % 2);
	up.dataplane = true;
	fake_edge_set_up(w.link, up);
	settle(&w);
	assert_int_equal(take_all(&w, b, 1), 20);
	assert_int_equal(fake_edge_wanted(edge_link_thread(w.link, 0)),
		1ull << tp_egress_slot(tp_connection_egress(a)) % 2);
	fake_edge_set_full(w.link, 0);
	settle(&w);
	assert_int_equal(take_all(&w, a, 1), 20);
	assert_false(fake_edge_take(w.link, &m));
	close(first);
	close(second);
	world_stop(&w);
}

#define FLOODS 20u

static size_t kept_bytes(const struct world *w)
{
	const struct ds_list *lane = &w->serve->threads[0]->held[0];
	size_t n = 0;

	for (const struct ds_list *k = lane->next; k != lane; k = k->next)
		n += DS_CONTAINER(k, const struct conn, again)->n_partial;
	return n;
}

// Of one that is held again and again few bytes are read.
static void floods_are_kept_in_the_kernel(void **state)
{
	struct world w = {.unnamed = false};
	struct fake_edge_message m;
	uint64_t handle;
	size_t most = 0;
	int fds[FLOODS];

	(void)state;
	world_start(&w, "");
	for (unsigned i = 0; i < FLOODS; i++)
		fds[i] = begin(&w, &handle);
	fake_edge_set_room(w.link, 0);
	for (unsigned i = 0; i < FLOODS; i++)
		numbers_write(fds[i], 1, 6000);
	settle(&w);
	for (unsigned i = 0; i < 8; i++) {
		fake_edge_set_room(w.link, 10 * FLOODS);
		settle(&w);
		while (fake_edge_take(w.link, &m))
			;
		most = kept_bytes(&w) > most ? kept_bytes(&w) : most;
	}
	assert_int_equal(COUNTER(&w, messages_full), 0);
	assert_in_range(most, 1, SERVE_SCRATCH + FLOODS * SERVE_HELD_READ);
	for (unsigned i = 0; i < FLOODS; i++)
		close(fds[i]);
	world_stop(&w);
}

// Messages that the session has decrypted, and an end behind them.
static void tls_is_held_too(void **state)
{
	struct world w = {.unnamed = false};
	struct fake_edge_message m;
	struct world_client c;
	uint8_t bytes[LEN * 100];
	uint32_t seen = 0;

	(void)state;
	world_start(&w, "");
	world_client_start(&c, w.ports[0]);
	world_client_shake(&w, &c);
	fake_edge_set_room(w.link, 3);
	for (uint32_t record = 0; record < 10; record++) {
		for (uint32_t i = 0; i < 100; i++)
			numbered(bytes + (size_t)i * LEN, record * 100 + i);
		assert_int_equal(SSL_write(c.ssl, bytes, sizeof(bytes)), sizeof(bytes));
	}
	SSL_shutdown(c.ssl);
	settle(&w);
	assert_int_equal(fake_edge_open(w.link), 1);
	for (unsigned i = 0; i < 1000 && seen < 1000; i++) {
		while (fake_edge_take(w.link, &m)) {
			assert_int_equal(tp_load_be32(m.data + 8), seen);
			seen++;
		}
		fake_edge_set_room(w.link, 11);
		world_turns(&w, 2);
	}
	assert_int_equal(seen, 1000);
	settle(&w);
	assert_int_equal(fake_edge_open(w.link), 0);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_client), 1);
	world_client_end(&c);
	world_stop(&w);
}

// A turn takes messages for its connections also between writes.
static void rings_are_emptied_between_writes(void **state)
{
	enum { CONNECTIONS = 3 * SERVE_WRITES, MESSAGES = 2 * SERVE_MESSAGES };
	struct world w = {.unnamed = false};
	uint64_t connections[CONNECTIONS], writes;
	int fds[CONNECTIONS];
	uint8_t bytes[LEN];

	(void)state;
	world_start(&w, "  connections_per_prefix: 0\n");
	for (unsigned i = 0; i < CONNECTIONS; i++)
		fds[i] = begin(&w, &connections[i]);
	writes = COUNTER(&w, writes);
	numbered(bytes, 1);
	for (unsigned i = 0; i < MESSAGES; i++)
		world_put(&w, connections[i % CONNECTIONS], bytes, LEN);
	world_turns(&w, 1);
	assert_int_equal(COUNTER(&w, messages_out), MESSAGES);
	// Those that were written to before the second look have their turn next.
	world_turns(&w, 1);
	assert_int_equal(COUNTER(&w, bytes_out), MESSAGES * LEN);
	assert_int_equal(COUNTER(&w, writes) - writes, CONNECTIONS + SERVE_WRITES);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		close(fds[i]);
	world_stop(&w);
}

// A turn brings more for a client than may wait for one.
static void a_reader_loses_nothing_in_a_turn(void **state)
{
	enum { MESSAGES = 3 * 16384 / LEN };
	uint8_t bytes[MESSAGES * LEN];
	struct world w = {.unnamed = false};
	uint64_t connection;
	int fd;

	(void)state;
	world_start(&w, "  queue_bytes: 16384\n");
	fd = begin(&w, &connection);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		numbered(bytes, i);
		world_put(&w, connection, bytes, LEN);
	}
	world_turns(&w, (MESSAGES + SERVE_MESSAGES - 1) / SERVE_MESSAGES);
	assert_int_equal(COUNTER(&w, messages_out), MESSAGES);
	assert_int_equal(COUNTER(&w, lost_full), 0);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_WAITALL), sizeof(bytes));
	for (uint32_t i = 0; i < MESSAGES; i++)
		assert_int_equal(tp_load_be32(bytes + (size_t)i * LEN + 8), i);
	close(fd);
	world_stop(&w);
}

static uint64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * TP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

// More messages than a turn takes from the rings, which are emptied while others gather.
static void rings_are_emptied_while_messages_gather(void **state)
{
	enum { MESSAGES = SERVE_MESSAGES + 1000 };
	uint8_t bytes[MESSAGES * LEN];
	struct world w = {.unnamed = false};
	struct serve_thread *t;
	uint64_t connection, due_ns;
	int fd;

	(void)state;
	world_start(&w, "");
	fd = begin(&w, &connection);
	t = w.serve->threads[0];
	for (uint32_t i = 0; i < MESSAGES; i++) {
		numbered(bytes, i);
		world_put(&w, connection, bytes, LEN);
	}
	due_ns = boottime_ns() + 20 * TP_NS_PER_MS;
	t->gather =
		(struct gather){.gap_ns = GATHER_GAP_MAX_NS, .due_ns = due_ns, .judged_ns = due_ns};
	assert_true(thread_turn(t, true));
	assert_true(boottime_ns() >= due_ns);
	assert_int_equal(COUNTER(&w, messages_out), MESSAGES);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_WAITALL), sizeof(bytes));
	close(fd);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_ring_loses_nothing),
		cmocka_unit_test(tcp_slows_the_client_down),
		cmocka_unit_test(held_connections_take_turns),
		cmocka_unit_test(a_data_plane_that_is_away_loses_nothing),
		cmocka_unit_test(a_held_connection_still_receives),
		cmocka_unit_test(tls_is_held_too),
		cmocka_unit_test(workers_part_again),
		cmocka_unit_test(floods_are_kept_in_the_kernel),
		cmocka_unit_test(rings_are_emptied_between_writes),
		cmocka_unit_test(a_reader_loses_nothing_in_a_turn),
		cmocka_unit_test(rings_are_emptied_while_messages_gather),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
