// SPDX-License-Identifier: BSD-3-Clause
// The edge's link against a control process and a data plane that keep to the contract: reports,
// rings, waking, and deaths in any order.
#include "stand.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmocka.h>

// Told again when it changes, and not otherwise.
static void expiry_is_told(void **state)
{
	struct stand *s = *state;
	struct stand_message m;

	stand_start(s, 1);
	for (uint64_t expires_s = 1800000000; expires_s < 1800000002; expires_s++) {
		edge_link_expires(s->link, expires_s);
		stand_turn(s);
		assert_true(stand_told(s, &m) && m.head.kind == TP_SESSION_SYNCED);
		assert_int_equal(m.head.expires_s, expires_s);
		edge_link_expires(s->link, expires_s);
		stand_turn(s);
		assert_false(stand_told(s, &m));
	}
}

static void listeners_come_with_their_file(void **state)
{
	struct stand *s = *state;
	struct tp_addr local = stand_local();
	struct shm_streams edge;

	stand_edge(s, 2, 3, 4);
	stand_turn(s);
	assert_false(edge_link_is_up(s->link).control);
	stand_control(s);
	stand_turn(s);
	assert_int_equal(edge_link_listener(s->link, &local, TP_TRANSPORT_TCP), 0);
	stand_listeners(s, STAND_PAIR, LISTENER);
	stand_turn(s);
	assert_int_equal(edge_link_listener(s->link, &local, TP_TRANSPORT_TCP), LISTENER);
	assert_int_equal(edge_link_listener(s->link, &local, TP_TRANSPORT_TLS), 0);
	assert_int_equal(
		shm_streams_open(&edge, &s->place, SHM_EDGE, STAND_PAIR, 2, 3, false, &s->err), 0);
	shm_streams_close(&edge);
	// A change of the configuration.
	stand_listeners(s, STAND_PAIR, LISTENER + 1);
	stand_turn(s);
	assert_int_equal(edge_link_listener(s->link, &local, TP_TRANSPORT_TCP), LISTENER + 1);
}

static void connections_are_reported(void **state)
{
	struct stand *s = *state;
	struct edge_link_thread *t;
	struct tp_addr none = {.family = TP_FAMILY_IPV4};
	uint64_t a, b;

	stand_start(s, 1);
	t = edge_link_thread(s->link, 0);
	a = stand_open(s, 0, 1001);
	stand_assert_told(s, TP_SESSION_OPENED, a, 1001);
	b = stand_open(s, 0, 1002);
	assert_true(tp_connection_valid(a) && tp_connection_valid(b) && a != b);
	stand_assert_told(s, TP_SESSION_OPENED, b, 1002);
	edge_link_close(t, a);
	stand_assert_told(s, TP_SESSION_CLOSED, a, 1001);
	edge_link_close(t, a);
	assert_true(stand_open(s, 0, 1003) != 0 && stand_open(s, 0, 1004) != 0);
	assert_true(stand_open(s, 0, 1005) != 0);
	assert_true(stand_open(s, 0, 1006) == 0);
	assert_true(edge_link_open(t, LISTENER, &none, 0, &stand_owner) == 0);
	assert_true(edge_link_open(t, 0, &s->edge.slots[0].remote, 0, &stand_owner) == 0);
}

static void flags_are_told(void **state)
{
	struct stand *s = *state;
	struct stand_message m;
	struct tp_addr r = stand_remote(1001);

	stand_start(s, 1);
	assert_true(edge_link_open(edge_link_thread(s->link, 0), LISTENER, &r, TP_REPORT_FRAMED,
			    &stand_owner) != 0);
	edge_link_flush(edge_link_thread(s->link, 0));
	assert_true(stand_told(s, &m));
	assert_int_equal(m.items[0].flags, TP_REPORT_FRAMED);
}

