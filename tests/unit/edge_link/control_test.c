// SPDX-License-Identifier: BSD-3-Clause
// The edge's link against a control process that keeps to the contract: listeners, reports, and its
// return.
#include "stand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

// Told again when it changes, and not otherwise.
static void expiry_is_told(void **state)
{
	static const uint64_t rows[][2] = {
		{1800000000, 1800000005}, {1800000001, 1800000005}, {1800000001, 1800000007}};
	struct stand *s = *state;
	struct stand_message m;

	stand_start(s, 1);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		edge_link_expires(s->link, rows[i][0], rows[i][1]);
		stand_turn(s);
		assert_true(stand_told(s, &m) && m.head.kind == TP_SESSION_SYNCED);
		assert_int_equal(m.head.expires_s, rows[i][0]);
		assert_int_equal(m.head.expires_span_s, rows[i][1] - rows[i][0]);
		edge_link_expires(s->link, rows[i][0], rows[i][1]);
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

static void handles_name_their_owners(void **state)
{
	struct stand *s = *state;
	struct edge_link_thread *t;
	struct tp_addr remote = tp_addr_ipv4(0x0a000002, 5000);
	int owner = 0;
	uint64_t a;

	stand_start(s, 1);
	t = edge_link_thread(s->link, 0);
	a = edge_link_open(t, LISTENER, &remote, 0, &owner);
	assert_ptr_equal(edge_link_owner_of(t, a), &owner);
	assert_null(edge_link_owner_of(t, a + (UINT64_C(1) << 32)));
	edge_link_close(t, a);
	assert_null(edge_link_owner_of(t, a));
	assert_null(edge_link_owner_of(t, 0));
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, stand_setup, stand_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(listeners_come_with_their_file),
		TEST(expiry_is_told),
		TEST(handles_name_their_owners),
		TEST(connections_are_reported),
		TEST(flags_are_told),
		TEST(control_comes_back),
		TEST(reports_wait_for_room),
		TEST(a_wrong_message_ends_the_session),
		TEST(reports_leave_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
