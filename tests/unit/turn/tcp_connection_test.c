// SPDX-License-Identifier: BSD-3-Clause
// Connections of TCP allocations (RFC 6062): to peers and from peers, and the data connections of
// clients that join them.
#include "tcp.h"

// The answer comes late, and is signed as one that does not.
// Clauses: 8489 9.2.4-15
static void late_answers_are_signed_as_asked(void **state)
{
	struct tp_addr peer = tcp_peer(80);
	struct tp_session_order o;
	struct fixture f;
	uint8_t key[32];
	struct msg m;

	(void)state;
	tcp_init(&f);
	harness_offer_sha256(&f.h);
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	tcp_connection_open(&f, &f.c, 5000, NULL);
	for (unsigned i = 0; i < 2; i++) {
		client_start(&f.c, &m, i == 0 ? MSG_ALLOCATE : MSG_CONNECT);
		msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 6u << 24);
		msg_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, &peer);
		client_auth_sha256(&f.c, &m, key);
		assert_int_equal(client_send(&f.h, &f.c, &m), i);
	}
	o = tcp_last_order(&f);
	tcp_report_order(&f, &o, TP_PEER_WAITS);
	assert_int_equal(reply_code(f.h.reply, f.h.reply_len), 0);
	assert_true(reply_verifies_sha256(f.h.reply, f.h.reply_len, key, sizeof(key)));
	assert_false(reply_has(&f.h, ATTR_MESSAGE_INTEGRITY));
	harness_stop(&f.h);
}

static void connect_is_answered_when_connected(void **state)
{
	struct tp_addr peer = tcp_peer(80);
	struct tp_session_order o;
	struct client data;
	struct fixture f;
	uint32_t id;

	(void)state;
	tcp_allocate(&f);
	f.c.fingerprint = true;
	assert_int_equal(tcp_connect(&f, &peer), 1);
	o = tcp_last_order(&f);
	assert_int_equal(o.kind, TP_ORDER_CONNECT);
	assert_true(o.key != 0 && o.key <= UINT32_MAX);
	assert_true(tp_addr_equal(&o.peer, &peer) && tp_addr_equal(&o.local, &f.c.relayed));
	tcp_report_order(&f, &o, TP_PEER_CONNECTS);
	assert_int_equal(f.h.reply_len, 0);
	tcp_report_order(&f, &o, TP_PEER_WAITS);
	tcp_assert_answer(&f, 0);
	assert_true(reply_fingerprint_ok(f.h.reply, f.h.reply_len));
	id = reply_u32(&f.h, ATTR_CONNECTION_ID);
	// The report is repeated, the answer is not.
	tcp_report_order(&f, &o, TP_PEER_WAITS);
	assert_int_equal(f.h.reply_len, 0);
	tcp_connection_open(&f, &data, 5001, NULL);
	assert_int_equal(tcp_join(&f, &data, id), 0);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_JOIN);
	assert_true(tcp_last_order(&f).key == o.key);
	assert_true(tcp_last_order(&f).connection == data.tuple.connection);
	assert_int_equal(turn_get_counters(f.h.s)->data_joined, 1);
	// It has one.
	tcp_connection_open(&f, &data, 5002, NULL);
	assert_int_equal(tcp_join(&f, &data, id), 400);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_CONNECTION_ID);
	tcp_report(&f, (struct tp_session_peer){.key = o.key, .peer = peer, .state = TP_PEER_GONE});
	assert_int_equal(f.h.reply_len, 0);
	// The peer is free for another.
	assert_int_equal(tcp_connect(&f, &peer), 1);
	harness_stop(&f.h);
}

// Its peer connection waits for another.
static void a_websocket_is_no_data_connection(void **state)
{
	struct fixture f;
	struct client data;
	struct tp_session_order o;
	struct tp_addr peer = tcp_peer(80);
	uint32_t id;

	(void)state;
	tcp_allocate(&f);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	o = tcp_last_order(&f);
	tcp_report_order(&f, &o, TP_PEER_WAITS);
	id = reply_u32(&f.h, ATTR_CONNECTION_ID);
	tcp_connection_open(&f, &data, 5001, NULL);
	assert_int_equal(turn_stream_opened(f.h.s, f.h.now_ns, &data.tuple, true), 0);
	assert_int_equal(tcp_join(&f, &data, id), 400);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_FRAMED);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_CONNECT);
	tcp_connection_open(&f, &data, 5002, NULL);
	assert_int_equal(tcp_join(&f, &data, id), 0);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_JOIN);
	harness_stop(&f.h);
}