// All that there is, and nothing of those that came and went while nobody listened.
static void control_comes_back(void **state)
{
	struct stand *s = *state;
	struct edge_link_thread *t;
	struct stand_message m;
	uint64_t a, b, c, d;

	stand_start(s, 1);
	t = edge_link_thread(s->link, 0);
	a = stand_open(s, 0, 1001);
	b = stand_open(s, 0, 1002);
	stand_control_kill(s);
	stand_turn(s);
	assert_false(edge_link_is_up(s->link).control);
	edge_link_close(t, a);
	c = stand_open(s, 0, 1003);
	edge_link_close(t, c);
	d = stand_open(s, 0, 1004);
	stand_control(s);
	stand_turn(s);
	assert_false(stand_told(s, &m));
	stand_listeners(s, STAND_PAIR, LISTENER);
	stand_turn(s);
	assert_true(stand_told(s, &m));
	assert_true(m.head.kind == TP_SESSION_OPENED && m.head.n == 2);
	assert_true(m.items[0].connection == d && m.items[1].connection == b);
	stand_assert_synced(s);
}

// A control process that does not read: nothing is lost, the order stays.
static void reports_wait_for_room(void **state)
{
	struct stand *s = *state;
	struct stand_message m;
	uint64_t last = 0;
	unsigned n = 0;

	stand_start(s, 1);
	for (unsigned i = 0; i < 3000; i++) {
		last = stand_open(s, 0, (uint16_t)(1000 + i));
		edge_link_flush(edge_link_thread(s->link, 0));
		edge_link_close(edge_link_thread(s->link, 0), last);
		edge_link_flush(edge_link_thread(s->link, 0));
	}
	last = stand_open(s, 0, 999);
	for (bool more = true; more;) {
		more = false;
		while (stand_told(s, &m)) {
			assert_int_equal(
				m.head.kind, n % 2 == 0 ? TP_SESSION_OPENED : TP_SESSION_CLOSED);
			n++;
			more = true;
		}
		stand_turn(s);
	}
	// A connection that opened and closed meanwhile is no news.
	assert_true(n % 2 == 1 && n < 6001);
	assert_true(m.items[0].connection == last);
}

static void a_wrong_message_ends_the_session(void **state)
{
	struct stand *s = *state;
	uint64_t a;

	stand_start(s, 1);
	a = stand_open(s, 0, 1001);
	stand_assert_told(s, TP_SESSION_OPENED, a, 1001);
	assert_int_equal(send(s->control_fd, "nonsense", 8, 0), 8);
	stand_turn(s);
	stand_listeners(s, STAND_PAIR, LISTENER);
	stand_turn(s);
	stand_assert_told(s, TP_SESSION_OPENED, a, 1001);
	stand_assert_synced(s);
}

static struct tp_ring_slot message_for(uint64_t connection, uint8_t first)
{
	struct tp_ring_slot m = {.len = 1, .connection = connection, .kind = TP_RING_MESSAGE};

	m.data[0] = first;
	return m;
}

// Those that opened in one turn leave together, before the first message of any of them is seen.
static void reports_leave_together(void **state)
{
	struct stand *s = *state;
	struct edge_link_thread *t;
	struct stand_message m;
	struct tp_ring_slot slot;
	uint64_t a, b, c;

	stand_start(s, 1);
	t = edge_link_thread(s->link, 0);
	a = stand_open(s, 0, 1001);
	b = stand_open(s, 0, 1002);
	assert_int_equal(edge_link_send(t, b, "hello", 5), 0);
	assert_false(stand_told(s, &m));
	assert_false(stand_worker_take(s, 0, &slot));
	edge_link_flush(t);
	assert_true(stand_told(s, &m));
	assert_true(m.head.kind == TP_SESSION_OPENED && m.head.n == 2);
	assert_true(m.items[0].connection == a && m.items[1].connection == b);
	assert_true(stand_worker_take(s, 0, &slot) && slot.connection == b);
	// A slot with another connection: its end, then the message.
	edge_link_close(t, a);
	edge_link_close(t, b);
	c = stand_open(s, 0, 1003);
	edge_link_flush(t);
	assert_true(stand_told(s, &m));
	assert_true(m.head.kind == TP_SESSION_CLOSED && m.head.n == 2);
	assert_true(stand_told(s, &m));
	assert_true(m.head.kind == TP_SESSION_OPENED && m.head.n == 1);
	assert_true(m.items[0].connection == c);
	assert_false(stand_told(s, &m));
}

