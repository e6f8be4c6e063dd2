// SPDX-License-Identifier: BSD-3-Clause
// The fake that stands for <edge/link.h> in tests of the edge keeps the interface's promises.
#include "fake_edge_link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LISTENER 7u

struct heard {
	unsigned n;
	uint64_t connection;
	void *owner;
	uint8_t first;
};

static void on_message(void *ctx, void *owner, uint64_t connection, const uint8_t *data, size_t len)
{
	struct heard *h = ctx;

	assert_true(len > 0);
	h->n++;
	h->owner = owner;
	h->connection = connection;
	h->first = data[0];
}

static void on_datagram(void *ctx, uint16_t listener_id, const struct tp_addr *remote,
	const struct edge_link_way *way, const uint8_t *data, size_t len)
{
	(void)remote;
	assert_int_equal(listener_id, LISTENER);
	assert_int_equal(way->tag, 5);
	on_message(ctx, NULL, 0, data, len);
}

static struct edge_link *make(void)
{
	static const struct edge_link_settings s = {
		.n_workers = 1, .n_threads = 2, .connections_max = 2};
	struct edge_link *l = edge_link_create(&s);
	struct tp_addr local = tp_addr_ipv4(0x0a000001, 3478);

	assert_non_null(l);
	fake_edge_listener(l, LISTENER, &local, TP_TRANSPORT_TLS);
	assert_int_equal(edge_link_listener(l, &local, TP_TRANSPORT_TLS), LISTENER);
	assert_int_equal(edge_link_listener(l, &local, TP_TRANSPORT_TCP), 0);
	return l;
}

static void connections_have_handles(void **state)
{
	struct edge_link *l = make();
	struct edge_link_thread *t = edge_link_thread(l, 1);
	struct tp_addr remote = tp_addr_ipv4(0x0a000002, 5000);
	int owner = 0;
	uint64_t a, b;

	(void)state;
	a = edge_link_open(t, LISTENER, &remote, 0, &owner);
	assert_true(tp_connection_valid(a));
	assert_int_equal(tp_egress_thread(tp_connection_egress(a)), 1);
	assert_true(edge_link_open(t, LISTENER, &remote, 0, &owner) != 0);
	assert_true(edge_link_open(t, LISTENER, &remote, 0, &owner) == 0);
	assert_int_equal(edge_link_send(t, a, "x", 1), 0);
	assert_ptr_equal(edge_link_owner_of(t, a), &owner);
	edge_link_close(t, a);
	assert_null(edge_link_owner_of(t, a));
	assert_int_equal(edge_link_send(t, a, "x", 1), -ESTALE);
	b = edge_link_open(t, LISTENER, &remote, 0, &owner);
	assert_true(b != 0 && b != a);
	assert_int_equal(fake_edge_open(l), 2);
	edge_link_destroy(l);
}

static void messages_go_both_ways(void **state)
{
	struct edge_link *l = make();
	struct edge_link_thread *t = edge_link_thread(l, 0);
	struct tp_addr remote = tp_addr_ipv4(0x0a000002, 5000);
	struct edge_link_way way = {.tag = 5};
	struct fake_edge_message m;
	struct heard h = {0};
	struct edge_link_receiver r = {&h, on_message, on_datagram};
	int owner = 0;
	uint64_t a = edge_link_open(t, LISTENER, &remote, 0, &owner);

	(void)state;
	fake_edge_set_room(l, 2);
	assert_int_equal(edge_link_send(t, a, "\x40", 1), 0);
	assert_int_equal(edge_link_send_datagram(t, LISTENER, &remote, &way, "\x40", 1), -EINVAL);
	assert_int_equal(edge_link_send_datagram(t, LISTENER, &remote, &way, "\x16", 1), 0);
	assert_int_equal(edge_link_send(t, a, "\x40", 1), -ENOBUFS);
	assert_int_equal(edge_link_send(t, a, "", 0), -EMSGSIZE);
	assert_true(fake_edge_take(l, &m) && m.connection == a && m.data[0] == 0x40);
	assert_true(fake_edge_take(l, &m) && m.connection == 0 && m.way.tag == 5);
	assert_false(fake_edge_take(l, &m));

	assert_true(edge_link_sleep(t));
	fake_edge_put(t, &(struct fake_edge_message){.connection = a, .len = 1, .data = {9}});
	fake_edge_put(t, &(struct fake_edge_message){
				 .listener_id = LISTENER, .way = way, .len = 1, .data = {22}});
	fake_edge_put(t,
		&(struct fake_edge_message){.connection = a + (1ull << 32), .len = 1, .data = {3}});
	assert_false(edge_link_sleep(t));
	assert_int_equal(edge_link_poll(t, 1, &r), 1);
	assert_true(h.n == 1 && h.owner == &owner && h.connection == a && h.first == 9);
	assert_int_equal(edge_link_poll(t, 5, &r), 2);
	assert_true(h.n == 2 && h.first == 22);
	edge_link_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_have_handles),
		cmocka_unit_test(messages_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
