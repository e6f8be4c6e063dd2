// SPDX-License-Identifier: BSD-3-Clause
// TCP allocations (RFC 6062): the listeners they order from the edge, and their end.
#include "tcp.h"

static void only_streams_get_one(void **state)
{
	static const struct {
		uint16_t type;
		uint16_t len;
	} senseless[] = {{ATTR_EVEN_PORT, 1}, {ATTR_RESERVATION_TOKEN, 8}, {ATTR_DONT_FRAGMENT, 0}};
	static const uint8_t zeros[8];
	struct fixture f;
	struct client udp;
	struct msg m;

	(void)state;
	tcp_init(&f);
	client_init(&udp, 0xc6336402, 6000);
	client_challenge(&f.h, &udp);
	assert_int_equal(client_allocate_tcp(&f.h, &udp), 400);
	tcp_connection_open(&f, &f.c, 5000, NULL);
	for (size_t i = 0; i < TP_ARRAY_LEN(senseless); i++) {
		client_start(&f.c, &m, MSG_ALLOCATE);
		msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 6u << 24);
		msg_attr(&m, senseless[i].type, zeros, senseless[i].len);
		assert_int_equal(client_finish(&f.h, &f.c, &m), 400);
	}
	f.h.conf.tcp_relay = false;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(client_allocate_tcp(&f.h, &f.c), 442);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_TRANSPORT);
	// DTLS is a stream of datagrams.
	f.h.conf.tcp_relay = true;
	f.h.listeners[1].transport = TP_TRANSPORT_DTLS;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(client_allocate_tcp(&f.h, &f.c), 400);
	assert_int_equal(f.h.n_orders, 0);
	harness_stop(&f.h);
}

static void allocation_begins_and_ends_a_listener(void **state)
{
	struct fixture f;
	struct tp_addr local;

	(void)state;
	tcp_allocate(&f);
	local = f.c.relayed;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &(struct tp_addr){0}), 403);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_NOT_UDP);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(f.h.n_orders, 2);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_UNLISTEN);
	assert_true(tp_addr_equal(&f.h.orders[1].local, &local));
	harness_stop(&f.h);
}

static void listener_that_fails_ends_it(void **state)
{
	struct tp_session_relay r = {.state = TP_RELAY_LISTENS};
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	r.local = f.c.relayed;
	turn_relay_reported(f.h.s, f.h.now_ns, &r);
	harness_drain(&f.h);
	assert_int_equal(f.h.n_closed, 0);
	r.state = TP_RELAY_FAILED;
	turn_relay_reported(f.h.s, f.h.now_ns, &r);
	harness_drain(&f.h);
	assert_int_equal(f.h.n_closed, 1);
	assert_int_equal(f.h.reason, TURN_CLOSE_RELAY);
	// Nobody waits for its last bytes.
	assert_true(f.h.store.allocations[0].is_last);
	// One of no allocation is not to be.
	f.h.n_orders = 0;
	r.state = TP_RELAY_LISTENS;
	turn_relay_reported(f.h.s, f.h.now_ns, &r);
	harness_drain(&f.h);
	assert_true(f.h.n_orders == 1 && f.h.orders[0].kind == TP_ORDER_UNLISTEN);
	harness_stop(&f.h);
}

static void allocation_takes_its_connections_along(void **state)
{
	struct tp_addr peer = tcp_peer(80);
	struct tp_session_order o;
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	o = tcp_last_order(&f);
	assert_int_equal(turn_stream_closed(f.h.s, f.h.now_ns, &f.c.tuple), 0);
	harness_drain(&f.h);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_UNLISTEN);
	assert_int_equal(turn_get_counters(f.h.s)->data_closed, 1);
	// It came about meanwhile.
	tcp_report_order(&f, &o, TP_PEER_WAITS);
	assert_int_equal(f.h.reply_len, 0);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_CLOSE);
	f.h.n_orders = 0;
	tcp_report_order(&f, &o, TP_PEER_GONE);
	assert_int_equal(f.h.n_orders, 0);
	harness_stop(&f.h);
}

static void policy_ends_connections(void **state)
{
	struct tp_addr peer = tcp_peer(80);
	struct policy_config deny = {.own = NULL};
	struct policy *policy;
	struct text_scope all = {.cidr = {.ip = {.family = TP_FAMILY_IPV4}}};
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	deny.deny = &all;
	deny.n_deny = 1;
	policy = policy_create(&deny);
	assert_non_null(policy);
	f.h.realms[0].policy = policy;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	turn_advance(f.h.s, f.h.now_ns, 1000);
	harness_drain(&f.h);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_CLOSE);
	assert_int_equal(tcp_connect(&f, &peer), 403);
	harness_stop(&f.h);
	policy_destroy(policy);
}

