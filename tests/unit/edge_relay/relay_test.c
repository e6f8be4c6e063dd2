// SPDX-License-Identifier: BSD-3-Clause
// Sockets of TCP allocations: they open, connect, are joined, count and end.
#include "fixture.h"

#include <errno.h>

// A reload may have given the control process relay addresses that are not ours.
static void assert_not_available(struct fixture *f, struct tp_session_order o)
{
	struct edge_relay_report report;

	assert_true(order(f, o));
	report = told(f);
	assert_int_equal(report.relay.failed, EADDRNOTAVAIL);
}

static void only_own_addresses(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order o = {.kind = TP_ORDER_LISTEN, .local = f->local};

	o.local.port_be = htons(1023);
	assert_not_available(f, o);
	o.local = tp_addr_ipv4(0x7f000002, 2000);
	assert_not_available(f, o);
	o = (struct tp_session_order){.kind = TP_ORDER_CONNECT, .local = o.local, .key = 1};
	o.peer = f->local;
	assert_true(order(f, o));
	assert_int_equal(told_peer(f, TP_PEER_GONE).failed, EADDRNOTAVAIL);
	o.local = f->local;
	o.key = UINT64_C(1) << 32;
	assert_false(order(f, o));
	o.key = 1;
	o.peer = tp_addr_ipv6((const uint8_t[16]){0x2a}, 80);
	assert_false(order(f, o));
	assert_false(order(f, (struct tp_session_order){.kind = 99}));
	assert_false(order(f, (struct tp_session_order){.kind = TP_ORDER_JOIN, .key = 1}));
	// They are gone already.
	assert_true(order(f, (struct tp_session_order){.kind = TP_ORDER_CLOSE, .key = 1}));
	assert_true(order(f, (struct tp_session_order){.kind = TP_ORDER_UNLISTEN}));
	nothing_due(f);
}

static void listener_opens_and_closes(void **state)
{
	struct fixture *f = *state;
	struct edge_relay_counters c;
	struct edge_relay_report report;
	struct tp_addr taken;
	int other = peer_open(&taken);

	listening(f);
	// Again: as it is.
	assert_true(order(f, (struct tp_session_order){.kind = TP_ORDER_LISTEN}));
	nothing_due(f);
	assert_true(order(f, (struct tp_session_order){.kind = TP_ORDER_LISTEN, .local = taken}));
	report = told(f);
	assert_int_equal(report.relay.state, TP_RELAY_FAILED);
	assert_int_equal(report.relay.failed, EADDRINUSE);
	// The next control process hears of all again.
	edge_relay_begin(f->r);
	assert_int_equal(told(f).relay.state, TP_RELAY_LISTENS);
	nothing_due(f);
	assert_true(order(f, (struct tp_session_order){.kind = TP_ORDER_UNLISTEN}));
	assert_int_equal(told(f).relay.state, TP_RELAY_ENDED);
	edge_relay_begin(f->r);
	nothing_due(f);
	edge_relay_counters_read(f->r, &c);
	assert_true(c.listeners == 1 && c.listeners_failed == 1 && c.orders_bad == 0);
	close(other);
}

static void peer_comes_and_is_joined(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order keep = {.kind = TP_ORDER_KEEP, .note = {1, 2, 3}};
	struct tp_session_order join = {.kind = TP_ORDER_JOIN, .connection = HANDLE, .data_len = 5};
	struct tp_session_peer p;
	char bytes[4];
	int fd;

	listening(f);
	fd = dial(f);
	assert_int_equal(send(fd, "abcd", 4, 0), 4);
	p = told_peer(f, TP_PEER_ARRIVED);
	assert_true(p.key > UINT32_MAX && tp_addr_equal(&p.local, &f->local));
	join.key = keep.key = p.key;
	// Not before it was taken.
	assert_true(order(f, join));
	nothing_due(f);
	assert_true(order(f, keep));
	p = told_peer(f, TP_PEER_WAITS);
	assert_memory_equal(p.note, keep.note, sizeof(p.note));
	assert_true(order(f, join));
	p = told_peer(f, TP_PEER_JOINED);
	assert_true(p.connection == HANDLE && f->joined_key == p.key);
	assert_true(f->len == 5 && memcmp(f->data, "hello", 5) == 0);
	// All that came before is the client's.
	assert_int_equal(recv(f->joined_fd, bytes, 4, MSG_WAITALL), 4);
	assert_memory_equal(bytes, "abcd", 4);
	edge_relay_begin(f->r);
	assert_int_equal(told(f).kind, TP_SESSION_RELAY);
	told_peer(f, TP_PEER_JOINED);
	edge_relay_ended(f->r, p.key, 4, 9);
	p = told_peer(f, TP_PEER_GONE);
	assert_true(p.to_peer == 4 && p.to_client == 9 && p.failed == 0 && p.connection == 0);
	assert_int_equal(edge_relay_peers(f->r), 0);
	close(fd);
}

