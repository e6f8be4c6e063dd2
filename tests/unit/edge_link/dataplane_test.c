// SPDX-License-Identifier: BSD-3-Clause
// The edge's link against a data plane that keeps to the contract: rings, waking, and deaths in any
// order.
#include "stand.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmocka.h>

static struct tp_ring_slot message_for(uint64_t connection, uint8_t first)
{
	struct tp_ring_slot m = {.len = 1, .connection = connection, .kind = TP_RING_MESSAGE};

	m.data[0] = first;
	return m;
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

static uint32_t cpu_told(const struct stand *s, unsigned thread)
{
	return atomic_load(&s->edge.header->sides[thread].cpu);
}

// A worker gives way to threads on its own core alone.
static void threads_tell_their_processor(void **state)
{
	struct stand *s = *state;
	const struct edge_link_receiver r = {NULL, on_message, on_datagram};
	cpu_set_t all, one;

	stand_start(s, 1);
	assert_int_equal(cpu_told(s, 0), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
		assert_int_equal(edge_link_poll(edge_link_thread(s->link, 0), 1, &r), 0);
		assert_int_equal(cpu_told(s, 0), cpu + 1);
	}
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
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

static bool tries(struct stand *s)
{
	struct pollfd p = {.fd = s->wake_listen_fd, .events = POLLIN};

	s->now_ns += 10 * TP_NS_PER_MS;
	edge_link_tick(s->link, s->now_ns);
	return poll(&p, 1, 0) == 1;
}

// Calls wait for it. After ten seconds it has been stopped rather than killed.
static void one_that_has_gone_is_looked_for(void **state)
{
	struct stand *s = *state;

	stand_start(s, 1);
	assert_int_equal(edge_link_wait_ms(s->link), 100);
	stand_dataplane_kill(s);
	edge_link_tick(s->link, s->now_ns);
	assert_int_equal(edge_link_wait_ms(s->link), 10);
	stand_dataplane(s, 1);
	assert_true(tries(s));
	stand_turn(s);
	assert_int_equal(edge_link_wait_ms(s->link), 100);
	stand_dataplane_kill(s);
	edge_link_tick(s->link, s->now_ns);
	s->now_ns += 10 * TP_NS_PER_S;
	edge_link_tick(s->link, s->now_ns);
	assert_int_equal(edge_link_wait_ms(s->link), 100);
	stand_dataplane(s, 1);
	for (unsigned i = 1; i < 10; i++)
		assert_false(tries(s));
	assert_true(tries(s));
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
		TEST(messages_reach_one_worker),
		TEST(threads_tell_their_processor),
		TEST(room_is_waited_for),
		TEST(stale_and_bad_messages_are_counted),
		TEST(each_side_wakes_the_other),
		TEST(dataplane_comes_back),
		TEST(edge_comes_back),
		TEST(one_that_has_gone_is_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