// A thread that waits for room does not sleep once half of the ring is free.
static void room_is_waited_for(void **state)
{
	struct stand *s = *state;
	struct edge_link_thread *t;
	struct tp_ring_slot m;
	unsigned worker = 9, n = 0;
	uint64_t a;

	stand_start(s, 1);
	t = edge_link_thread(s->link, 0);
	a = stand_open(s, 0, 1001);
	assert_true(edge_link_room(t, a, &worker) && worker == 0);
	while (edge_link_send(t, a, "x", 1) == 0)
		n++;
	assert_int_equal(n, TP_RING_SLOTS);
	assert_false(edge_link_room(t, a, &worker));
	assert_true(edge_link_room(t, a + 1, &worker));
	edge_link_want(t, 1);
	edge_link_flush(t);
	for (n = 0; n < TP_RING_SLOTS / 2; n++) {
		assert_true(edge_link_sleep(t));
		edge_link_wake(t);
		assert_true(stand_worker_take(s, 0, &m));
	}
	assert_false(edge_link_sleep(t));
	edge_link_want(t, 0);
	assert_true(edge_link_sleep(t));
	edge_link_wake(t);
}

struct heard {
	unsigned n;
	uint64_t connection;
	uint16_t listener_id;
	struct edge_link_way way;
	uint8_t first;
};

static void on_message(void *ctx, void *of, uint64_t connection, const uint8_t *data, size_t len)
{
	struct heard *h = ctx;

	assert_true(len > 0 && (of == NULL || of == &stand_owner));
	h->n++;
	h->connection = connection;
	h->first = data[0];
}

static void on_datagram(void *ctx, uint16_t listener_id, const struct tp_addr *from,
	const struct edge_link_way *way, const uint8_t *data, size_t len)
{
	struct heard *h = ctx;

	assert_int_equal(from->family, TP_FAMILY_IPV4);
	h->listener_id = listener_id;
	h->way = *way;
	on_message(ctx, NULL, 0, data, len);
}

static void messages_reach_one_worker(void **state)
{
	struct stand *s = *state;
	struct edge_link_thread *t;
	struct tp_ring_slot m;
	unsigned n[2] = {0, 0};
	uint64_t a;

	stand_start(s, 2);
	t = edge_link_thread(s->link, 0);
	a = stand_open(s, 0, 1001);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(edge_link_send(t, a, "hello", 5), 0);
	edge_link_flush(t);
	for (unsigned w = 0; w < 2; w++) {
		while (stand_worker_take(s, w, &m)) {
			struct tp_addr r = stand_remote(1001);

			n[w]++;
			assert_true(m.connection == a && m.local_id == LISTENER && m.len == 5);
			assert_true(m.kind == TP_RING_MESSAGE && tp_addr_equal(&m.remote, &r));
			assert_memory_equal(m.data, "hello", 5);
		}
	}
	assert_true((n[0] == 10 && n[1] == 0) || (n[0] == 0 && n[1] == 10));
	for (unsigned i = 0; i < TP_RING_SLOTS; i++)
		assert_int_equal(edge_link_send(t, a, "x", 1), 0);
	assert_int_equal(edge_link_send(t, a, "x", 1), -ENOBUFS);
	assert_int_equal(edge_link_send(t, a, "x", 0), -EMSGSIZE);
	edge_link_close(t, a);
	assert_int_equal(edge_link_send(t, a, "x", 1), -ESTALE);
}