// A report of the bytes.
static void told_bytes(struct fixture *f, uint64_t to_peer, uint64_t to_client)
{
	struct edge_relay_report report = told(f);

	assert_int_equal(report.kind, TP_SESSION_RELAY);
	assert_int_equal(report.relay.state, TP_RELAY_LISTENS);
	assert_true(report.relay.to_peer == to_peer && report.relay.to_client == to_client);
}

// The bytes of a bucket that the control process divides.
static void watched_caps_are_reported(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order listen = {.kind = TP_ORDER_LISTEN,
		.caps = {{.id = 3, .bits_per_s = 8000, .burst_bits = 800}}};
	struct tp_session_order caps = {.kind = TP_ORDER_CAPS,
		.caps = {
			{.id = 3, .bits_per_s = 4000, .burst_bits = 400, .flags = TP_CAP_WATCHED}}};
	struct edge_relay_report report;

	assert_true(order(f, listen));
	told_bytes(f, 0, 0);
	f->now_ns += TP_NS_PER_S;
	nothing_due(f);
	assert_true(order(f, caps));
	f->now_ns += TP_NS_PER_S;
	for (unsigned i = 0; i < 2; i++) {
		edge_relay_poll(f->r, f->now_ns);
		report = told(f);
		assert_int_equal(report.kind, TP_SESSION_USED);
		assert_true(report.used.id == 3 && report.used.octets == 0 &&
			    report.used.at_ns == f->now_ns);
		// Not at each look.
		nothing_due(f);
		f->now_ns += TP_NS_PER_S;
	}
	caps.caps[0].flags = 0;
	assert_true(order(f, caps));
	nothing_due(f);
	caps.caps[0].bits_per_s = 0;
	assert_false(order(f, caps));
	caps.caps[0].id = 0;
	assert_false(order(f, caps));
}

static void bytes_are_reported_under_caps(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order listen = {.kind = TP_ORDER_LISTEN,
		.caps = {{.id = 3, .bits_per_s = 8000, .burst_bits = 800}}};
	struct tp_session_order keep = {.kind = TP_ORDER_KEEP};
	struct tp_session_order join = {.kind = TP_ORDER_JOIN, .connection = HANDLE, .data_len = 5};
	int fd;

	assert_true(order(f, listen));
	told_bytes(f, 0, 0);
	fd = dial(f);
	join.key = keep.key = told_peer(f, TP_PEER_ARRIVED).key;
	assert_true(order(f, keep));
	told_peer(f, TP_PEER_WAITS);
	assert_true(order(f, join));
	told_peer(f, TP_PEER_JOINED);
	assert_int_equal(meter_wait_ns(f->meter, f->now_ns), 0);
	meter_count(f->meter, f->now_ns, true, 1000);
	assert_true(meter_wait_ns(f->meter, f->now_ns) > 0);
	meter_count(f->meter, f->now_ns, false, 50);
	// Not at each look.
	nothing_due(f);
	f->now_ns += TP_NS_PER_S;
	told_bytes(f, 1000, 50);
	f->now_ns += TP_NS_PER_S;
	nothing_due(f);
	// Other caps hold for connections that are there.
	listen.caps[0].id = 0;
	assert_true(order(f, listen));
	assert_int_equal(meter_wait_ns(f->meter, f->now_ns), 0);
	nothing_due(f);
	listen.caps[0] = (struct tp_session_cap){.id = 4};
	assert_false(order(f, listen));
	// The last of them before the end of the connection.
	meter_count(f->meter, f->now_ns, false, 7);
	edge_relay_ended(f->r, join.key, 1000, 57);
	told_bytes(f, 1000, 57);
	told_peer(f, TP_PEER_GONE);
	edge_relay_begin(f->r);
	told_bytes(f, 1000, 57);
	close(fd);
}

