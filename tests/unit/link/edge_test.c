// SPDX-License-Identifier: BSD-3-Clause
// The edge's session as control sees it, with an edge that keeps to the contract and one that does
// not.
#include <link/edge.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <turnpike/entry.h>
#include <turnpike/segment.h>

struct fixture {
	char directory[64];
	struct link_edge e;
	int epoll_fd;
	unsigned opened, closed, synced, rooms, again, lost, relays, peers;
	uint64_t peers_max;
	struct tp_session_used used; // the last report
	struct tp_session_report last;
};

struct message {
	struct tp_session_message head;
	struct tp_session_report items[2];
};

static void on_opened(void *ctx, const struct tp_session_report *r)
{
	struct fixture *f = ctx;

	f->opened++;
	f->last = *r;
}

static void on_closed(void *ctx, const struct tp_session_report *r)
{
	struct fixture *f = ctx;

	f->closed++;
	f->last = *r;
}

static void on_synced(void *ctx, uint64_t peers_max)
{
	struct fixture *f = ctx;

	f->synced++;
	f->peers_max = peers_max;
}

static void on_again(void *ctx)
{
	((struct fixture *)ctx)->again++;
}

static void on_room(void *ctx, uint64_t peers_max)
{
	struct fixture *f = ctx;

	f->rooms++;
	f->peers_max = peers_max;
}

static void on_lost(void *ctx)
{
	((struct fixture *)ctx)->lost++;
}

static void on_relay(void *ctx, const struct tp_session_relay *r)
{
	assert_int_equal(r->local.port_be, 7);
	((struct fixture *)ctx)->relays++;
}

static void on_peer(void *ctx, const struct tp_session_peer *p)
{
	assert_int_equal(p->key, 5);
	((struct fixture *)ctx)->peers++;
}