static void stale_and_bad_messages_are_counted(void **state)
{
	struct stand *s = *state;
	struct edge_link_thread *t;
	struct edge_link_counters c = {0};
	struct heard h = {0};
	const struct edge_link_receiver r = {&h, on_message, on_datagram};
	struct tp_ring_slot m;
	uint64_t a;

	stand_start(s, 2);
	t = edge_link_thread(s->link, 0);
	a = stand_open(s, 0, 1001);
	m = message_for(a, 7);
	stand_worker_put(s, 1, &m);
	m = message_for(a + (1ull << 32), 8); // the next one of the slot
	stand_worker_put(s, 0, &m);
	m = message_for(a | 0x01000000, 8); // another thread's
	stand_worker_put(s, 0, &m);
	m = message_for(a, 9);
	m.len = TP_RING_DATA_MAX + 1;
	stand_worker_put(s, 0, &m);
	m = message_for(5, 22);
	m.kind = TP_RING_DTLS;
	m.tag = 6;
	m.local_id = LISTENER;
	m.remote = stand_remote(1);
	stand_worker_put(s, 1, &m);
	assert_int_equal(edge_link_poll(t, 2, &r), 2);
	assert_int_equal(edge_link_poll(t, 9, &r), 3);
	assert_true(h.n == 2 && h.listener_id == LISTENER);
	assert_true(h.way.next_hop == 5 && h.way.tag == 6 && h.first == 22);
	edge_link_counters_add(s->link, &c);
	assert_true(c.stale == 2 && c.bad == 1 && c.received == 5);
	// Back by the way it came.
	assert_int_equal(edge_link_send_datagram(t, LISTENER, &m.remote, &h.way, "\x14", 1), 0);
	edge_link_flush(t);
	assert_true(stand_worker_take(s, 0, &m) || stand_worker_take(s, 1, &m));
	assert_true(m.kind == TP_RING_DTLS && m.connection == 5 && m.tag == 6);
	assert_int_equal(
		edge_link_send_datagram(t, LISTENER, &m.remote, &h.way, "\x40", 1), -EINVAL);
}