static void connect_that_fails_is_447(void **state)
{
	struct tp_addr peer = tcp_peer(80);
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	tcp_report_order(&f, &f.h.orders[f.h.n_orders - 1], TP_PEER_GONE);
	tcp_assert_answer(&f, 447);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_UNREACHABLE);
	assert_int_equal(turn_get_counters(f.h.s)->error_447, 1);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	harness_stop(&f.h);
}

static void connect_is_refused(void **state)
{
	struct tp_addr peer = tcp_peer(80), none = tcp_peer(0), own, v6;
	static const uint8_t six[16] = {0x2a, 0x01, 0, 9, [15] = 9};
	struct client other;
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	v6 = tp_addr_ipv6(six, 80);
	assert_int_equal(tcp_connect(&f, NULL), 400);
	assert_int_equal(tcp_connect(&f, &none), 400);
	assert_int_equal(tcp_connect(&f, &v6), 443);
	// The policy, an own listener, an own relay address without a TCP allocation, the client's.
	own = tp_addr_ipv4(0x7f000001, 80);
	assert_int_equal(tcp_connect(&f, &own), 403);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_PEER);
	own = f.h.listeners[0].local;
	assert_int_equal(tcp_connect(&f, &own), 403);
	own = f.c.relayed;
	own.port_be = tp_htons(tp_addr_port(&own) == 65535 ? 65534 : 65535);
	assert_int_equal(tcp_connect(&f, &own), 403);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_NO_TCP_PORT);
	assert_int_equal(tcp_connect(&f, &f.c.relayed), 403);
	// That of another TCP allocation may be.
	tcp_connection_open(&f, &other, 5009, "bob");
	assert_int_equal(client_allocate_tcp(&f.h, &other), 0);
	assert_int_equal(tcp_connect(&f, &other.relayed), 1);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	assert_int_equal(tcp_connect(&f, &peer), 446);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_CONNECTED);
	harness_stop(&f.h);
}

static void connect_needs_a_tcp_allocation(void **state)
{
	struct tp_addr peer = tcp_peer(80);
	struct fixture f;

	(void)state;
	tcp_init(&f);
	tcp_connection_open(&f, &f.c, 5000, NULL);
	assert_int_equal(tcp_connect(&f, &peer), 437);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_int_equal(tcp_connect(&f, &peer), 437);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_NOT_TCP);
	client_user(&f.c, "bob", "builder");
	assert_int_equal(tcp_connect(&f, &peer), 441);
	harness_stop(&f.h);
}

static void connections_are_counted(void **state)
{
	struct fixture f;
	unsigned n = 0;

	(void)state;
	tcp_allocate(&f);
	for (; n < f.h.conf.data_per_user; n++) {
		struct tp_addr peer = tcp_peer((uint16_t)(80 + n));

		assert_int_equal(tcp_connect(&f, &peer), 1);
	}
	{
		struct tp_addr peer = tcp_peer(8080);

		assert_int_equal(tcp_connect(&f, &peer), 486);
		assert_int_equal(f.h.refusal.cause, TURN_REFUSED_DATA_QUOTA);
		tcp_report_order(&f, &f.h.orders[f.h.n_orders - 1], TP_PEER_GONE);
		assert_int_equal(tcp_connect(&f, &peer), 1);
	}
	harness_stop(&f.h);
}

// Where users have no limit an allocation has one.
static void connections_of_an_allocation_are_counted(void **state)
{
	struct turn_conf conf;
	struct tp_addr peer;
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	conf = f.h.conf;
	conf.data_per_user = 0;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	for (unsigned n = 0; n < 64; n++) {
		f.h.n_orders = 0;
		peer = tcp_peer((uint16_t)(80 + n));
		assert_int_equal(tcp_connect(&f, &peer), 1);
	}
	peer = tcp_peer(8080);
	assert_int_equal(tcp_connect(&f, &peer), 486);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_DATA_QUOTA);
	harness_stop(&f.h);
}