static void peer_is_called(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order o = {.kind = TP_ORDER_CONNECT, .key = 77, .note = {9}};
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct tp_session_peer p;
	int listener = peer_open(&o.peer), fd;

	listening(f);
	assert_true(order(f, o));
	assert_false(order(f, o));
	// The kernel may have been done within the call.
	do
		p = told(f).peer;
	while (p.state == TP_PEER_CONNECTS);
	assert_int_equal(p.state, TP_PEER_WAITS);
	assert_true(p.key == 77 && p.note[0] == 9);
	fd = accept(listener, (struct sockaddr *)&from, &len);
	assert_true(fd >= 0);
	// It leaves by the relayed transport address.
	assert_int_equal(from.sin_port, f->local.port_be);
	assert_true(order(f, (struct tp_session_order){.kind = TP_ORDER_CLOSE, .key = 77}));
	p = told_peer(f, TP_PEER_GONE);
	assert_int_equal(p.failed, 0);
	assert_closed(fd);
	close(listener);
}

static void nobody_is_there(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order o = {.kind = TP_ORDER_CONNECT, .key = 77, .note = {9}};
	struct edge_relay_report report;
	struct tp_session_peer p;

	close(peer_open(&o.peer));
	// Without a listener there is no allocation.
	assert_true(order(f, o));
	p = told_peer(f, TP_PEER_GONE);
	assert_int_equal(p.failed, EADDRNOTAVAIL);
	listening(f);
	assert_true(order(f, o));
	// The kernel may have refused it within the call.
	do
		report = told(f);
	while (report.peer.state == TP_PEER_CONNECTS);
	assert_int_equal(report.peer.state, TP_PEER_GONE);
	assert_int_equal(report.peer.failed, ECONNREFUSED);
	assert_int_equal(report.peer.note[0], 9);
	assert_int_equal(edge_relay_peers(f->r), 0);
}

static void unjoined_ones_end(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order keep = {.kind = TP_ORDER_KEEP};
	struct edge_relay_counters c;
	int fd, early;

	listening(f);
	fd = dial(f);
	keep.key = told_peer(f, TP_PEER_ARRIVED).key;
	assert_true(order(f, keep));
	told_peer(f, TP_PEER_WAITS);
	f->now_ns += TP_SESSION_WAIT_S * TP_NS_PER_S - 1;
	nothing_due(f);
	f->now_ns += 1;
	told_peer(f, TP_PEER_GONE);
	assert_closed(fd);
	// A peer that resets is gone at once.
	early = dial(f);
	told_peer(f, TP_PEER_ARRIVED);
	assert_int_equal(setsockopt(early, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
				 sizeof(struct linger)),
		0);
	close(early);
	told_peer(f, TP_PEER_GONE);
	edge_relay_counters_read(f->r, &c);
	assert_int_equal(c.expired, 1);
}

