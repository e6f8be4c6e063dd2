// SPDX-License-Identifier: BSD-3-Clause
// Orders of the control process about TCP allocations, and the reports of them.
#include "stand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

struct relaying {
	unsigned begun, orders, due;
	struct tp_session_order last;
	char data[TP_SESSION_DATA_MAX];
};

static bool on_order(void *ctx, const struct tp_session_order *order, const uint8_t *data)
{
	struct relaying *r = ctx;

	r->orders++;
	r->last = *order;
	memcpy(r->data, data, order->data_len);
	return order->kind != 0;
}

static void on_begin(void *ctx)
{
	((struct relaying *)ctx)->begun++;
}

static bool on_due(void *ctx, struct edge_link_report *report)
{
	struct relaying *r = ctx;

	*report = (struct edge_link_report){.kind = TP_SESSION_PEER, .peer.key = r->due};
	return r->due > 0;
}

static void on_told(void *ctx)
{
	((struct relaying *)ctx)->due--;
}

struct order_message {
	struct tp_session_message head;
	struct tp_session_order order;
	char data[TP_SESSION_DATA_MAX + 1];
};

static struct order_message order_of(uint16_t kind, uint16_t data_len)
{
	struct order_message m = {
		.head = {.magic = TP_SESSION_MAGIC, .kind = TP_SESSION_ORDER, .n = 1}};

	m.order.kind = kind;
	m.order.data_len = data_len;
	memset(m.data, 'd', sizeof(m.data));
	return m;
}

static void order_send(struct stand *s, const struct order_message *m, size_t data_len)
{
	size_t size = sizeof(m->head) + sizeof(m->order) + data_len;

	assert_int_equal(send(s->control_fd, m, size, 0), size);
	edge_link_tick(s->link, s->now_ns);
}

static void assert_peers_told(struct stand *s, unsigned n)
{
	for (; n > 0; n--) {
		struct {
			struct tp_session_message head;
			struct tp_session_peer peer;
		} m;

		assert_int_equal(recv(s->control_fd, &m, sizeof(m), 0), sizeof(m));
		assert_int_equal(m.head.kind, TP_SESSION_PEER);
		assert_int_equal(m.peer.key, n);
	}
}

static void orders_and_reports_pass(void **state)
{
	struct relaying r = {.due = 2};
	const struct edge_link_relay relay = {&r, on_order, on_begin, on_due, on_told, 9};
	struct order_message m = order_of(TP_ORDER_JOIN, 9);
	struct stand *s = *state;

	s->relay = &relay;
	stand_control(s);
	stand_edge(s, 1, 1, 4);
	stand_turn(s);
	assert_int_equal(r.begun, 1);
	stand_listeners(s, STAND_PAIR, LISTENER);
	stand_turn(s);
	// Before it is said that all has been told, and how many there can be.
	assert_peers_told(s, 2);
	assert_int_equal(stand_assert_synced(s).peers_max, 9);
	order_send(s, &m, 9);
	assert_true(r.orders == 1 && r.last.kind == TP_ORDER_JOIN && r.data[8] == 'd');
	r.due = 1;
	edge_link_tick(s->link, s->now_ns);
	assert_peers_told(s, 1);
	// Each of these ends a session.
	for (unsigned i = 0; i < 5; i++) {
		size_t data_len = i == 0 ? 8 : 0;

		m = order_of(TP_ORDER_LISTEN, i == 0 ? 9 : i == 1 ? TP_SESSION_DATA_MAX + 1 : 0);
		m.head.n = i == 2 ? 2 : 1;
		m.head.kind = i == 3 ? TP_SESSION_PEER : TP_SESSION_ORDER;
		m.order.kind = i == 4 ? 0 : TP_ORDER_LISTEN;
		order_send(s, &m, i == 1 ? TP_SESSION_DATA_MAX + 1 : data_len);
		assert_false(edge_link_is_up(s->link).control);
		stand_control_kill(s);
		stand_control(s);
		stand_turn(s);
		stand_listeners(s, STAND_PAIR, LISTENER);
		stand_turn(s);
		stand_assert_synced(s);
		assert_int_equal(r.begun, 2 + i);
	}
	assert_int_equal(r.orders, 2);
	s->relay = NULL;
	stand_edge_kill(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			orders_and_reports_pass, stand_setup, stand_teardown),
	};

	return cmocka_run_group_tests_name("edge_link orders", tests, NULL, NULL);
}