// Connect tells which ports of a peer answer: a scan meets the rate.
static void connects_have_a_rate(void **state)
{
	struct turn_conf conf;
	struct fixture f;
	struct tp_addr peer;

	(void)state;
	tcp_allocate(&f);
	conf = f.h.conf;
	conf.peer_rate = 2;
	conf.peer_burst = 3;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	for (uint16_t i = 0; i < 3; i++) {
		peer = tcp_peer((uint16_t)(80 + i));
		assert_int_equal(tcp_connect(&f, &peer), 1);
	}
	peer = tcp_peer(90);
	assert_int_equal(tcp_connect(&f, &peer), 508);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_PEERS);
	harness_sleep(&f.h, SECOND);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	harness_stop(&f.h);
}

// Those of all users of the realm.
static void connections_of_a_realm_are_bounded(void **state)
{
	struct tp_addr peer = tcp_peer(80);
	struct turn_realm_conf realm;
	struct turn_user_view view;
	struct turn_conf conf;
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	conf = f.h.conf;
	realm = f.h.realms[0];
	realm.max_connections = 1;
	conf.realms = &realm;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	harness_drain(&f.h);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	assert_int_equal(turn_realm_find(f.h.s, 0, &view), 0);
	assert_int_equal(view.connections, 1);
	assert_int_equal(view.connections_max, 1);
	peer = tcp_peer(81);
	assert_int_equal(tcp_connect(&f, &peer), 486);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_DATA_QUOTA);
	harness_stop(&f.h);
}

// Connects to further peers from `port` on until one is refused: how many were made.
static unsigned take_all(struct fixture *f, uint16_t port)
{
	for (unsigned n = 0;; n++) {
		struct tp_addr peer = tcp_peer((uint16_t)(port + n));
		unsigned code = tcp_connect(f, &peer);

		f->h.n_orders = 0;
		if (code != 1) {
			assert_int_equal(code, 508);
			assert_int_equal(f->h.refusal.cause, TURN_REFUSED_DATA_SHARE);
			return n;
		}
	}
}

static void bob_connects(struct fixture *f, uint16_t port)
{
	struct tp_addr peer = tcp_peer(port);
	struct client alice = f->c;

	tcp_connection_open(f, &f->c, port, "bob");
	assert_int_equal(client_allocate_tcp(&f->h, &f->c), 0);
	assert_int_equal(tcp_connect(f, &peer), 1);
	f->c = alice;
}

// Fault: one user had all the connections that the edge has sockets for, and another one none.
static void connections_are_shared(void **state)
{
	struct tp_addr peer = tcp_peer(4000);
	struct tp_session_order first;
	struct fixture f;

	(void)state;
	tcp_init(&f);
	turn_edge_synced(f.h.s, 32);
	f.h.conf.data_per_user = 0;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	tcp_connection_open(&f, &f.c, 5000, NULL);
	assert_int_equal(client_allocate_tcp(&f.h, &f.c), 0);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	first = tcp_last_order(&f);
	assert_int_equal(take_all(&f, 80), 27);
	// A peer that comes counts as one that is gone to.
	peer.port_be = tp_htons(4001);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	tcp_report_arrival(&f, TCP_CAME_IN, &peer);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_CLOSE);
	bob_connects(&f, 5001);
	bob_connects(&f, 5002);
	// One that ended is not the user's again: the others have taken of those left.
	tcp_report_order(&f, &first, TP_PEER_GONE);
	assert_int_equal(take_all(&f, 200), 0);
	bob_connects(&f, 5003);
	harness_stop(&f.h);
}

// Likewise those of a realm.
static void connections_of_a_realm_are_shared(void **state)
{
	struct turn_realm_conf realm;
	struct turn_conf conf;
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	conf = f.h.conf;
	conf.data_per_user = 0;
	realm = f.h.realms[0];
	realm.max_connections = 16;
	conf.realms = &realm;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	harness_drain(&f.h);
	assert_int_equal(take_all(&f, 80), 14);
	bob_connects(&f, 5001);
	harness_stop(&f.h);
}