static void on_used(void *ctx, const struct tp_session_used *u)
{
	((struct fixture *)ctx)->used = *u;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct link_edge_handler h = {f, on_opened, on_closed, on_relay, on_peer, on_used,
		on_synced, on_room, on_again, on_lost};
	struct tp_session_listener l = {.id = 4, .transport = TP_TRANSPORT_TCP};

	strcpy(f->directory, "/tmp/turnpike-edge-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	f->e.fd = f->e.listen_fd = -1;
	link_edge_listeners(&f->e, 99, &l, 1);
	assert_int_equal(link_edge_init(&f->e, f->directory, (gid_t)-1, f->epoll_fd, 3, &h), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	link_edge_fini(&f->e);
	close(f->epoll_fd);
	assert_int_equal(rmdir(f->directory), 0);
	free(f);
	return 0;
}

static int dial_only(struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, f->e.path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static int dial(struct fixture *f)
{
	int fd = dial_only(f);

	link_edge_read(&f->e, 10);
	assert_true(link_edge_is_up(&f->e));
	return fd;
}

static struct message message_of(enum tp_session_kind kind, uint32_t n)
{
	struct message m = {.head = {.magic = TP_SESSION_MAGIC, .kind = kind, .n = n}};

	for (unsigned i = 0; i < 2; i++)
		m.items[i] = (struct tp_session_report){.connection = tp_connection(1, 2, 3 + i),
			.remote = tp_addr_ipv4(0x0a000001, (uint16_t)(1000 + i)),
			.listener_id = 4};
	return m;
}

static void say(struct fixture *f, int fd, const struct message *m)
{
	size_t size = sizeof(m->head) + m->head.n * sizeof(m->items[0]);

	assert_int_equal(send(fd, m, size, 0), size);
	link_edge_read(&f->e, 10);
}

static void reports_arrive(void **state)
{
	struct fixture *f = *state;
	struct message m = message_of(TP_SESSION_OPENED, 2);
	struct {
		struct tp_session_message head;
		struct tp_session_listener item;
	} named;
	struct stat st;
	int fd = dial(f);

	assert_int_equal(stat(f->e.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(recv(fd, &named, sizeof(named), 0), sizeof(named));
	assert_true(named.head.kind == TP_SESSION_LISTENERS && named.head.pair_id == 99);
	assert_true(named.head.n == 1 && named.item.id == 4);
	// Bytes that no address has are cleared.
	m.items[1].remote.ip[9] = 7;
	m.items[1].remote.reserved = 7;
	say(f, fd, &m);
	assert_int_equal(f->opened, 2);
	assert_true(f->last.remote.ip[9] == 0 && f->last.remote.reserved == 0);
	m = message_of(TP_SESSION_SYNCED, 0);
	m.head.expires_s = 1800000000;
	m.head.expires_span_s = 3;
	m.head.peers_max = 77;
	say(f, fd, &m);
	assert_true(f->synced == 1 && f->e.is_synced);
	assert_int_equal(f->e.expires_s, 1800000000);
	assert_int_equal(f->e.last_expires_s, 1800000003);
	assert_int_equal(f->peers_max, 77);
	m = message_of(TP_SESSION_CLOSED, 1);
	say(f, fd, &m);
	assert_int_equal(f->closed, 1);
	assert_true(f->last.connection == m.items[0].connection);
	// Another process of the edge.
	m = message_of(TP_SESSION_AGAIN, 0);
	say(f, fd, &m);
	assert_true(f->again == 1 && !f->e.is_synced && f->lost == 0);
	m = message_of(TP_SESSION_SYNCED, 0);
	say(f, fd, &m);
	assert_true(f->synced == 2 && f->e.is_synced);
	// Another configuration.
	link_edge_listeners(&f->e, 99, NULL, 0);
	assert_int_equal(recv(fd, &named, sizeof(named), 0), sizeof(named.head));
	close(fd);
	link_edge_read(&f->e, 10);
	assert_true(f->lost == 1 && !link_edge_is_up(&f->e) && !f->e.is_synced);
	assert_int_equal(f->e.expires_s + f->e.last_expires_s, 0);
	close(dial(f));
}

// Fault: each SYNCED made this process look at all allocations.
static void synced_counts_once(void **state)
{
	struct message m = message_of(TP_SESSION_SYNCED, 0);
	struct fixture *f = *state;
	int fd = dial(f);

	for (unsigned i = 1; i <= 20; i++) {
		m.head.expires_s = 1800000000 + i;
		m.head.peers_max = i;
		say(f, fd, &m);
		assert_int_equal(f->e.expires_s, 1800000000 + i);
		assert_int_equal(f->peers_max, i);
	}
	assert_true(f->synced == 1 && f->rooms == 19);
	close(fd);
	link_edge_read(&f->e, 10);
	fd = dial(f);
	say(f, fd, &m);
	assert_true(f->synced == 2 && f->rooms == 19);
	close(fd);
}

static void a_turn_begins_one_report_again(void **state)
{
	const struct message m = message_of(TP_SESSION_AGAIN, 0);
	struct fixture *f = *state;
	int fd = dial(f);

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(send(fd, &m, sizeof(m.head), 0), sizeof(m.head));
	for (unsigned turn = 1; turn <= 3; turn++) {
		assert_false(link_edge_read(&f->e, 10));
		assert_int_equal(f->again, turn);
	}
	assert_true(link_edge_read(&f->e, 10));
	close(fd);
}

// Nor does an edge that begins sessions without a pause: a turn ends one of them, and begins no
// other.
static void a_turn_ends_one_session(void **state)
{
	struct message m = message_of(TP_SESSION_SYNCED, 0);
	struct fixture *f = *state;
	int fds[3] = {dial(f), -1, -1};

	for (unsigned i = 1; i < 3; i++) {
		fds[i] = dial_only(f);
		assert_int_equal(send(fds[i], &m, sizeof(m.head), 0), sizeof(m.head));
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(shutdown(fds[i], SHUT_WR), 0);
	for (unsigned turn = 1; turn <= 3; turn++) {
		assert_false(link_edge_read(&f->e, 10));
		assert_int_equal(f->lost, turn);
		assert_int_equal(f->synced, turn - 1);
	}
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
}

static void assert_ends(struct fixture *f, const struct message *m, size_t size)
{
	unsigned lost = f->lost;
	int fd = dial(f);

	assert_int_equal(send(fd, m, size, 0), size);
	link_edge_read(&f->e, 10);
	assert_int_equal(f->lost, lost + 1);
	assert_false(link_edge_is_up(&f->e));
	close(fd);
}

static void wrong_messages_end_the_session(void **state)
{
	struct fixture *f = *state;
	const size_t two = sizeof(struct message);
	const size_t one = two - sizeof(struct tp_session_report);
	struct message m = message_of(TP_SESSION_OPENED, 2);

	assert_ends(f, &m, one);
	assert_ends(f, &m, 5);
	m.head.n = UINT32_MAX;
	assert_ends(f, &m, two);
	m = message_of(TP_SESSION_LISTENERS, 2);
	assert_ends(f, &m, two);
	m = message_of(TP_SESSION_SYNCED, 2);
	assert_ends(f, &m, two);
	m = message_of(TP_SESSION_AGAIN, 2);
	assert_ends(f, &m, two);
	m = message_of(TP_SESSION_OPENED, 1);
	m.head.magic++;
	assert_ends(f, &m, one);
	m = message_of(TP_SESSION_OPENED, 1);
	m.items[0].remote.family = 7;
	assert_ends(f, &m, one);
	m = message_of(TP_SESSION_OPENED, 1);
	m.items[0].remote.port_be = 0;
	assert_ends(f, &m, one);
	m = message_of(TP_SESSION_OPENED, 1);
	m.items[0].listener_id = TP_LOCALS_MAX;
	assert_ends(f, &m, one);
	m = message_of(TP_SESSION_OPENED, 1);
	m.items[0].connection = 5;
	assert_ends(f, &m, one);
	m = message_of(TP_SESSION_OPENED, 1);
	m.items[0].flags = TP_REPORT_FRAMED + 1;
	assert_ends(f, &m, one);
	assert_int_equal(f->opened, 0);
	assert_int_equal(f->e.counters.bad, 12);
}

// ---- TCP allocations ----------------------------------------------------------------------------

struct relay_message {
	struct tp_session_message head;
	union {
		struct tp_session_relay relay;
		struct tp_session_peer peer;
		struct tp_session_used used;
	};
};

static struct relay_message relay_message(void)
{
	return (struct relay_message){
		.head = {.magic = TP_SESSION_MAGIC, .kind = TP_SESSION_RELAY, .n = 1},
		.relay = {.local = {.family = TP_FAMILY_IPV4, .port_be = 7},
			.state = TP_RELAY_LISTENS}};
}

static struct relay_message peer_message(void)
{
	return (struct relay_message){
		.head = {.magic = TP_SESSION_MAGIC, .kind = TP_SESSION_PEER, .n = 1},
		.peer = {.key = 5,
			.local = {.family = TP_FAMILY_IPV4, .port_be = 7},
			.peer = {.family = TP_FAMILY_IPV4, .port_be = 8},
			.state = TP_PEER_WAITS}};
}

static size_t relay_size(const struct relay_message *m)
{
	if (m->head.kind == TP_SESSION_USED)
		return sizeof(m->head) + sizeof(m->used);
	return sizeof(m->head) +
	       (m->head.kind == TP_SESSION_RELAY ? sizeof(m->relay) : sizeof(m->peer));
}

static void say_relay(struct fixture *f, const struct relay_message *m, bool right)
{
	unsigned lost = f->lost;
	int fd = dial(f);

	assert_int_equal(send(fd, m, relay_size(m), 0), relay_size(m));
	link_edge_read(&f->e, 10);
	assert_int_equal(f->lost, right ? lost : lost + 1);
	close(fd);
	link_edge_read(&f->e, 10);
}

static void relays_and_peers_are_reported(void **state)
{
	struct fixture *f = *state;
	struct relay_message m = relay_message();

	say_relay(f, &m, true);
	assert_int_equal(f->relays, 1);
	m.relay.state = TP_RELAY_ENDED + 1;
	say_relay(f, &m, false);
	m = relay_message();
	m.relay.local.family = TP_FAMILY_NONE;
	say_relay(f, &m, false);
	m = peer_message();
	say_relay(f, &m, true);
	assert_int_equal(f->peers, 1);
	m.peer.key = 0;
	say_relay(f, &m, false);
	m = peer_message();
	m.peer.state = 0;
	say_relay(f, &m, false);
	m = peer_message();
	m.peer.connection = 3;
	say_relay(f, &m, false);
	m = peer_message();
	m.peer.state = TP_PEER_JOINED;
	say_relay(f, &m, false);
	m = peer_message();
	m.peer.peer.port_be = 0;
	say_relay(f, &m, false);
	assert_true(f->relays == 1 && f->peers == 1);
}

static void use_of_caps_is_reported(void **state)
{
	struct fixture *f = *state;
	struct relay_message m = {
		.head = {.magic = TP_SESSION_MAGIC, .kind = TP_SESSION_USED, .n = 1},
		.used = {.id = 7, .octets = 8, .at_ns = 9}};

	say_relay(f, &m, true);
	assert_true(f->used.id == 7 && f->used.octets == 8 && f->used.at_ns == 9);
	m.head.kind = TP_SESSION_USED + 1;
	say_relay(f, &m, false);
}

struct order_message {
	struct tp_session_message head;
	struct tp_session_order order;
	char data[8];
};

static bool order_take(int fd, uint64_t key)
{
	struct order_message m;
	ssize_t n = recv(fd, &m, sizeof(m), 0);

	if (n < 0)
		return false;
	assert_int_equal(n, sizeof(m));
	assert_true(m.head.kind == TP_SESSION_ORDER && m.head.n == 1);
	assert_true(m.order.key == key && m.order.data_len == 8);
	assert_memory_equal(m.data, "response", 8);
	return true;
}

// An edge that is behind gets them all, in order; one that stays behind begins anew.
static void orders_wait_for_room(void **state)
{
	struct tp_session_order o = {.kind = TP_ORDER_JOIN, .data_len = 8};
	struct fixture *f = *state;
	uint64_t n = 0;
	char first[2048];
	int fd;

	// Nobody obeys.
	link_edge_order(&f->e, &o, "response");
	fd = dial(f);
	assert_true(recv(fd, first, sizeof(first), 0) > 0);
	while (f->e.n_waiting < 10) {
		o.key = ++n;
		link_edge_order(&f->e, &o, "response");
	}
	for (uint64_t i = 1; i <= n; i++) {
		link_edge_read(&f->e, 10);
		assert_true(order_take(fd, i));
	}
	assert_int_equal(f->e.n_waiting, 0);
	assert_int_equal(f->lost, 0);
	while (f->lost == 0)
		link_edge_order(&f->e, &o, "response");
	assert_true(f->e.counters.orders_lost == 1 && f->e.n_waiting == 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reports_arrive, setup, teardown),
		cmocka_unit_test_setup_teardown(synced_counts_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_turn_ends_one_session, setup, teardown),
		cmocka_unit_test_setup_teardown(a_turn_begins_one_report_again, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_messages_end_the_session, setup, teardown),
		cmocka_unit_test_setup_teardown(relays_and_peers_are_reported, setup, teardown),
		cmocka_unit_test_setup_teardown(use_of_caps_is_reported, setup, teardown),
		cmocka_unit_test_setup_teardown(orders_wait_for_room, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