// The edge goes on meanwhile, and reports all that it has.
static void restart_finds_them_again(void **state)
{
	struct tp_addr peer = tcp_peer(80), late = tcp_peer(81);
	struct tp_session_order o, failing;
	struct client data;
	struct fixture f;
	uint32_t id;

	(void)state;
	tcp_allocate(&f);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	o = tcp_last_order(&f);
	assert_int_equal(tcp_connect(&f, &late), 1);
	failing = tcp_last_order(&f);
	harness_restart(&f.h);
	assert_int_equal(turn_stream_opened(f.h.s, f.h.now_ns, &f.c.tuple, false), 0);
	f.h.n_orders = 0;
	tcp_report_order(&f, &failing, TP_PEER_GONE);
	tcp_assert_answer(&f, 447);
	memcpy(f.c.txid, ((const uint8_t *)&o.note) + 8, TXID_LEN);
	tcp_report_order(&f, &o, TP_PEER_WAITS);
	tcp_assert_answer(&f, 0);
	id = reply_u32(&f.h, ATTR_CONNECTION_ID);
	turn_edge_synced(f.h.s, 0);
	harness_drain(&f.h);
	assert_true(f.h.n_orders == 1 && f.h.orders[0].kind == TP_ORDER_LISTEN);
	f.c.txid[0] = 0x55;
	assert_int_equal(tcp_connect(&f, &peer), 446);
	tcp_connection_open(&f, &data, 5001, NULL);
	assert_int_equal(tcp_join(&f, &data, id), 0);
	// Another session of the same edge, which has it no more.
	turn_streams_lost(f.h.s, f.h.now_ns);
	assert_int_equal(turn_stream_opened(f.h.s, f.h.now_ns, &f.c.tuple, false), 0);
	turn_edge_synced(f.h.s, 0);
	harness_drain(&f.h);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	harness_stop(&f.h);
}

static void bytes_are_the_allocations(void **state)
{
	struct tp_session_relay r = {.state = TP_RELAY_LISTENS, .to_peer = 100, .to_client = 70};
	const struct fake_allocation *a;
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	a = client_allocation(&f.h, &f.c);
	r.local = f.c.relayed;
	turn_relay_reported(f.h.s, f.h.now_ns, &r);
	assert_true(a->to_peer == 100 && a->to_client == 70);
	// At an address of no allocation.
	r.local.port_be ^= 1;
	r.to_peer = 500;
	turn_relay_reported(f.h.s, f.h.now_ns, &r);
	assert_int_equal(a->to_peer, 100);
	harness_stop(&f.h);
}

// They come after the end of the allocation, also where this process did not see it.
static void last_bytes_are_the_allocations(void **state)
{
	struct tp_session_relay r = {.state = TP_RELAY_LISTENS, .to_peer = 100, .to_client = 70};
	struct tp_session_order listen;
	const struct fake_allocation *a;
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	a = client_allocation(&f.h, &f.c);
	listen = tcp_last_order(&f);
	assert_int_equal(listen.key, a->ref);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(tcp_last_order(&f).key, listen.key);
	harness_restart(&f.h);
	// An order was lost: it is given again, by the same key.
	r.local = listen.local;
	r.key = listen.key;
	f.h.n_orders = 0;
	turn_relay_reported(f.h.s, f.h.now_ns, &r);
	harness_drain(&f.h);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_UNLISTEN);
	assert_int_equal(tcp_last_order(&f).key, listen.key);
	assert_false(a->is_last);
	r.state = TP_RELAY_ENDED;
	r.to_client = 75;
	f.h.n_orders = 0;
	turn_relay_reported(f.h.s, f.h.now_ns, &r);
	harness_drain(&f.h);
	assert_true(a->is_last && a->to_peer == 100 && a->to_client == 75);
	assert_int_equal(f.h.n_orders, 0);
	harness_stop(&f.h);
}

static void assert_caps(const struct fixture *f, unsigned n, const uint64_t *bits_per_s)
{
	struct tp_session_order o = tcp_last_order(f);

	assert_int_equal(o.kind, TP_ORDER_LISTEN);
	for (unsigned i = 0; i < n; i++) {
		assert_true(o.caps[i].id != 0 && o.caps[i].bits_per_s == bits_per_s[i]);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(o.caps[i].id, o.caps[k].id);
	}
	assert_true(n == TP_SESSION_CAPS_MAX || o.caps[n].id == 0);
}

static void advance(struct fixture *f)
{
	turn_advance(f->h.s, f->h.now_ns, 1000);
	harness_drain(&f->h);
}