static void arrival_needs_a_permission(void **state)
{
	struct tp_addr peer = tcp_peer(4000), told;
	struct tp_session_order keep;
	struct client data;
	struct fixture f;
	uint32_t id;

	(void)state;
	tcp_allocate(&f);
	tcp_report_arrival(&f, TCP_CAME_IN, &peer);
	assert_int_equal(f.h.reply_len, 0);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_CLOSE);
	assert_true(tcp_last_order(&f).key == TCP_CAME_IN);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	tcp_report_arrival(&f, TCP_CAME_IN + 1, &peer);
	keep = tcp_last_order(&f);
	assert_true(keep.kind == TP_ORDER_KEEP && keep.key == TCP_CAME_IN + 1);
	assert_int_equal(tp_load_be16(f.h.reply), MSG_CONNECTION_ATTEMPT);
	assert_true(f.h.to.connection == f.c.tuple.connection);
	assert_true(reply_xor_addr(f.h.reply, f.h.reply_len, ATTR_XOR_PEER_ADDRESS, 0, &told));
	assert_true(tp_addr_equal(&told, &peer));
	id = reply_u32(&f.h, ATTR_CONNECTION_ID);
	tcp_connection_open(&f, &data, 5001, NULL);
	assert_int_equal(tcp_join(&f, &data, id), 0);
	// A key of this side's range comes from no edge of ours.
	peer.port_be = tp_htons(4001);
	tcp_report_arrival(&f, 77, &peer);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_CLOSE);
	// After the permission's end the connection stays, and no other comes.
	harness_sleep(&f.h, 301 * SECOND);
	f.h.n_orders = 0;
	tcp_report_arrival(&f, TCP_CAME_IN + 2, &peer);
	assert_true(f.h.n_orders == 1 && f.h.orders[0].kind == TP_ORDER_CLOSE);
	harness_stop(&f.h);
}

// One connection with a peer's address and port at a time, as for Connect.
static void a_peer_comes_once(void **state)
{
	struct tp_addr peer = tcp_peer(4000), other = tcp_peer(4001);
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	tcp_report_arrival(&f, TCP_CAME_IN, &peer);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_KEEP);
	tcp_report_arrival(&f, TCP_CAME_IN + 1, &peer);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_CLOSE);
	assert_true(tcp_last_order(&f).key == TCP_CAME_IN + 1);
	assert_int_equal(f.h.reply_len, 0);
	tcp_report_arrival(&f, TCP_CAME_IN + 2, &other);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_KEEP);
	harness_stop(&f.h);
}