// The peer does not answer: its queue of connections is full.
static void silent_peer_ends(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order o = {.kind = TP_ORDER_CONNECT, .key = 77};
	struct tp_session_peer p;
	struct sockaddr_in at;
	int listener = peer_open(&o.peer), fds[3];

	assert_int_equal(listen(listener, 0), 0);
	at = sockaddr_of(&o.peer);
	for (size_t i = 0; i < TP_ARRAY_LEN(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(fds[i], (struct sockaddr *)&at, sizeof(at));
	}
	listening(f);
	assert_true(order(f, o));
	told_peer(f, TP_PEER_CONNECTS);
	f->now_ns += TP_SESSION_CONNECT_S * TP_NS_PER_S;
	edge_relay_poll(f->r, f->now_ns);
	p = told_peer(f, TP_PEER_GONE);
	assert_int_equal(p.failed, ETIMEDOUT);
	for (size_t i = 0; i < TP_ARRAY_LEN(fds); i++)
		close(fds[i]);
	close(listener);
}

static void allocation_ends_all(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order keep = {.kind = TP_ORDER_KEEP};
	struct tp_session_order join = {.kind = TP_ORDER_JOIN, .connection = HANDLE, .data_len = 5};
	struct edge_relay_report report;
	struct tp_session_peer p;
	int joined, waiting;

	assert_true(order(f, (struct tp_session_order){.kind = TP_ORDER_LISTEN, .key = 12}));
	report = told(f);
	assert_int_equal(report.relay.key, 12);
	joined = dial(f);
	join.key = keep.key = told_peer(f, TP_PEER_ARRIVED).key;
	assert_true(order(f, keep));
	told_peer(f, TP_PEER_WAITS);
	assert_true(order(f, join));
	told_peer(f, TP_PEER_JOINED);
	waiting = dial(f);
	told_peer(f, TP_PEER_ARRIVED);
	meter_count(f->meter, f->now_ns, true, 1000);
	f->holds = true;
	assert_true(order(f, (struct tp_session_order){.kind = TP_ORDER_UNLISTEN}));
	assert_true(f->parted_key == join.key);
	told_peer(f, TP_PEER_GONE);
	nothing_due(f);
	// The port may be another's, while bytes of the first one pass.
	listening(f);
	f->now_ns += TP_NS_PER_S;
	meter_count(f->meter, f->now_ns, false, 50);
	nothing_due(f);
	edge_relay_ended(f->r, join.key, 5, 7);
	report = told(f);
	assert_int_equal(report.relay.state, TP_RELAY_ENDED);
	assert_true(report.relay.to_peer == 1000 && report.relay.to_client == 50 &&
		    report.relay.key == 12);
	p = told_peer(f, TP_PEER_GONE);
	assert_true(p.to_peer == 5 && p.to_client == 7);
	assert_closed(waiting);
	nothing_due(f);
	assert_int_equal(edge_relay_peers(f->r), 0);
	close(joined);
}

// The threads that it would order have ended, and told the ends of theirs.
static void the_end_orders_nothing(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order keep = {.kind = TP_ORDER_KEEP};
	struct tp_session_order join = {.kind = TP_ORDER_JOIN, .connection = HANDLE, .data_len = 5};
	int joined;

	listening(f);
	joined = dial(f);
	join.key = keep.key = told_peer(f, TP_PEER_ARRIVED).key;
	assert_true(order(f, keep));
	told_peer(f, TP_PEER_WAITS);
	assert_true(order(f, join));
	told_peer(f, TP_PEER_JOINED);
	edge_relay_ended(f->r, join.key, 5, 7);
	meter_unref(f->meter);
	f->meter = NULL;
	edge_relay_destroy(f->r);
	f->r = NULL;
	assert_true(f->parted_key == 0);
	close(joined);
}

static void peers_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct tp_session_order o = {.kind = TP_ORDER_CONNECT, .key = 77};
	struct edge_relay_counters c;
	int fds[PEERS_MAX + 1], listener = peer_open(&o.peer);

	listening(f);
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		fds[i] = dial(f);
		told_peer(f, TP_PEER_ARRIVED);
	}
	assert_true(order(f, o));
	assert_int_equal(told_peer(f, TP_PEER_GONE).failed, ENOBUFS);
	fds[PEERS_MAX] = dial(f);
	do {
		edge_relay_poll(f->r, f->now_ns);
		edge_relay_counters_read(f->r, &c);
	} while (c.accepted_full == 0);
	assert_closed(fds[PEERS_MAX]);
	for (unsigned i = 0; i < PEERS_MAX; i++)
		close(fds[i]);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_own_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(listener_opens_and_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(peer_comes_and_is_joined, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_are_reported_under_caps, setup, teardown),
		cmocka_unit_test_setup_teardown(watched_caps_are_reported, setup, teardown),
		cmocka_unit_test_setup_teardown(peer_is_called, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(unjoined_ones_end, setup, teardown),
		cmocka_unit_test_setup_teardown(silent_peer_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(allocation_ends_all, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_orders_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(peers_are_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