static void caps_go_with_the_listener(void **state)
{
	static const uint64_t all[] = {1000000, 2000000, 3000000, 4000000},
			      some[] = {1000000, 3000000};
	struct turn_realm_conf *realm;
	struct fixture f;

	(void)state;
	tcp_init(&f);
	realm = &f.h.realms[0];
	realm->allocation_cap = (struct turn_cap){.bits_per_s = all[0], .burst_bits = 40000};
	realm->user_cap = (struct turn_cap){.bits_per_s = all[1], .burst_bits = 40000};
	realm->realm_cap = (struct turn_cap){.bits_per_s = all[2], .burst_bits = 40000};
	f.h.conf.all_cap = (struct turn_cap){.bits_per_s = all[3], .burst_bits = 40000};
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	advance(&f);
	tcp_connection_open(&f, &f.c, 5000, NULL);
	assert_int_equal(client_allocate_tcp(&f.h, &f.c), 0);
	assert_int_equal(f.h.n_orders, 1);
	assert_caps(&f, 4, all);
	// A cap of packets alone is none of a stream.
	realm->user_cap = (struct turn_cap){.packets_per_s = 5, .burst_packets = 5};
	f.h.conf.all_cap = (struct turn_cap){0};
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	advance(&f);
	assert_int_equal(f.h.n_orders, 2);
	assert_caps(&f, 2, some);
	// The edge may have those of the process before.
	harness_restart(&f.h);
	assert_int_equal(turn_stream_opened(f.h.s, f.h.now_ns, &f.c.tuple, false), 0);
	f.h.n_orders = 0;
	turn_edge_synced(f.h.s, 0);
	harness_drain(&f.h);
	assert_int_equal(f.h.n_orders, 1);
	assert_caps(&f, 2, some);
	harness_stop(&f.h);
}

static void used(struct fixture *f, uint32_t id, uint64_t octets)
{
	const struct tp_session_used u = {.id = id, .octets = octets, .at_ns = f->h.now_ns};

	f->h.n_orders = 0;
	turn_cap_used(f->h.s, f->h.now_ns, &u);
	harness_drain(&f->h);
}

static void assert_divided(const struct fixture *f, uint32_t id, uint64_t packets, uint64_t streams)
{
	struct tp_session_order o = tcp_last_order(f);

	assert_int_equal(o.kind, TP_ORDER_CAPS);
	assert_true(o.caps[0].id == id && o.caps[0].flags == TP_CAP_WATCHED && o.caps[1].id == 0);
	assert_int_equal(o.caps[0].bits_per_s, streams);
	assert_int_equal(o.caps[0].burst_bits, streams / 25);
	assert_int_equal(fake_store_limit(&f->h.store, id)->cap.bits_per_s, packets);
	assert_int_equal(fake_store_limit(&f->h.store, id)->cap.burst_bits, packets / 25);
}

static void a_cap_counts_both_kinds(void **state)
{
	static const uint64_t whole[] = {8000000};
	struct client second;
	struct fixture f;
	uint32_t id;

	(void)state;
	tcp_init(&f);
	f.h.realms[0].realm_cap = (struct turn_cap){.bits_per_s = whole[0], .burst_bits = 320000};
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	advance(&f);
	tcp_connection_open(&f, &f.c, 5000, NULL);
	assert_int_equal(client_allocate_tcp(&f.h, &f.c), 0);
	assert_caps(&f, 1, whole);
	assert_int_equal(tcp_last_order(&f).caps[0].flags, 0);
	id = tcp_last_order(&f).caps[0].id;
	// A call by UDP: from now on the cap is divided.
	client_init(&second, 0xc6336402, 7000);
	f.h.n_orders = 0;
	assert_int_equal(client_allocate(&f.h, &second, 0), 0);
	assert_divided(&f, id, 8000000, 4000000);
	// Both want all.
	used(&f, id, 1000);
	for (unsigned i = 0; i < 10; i++) {
		f.h.now_ns += SECOND;
		f.h.store.limits[id].octets += 1000000;
		used(&f, id, 1000 + (i + 1) * 500000);
	}
	assert_int_equal(fake_store_limit(&f.h.store, id)->cap.bits_per_s, 4000000 - 2000000);
	// The debt is paid, and the packets end.
	for (unsigned i = 0; i < 10; i++) {
		f.h.now_ns += SECOND;
		used(&f, id, 5001000 + i);
	}
	assert_in_range(fake_store_limit(&f.h.store, id)->cap.bits_per_s, 7900000, 8000000);
	// Sums of another cap are nobody's.
	used(&f, 63, 1);
	assert_int_equal(f.h.n_orders, 0);
	// The edge asks anew after a restart of either.
	turn_edge_synced(f.h.s, 0);
	harness_drain(&f.h);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_LISTEN);
	assert_int_equal(tcp_last_order(&f).caps[0].flags, TP_CAP_WATCHED);
	// The call ends: the cap is the streams' alone.
	f.h.n_orders = 0;
	assert_int_equal(client_refresh(&f.h, &second, 0), 0);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_CAPS);
	assert_true(tcp_last_order(&f).caps[0].bits_per_s == whole[0] &&
		    tcp_last_order(&f).caps[0].flags == 0);
	assert_int_equal(fake_store_limit(&f.h.store, id)->cap.bits_per_s, whole[0]);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_streams_get_one),
		cmocka_unit_test(allocation_begins_and_ends_a_listener),
		cmocka_unit_test(listener_that_fails_ends_it),
		cmocka_unit_test(allocation_takes_its_connections_along),
		cmocka_unit_test(policy_ends_connections),
		cmocka_unit_test(restart_finds_them_again),
		cmocka_unit_test(bytes_are_the_allocations),
		cmocka_unit_test(last_bytes_are_the_allocations),
		cmocka_unit_test(caps_go_with_the_listener),
		cmocka_unit_test(a_cap_counts_both_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