// A new policy holds before turn_advance has come to the permission.
static void a_denied_peer_does_not_come(void **state)
{
	struct text_scope deny = {.port_max = 0};
	struct policy_config config = {.deny = &deny, .n_deny = 1};
	struct tp_addr peer = tcp_peer(4000);
	struct policy *denying;
	struct fixture f;

	(void)state;
	assert_int_equal(text_cidr_parse("8.0.0.0/8", &deny.cidr), 0);
	denying = policy_create(&config);
	tcp_allocate(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	f.h.realms[0].policy = denying;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	tcp_report_arrival(&f, TCP_CAME_IN, &peer);
	assert_int_equal(tcp_last_order(&f).kind, TP_ORDER_CLOSE);
	assert_int_equal(f.h.reply_len, 0);
	harness_stop(&f.h);
	policy_destroy(denying);
}

// A Connect is answered once: the end of a connection that was made is no answer.
static void an_end_is_no_answer(void **state)
{
	struct tp_addr peer = tcp_peer(80);
	struct tp_session_order o;
	struct fixture f;

	(void)state;
	tcp_allocate(&f);
	assert_int_equal(tcp_connect(&f, &peer), 1);
	o = tcp_last_order(&f);
	tcp_report_order(&f, &o, TP_PEER_WAITS);
	tcp_assert_answer(&f, 0);
	tcp_report_order(&f, &o, TP_PEER_GONE);
	assert_int_equal(f.h.reply_len, 0);
	assert_int_equal(turn_get_counters(f.h.s)->data_failed, 0);
	harness_stop(&f.h);
}

static void only_the_owner_joins(void **state)
{
	struct tp_addr peer = tcp_peer(4000);
	struct client data, udp;
	struct fixture f;
	struct msg m;
	uint32_t id;

	(void)state;
	tcp_allocate(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	tcp_report_arrival(&f, TCP_CAME_IN, &peer);
	id = reply_u32(&f.h, ATTR_CONNECTION_ID);
	tcp_connection_open(&f, &data, 5001, "bob");
	assert_int_equal(tcp_join(&f, &data, id), 441);
	client_init(&udp, 0xc6336402, 6000);
	client_challenge(&f.h, &udp);
	assert_int_equal(tcp_join(&f, &udp, id), 400);
	assert_int_equal(tcp_join(&f, &f.c, id), 400);
	tcp_connection_open(&f, &data, 5002, NULL);
	assert_int_equal(tcp_join(&f, &data, id ^ 1), 400);
	client_start(&data, &m, MSG_CONNECTION_BIND);
	assert_int_equal(client_finish(&f.h, &data, &m), 400);
	client_start(&data, &m, MSG_CONNECTION_BIND);
	msg_u32(&m, ATTR_CONNECTION_ID, id);
	assert_int_equal(client_send(&f.h, &data, &m), 401);
	assert_int_equal(tcp_join(&f, &data, id), 0);
	harness_stop(&f.h);
}

// A client that gives up on 438 has only that one.
static void nonce_of_the_control_connection_is_good(void **state)
{
	struct tp_addr peer = tcp_peer(4000);
	struct client data;
	struct fixture f;
	uint32_t id;

	(void)state;
	tcp_allocate(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	tcp_report_arrival(&f, TCP_CAME_IN, &peer);
	id = reply_u32(&f.h, ATTR_CONNECTION_ID);
	tcp_connection_open(&f, &data, 5001, NULL);
	strcpy(data.nonce, f.c.nonce);
	assert_int_equal(tcp_join(&f, &data, id ^ 1), 438);
	assert_int_equal(tcp_join(&f, &data, id), 0);
	harness_stop(&f.h);
}

// The password changed since: the allocation's own key is good for it.
static void owner_joins_by_the_allocations_key(void **state)
{
	struct tp_addr peer = tcp_peer(4000);
	struct client data;
	struct fixture f;
	uint8_t key[16];
	uint32_t id;

	(void)state;
	tcp_allocate(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	tcp_report_arrival(&f, TCP_CAME_IN, &peer);
	id = reply_u32(&f.h, ATTR_CONNECTION_ID);
	msg_key(USER, REALM, "another", key);
	f.h.users[0].key = turn_key_md5(key);
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	tcp_connection_open(&f, &data, 5001, NULL);
	assert_int_equal(tcp_join(&f, &data, id), 0);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(late_answers_are_signed_as_asked),
		cmocka_unit_test(connect_is_answered_when_connected),
		cmocka_unit_test(a_websocket_is_no_data_connection),
		cmocka_unit_test(connect_that_fails_is_447),
		cmocka_unit_test(connect_is_refused),
		cmocka_unit_test(connect_needs_a_tcp_allocation),
		cmocka_unit_test(connections_are_counted),
		cmocka_unit_test(connections_of_an_allocation_are_counted),
		cmocka_unit_test(connects_have_a_rate),
		cmocka_unit_test(connections_of_a_realm_are_bounded),
		cmocka_unit_test(connections_are_shared),
		cmocka_unit_test(connections_of_a_realm_are_shared),
		cmocka_unit_test(arrival_needs_a_permission),
		cmocka_unit_test(a_peer_comes_once),
		cmocka_unit_test(a_denied_peer_does_not_come),
		cmocka_unit_test(an_end_is_no_answer),
		cmocka_unit_test(only_the_owner_joins),
		cmocka_unit_test(nonce_of_the_control_connection_is_good),
		cmocka_unit_test(owner_joins_by_the_allocations_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