static void drain(int fd)
{
	uint64_t times;

	(void)!read(fd, &times, sizeof(times));
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void each_side_wakes_the_other(void **state)
{
	struct stand *s = *state;
	const struct itimerspec at_once = {.it_value = {.tv_nsec = 1}};
	struct edge_link_thread *t;
	struct heard h = {0};
	const struct edge_link_receiver r = {&h, on_message, on_datagram};
	struct tp_ring_slot m;
	uint64_t a;

	stand_start(s, 1);
	t = edge_link_thread(s->link, 0);
	a = stand_open(s, 0, 1001);
	assert_int_equal(s->n_timers, 1);
	m = message_for(a, 7);
	stand_worker_put(s, 0, &m);
	assert_false(edge_link_sleep(t));
	assert_int_equal(edge_link_poll(t, 5, &r), 1);
	assert_true(edge_link_sleep(t));
	assert_int_equal(atomic_load(&s->edge.header->sides[0].sleeping), 1);
	// The data plane's coming has set it.
	drain(edge_link_thread_fd(t));
	assert_false(readable(edge_link_thread_fd(t)));
	assert_int_equal(
		timerfd_settime(s->thread_timers[0], TFD_TIMER_ABSTIME, &at_once, NULL), 0);
	assert_true(readable(edge_link_thread_fd(t)));
	edge_link_wake(t);
	assert_int_equal(atomic_load(&s->edge.header->sides[0].sleeping), 0);

	assert_int_equal(edge_link_send(t, a, "x", 1), 0);
	edge_link_flush(t);
	assert_false(readable(s->wake_timer));
	atomic_store(&s->stream.header->sides[0].sleeping, 1);
	edge_link_flush(t); // nothing since
	assert_false(readable(s->wake_timer));
	assert_int_equal(edge_link_send(t, a, "x", 1), 0);
	edge_link_flush(t);
	assert_true(readable(s->wake_timer));
}

// Connections stay; a data plane of another shape has another file.
static void dataplane_comes_back(void **state)
{
	struct stand *s = *state;
	struct edge_link_thread *t;
	struct heard h = {0};
	const struct edge_link_receiver r = {&h, on_message, on_datagram};
	struct tp_ring_slot m;
	uint64_t a;

	stand_start(s, 2);
	t = edge_link_thread(s->link, 0);
	a = stand_open(s, 0, 1001);
	for (unsigned n = 2; n > 0; n--) {
		stand_dataplane_kill(s);
		stand_turn(s);
		assert_false(edge_link_is_up(s->link).dataplane);
		stand_dataplane(s, n);
		stand_turn(s);
		// The thread lets go of the old file, then the new one is mapped.
		assert_int_equal(edge_link_poll(t, 1, &r), 0);
		stand_turn(s);
		assert_true(edge_link_is_up(s->link).dataplane);
		// With a fresh file the consumer's word has to be set first.
		assert_int_equal(edge_link_poll(t, 1, &r), 0);
		m = message_for(a, 7);
		stand_worker_put(s, 0, &m);
		assert_int_equal(edge_link_poll(t, 5, &r), 1);
		assert_int_equal(edge_link_send(t, a, "x", 1), 0);
		edge_link_flush(t);
		assert_true(stand_worker_take(s, 0, &m) || (n == 2 && stand_worker_take(s, 1, &m)));
	}
}

// A file that is cut off reads as empty. The first of the tests: cmocka takes SIGBUS for itself at
// each of them, and the link asks for it once.
static void a_file_is_cut_off(void **state)
{
	struct stand *s = *state;
	struct edge_link_thread *t;
	struct heard h = {0};
	const struct edge_link_receiver r = {&h, on_message, on_datagram};
	uint64_t a;

	stand_start(s, 1);
	t = edge_link_thread(s->link, 0);
	a = stand_open(s, 0, 1001);
	assert_int_equal(ftruncate(s->stream.file.fd, 0), 0);
	assert_int_equal(edge_link_poll(t, 5, &r), 0);
	stand_turn(s);
	assert_int_equal(edge_link_send(t, a, "x", 1), -ENOTCONN);
	assert_false(edge_link_is_up(s->link).dataplane);
}

// No handle is given out twice, and messages for the dead one's clients is stale.
static void edge_comes_back(void **state)
{
	struct stand *s = *state;
	struct edge_link_counters c = {0};
	struct heard h = {0};
	const struct edge_link_receiver r = {&h, on_message, on_datagram};
	struct tp_ring_slot m;
	uint64_t a, b;

	stand_start(s, 1);
	a = stand_open(s, 0, 1001);
	m = message_for(a, 7);
	stand_worker_put(s, 0, &m);
	stand_edge(s, 1, 1, 4);
	stand_turn(s);
	stand_listeners(s, STAND_PAIR, LISTENER);
	stand_turn(s);
	stand_assert_synced(s);
	b = stand_open(s, 0, 1002);
	assert_true(tp_connection_egress(a) == tp_connection_egress(b));
	assert_true(tp_connection_generation(b) > tp_connection_generation(a));
	stand_assert_told(s, TP_SESSION_OPENED, b, 1002);
	assert_int_equal(edge_link_poll(edge_link_thread(s->link, 0), 5, &r), 1);
	assert_int_equal(h.n, 0);
	edge_link_counters_add(s->link, &c);
	assert_true(c.stale == 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stand_setup, stand_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_cut_off),
		TEST(listeners_come_with_their_file),
		TEST(expiry_is_told),
		TEST(connections_are_reported),
		TEST(flags_are_told),
		TEST(control_comes_back),
		TEST(reports_wait_for_room),
		TEST(a_wrong_message_ends_the_session),
		TEST(reports_leave_together),
		TEST(messages_reach_one_worker),
		TEST(room_is_waited_for),
		TEST(stale_and_bad_messages_are_counted),
		TEST(each_side_wakes_the_other),
		TEST(dataplane_comes_back),
		TEST(edge_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
