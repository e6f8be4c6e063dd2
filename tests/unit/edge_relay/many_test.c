// SPDX-License-Identifier: BSD-3-Clause
// Many TCP allocations that relay at once: reports of their bytes have a rate in all, and each
// allocation has its turn. Peers that find no descriptor are refused.
#include "told.h"

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY	300u
#define AT_ONCE 256u // reports of one look
#define LOOK_NS (100 * TP_NS_PER_MS)
#define HANDLE	5u

struct fixture {
	struct edge_relay *r;
	struct tp_addr address;
	uint64_t now_ns;
	struct tp_addr local[MANY];
	struct meter *meters[MANY];
	unsigned n_meters;
	unsigned reports[MANY];
};

static void on_join(void *ctx, uint64_t key, uint64_t connection, int fd, struct meter *meter,
	const uint8_t *data, size_t len)
{
	struct fixture *f = ctx;

	(void)key, (void)connection, (void)data, (void)len;
	close(fd);
	f->meters[f->n_meters++] = meter;
}

static void on_part(void *ctx, uint64_t key, uint64_t connection)
{
	(void)connection;
	edge_relay_ended(((struct fixture *)ctx)->r, key, 0, 0);
}

static struct edge_relay_report told(struct fixture *f)
{
	return told_next(f->r, f->now_ns);
}

// An allocation at a port that the kernel chooses, with one data connection.
static void allocation_make(struct fixture *f, unsigned i)
{
	struct sockaddr_in at = sockaddr_of(&f->address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct tp_session_order o = {.kind = TP_ORDER_LISTEN};
	socklen_t len = sizeof(at);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	f->local[i] = f->address;
	f->local[i].port_be = at.sin_port;
	o.local = f->local[i];
	assert_true(edge_relay_order(f->r, f->now_ns, &o, NULL));
	assert_int_equal(told(f).relay.state, TP_RELAY_LISTENS);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	o = (struct tp_session_order){.kind = TP_ORDER_KEEP, .key = told(f).peer.key};
	assert_true(edge_relay_order(f->r, f->now_ns, &o, NULL));
	assert_int_equal(told(f).peer.state, TP_PEER_WAITS);
	o = (struct tp_session_order){
		.kind = TP_ORDER_JOIN, .key = o.key, .connection = HANDLE, .data_len = 5};
	assert_true(edge_relay_order(f->r, f->now_ns, &o, (const uint8_t *)"hello"));
	assert_int_equal(told(f).peer.state, TP_PEER_JOINED);
	assert_int_equal(f->n_meters, i + 1);
	close(fd);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct edge_relay_settings s = {.n_addresses = 1,
		.port_min = 1024,
		.port_max = 65535,
		.listeners_max = MANY,
		.peers_max = MANY + 1,
		.join = on_join,
		.part = on_part};

	assert_non_null(f);
	f->address = tp_addr_ipv4(INADDR_LOOPBACK, 0);
	s.addresses = &f->address;
	s.ctx = f;
	f->now_ns = 1000 * TP_NS_PER_S;
	f->r = edge_relay_create(&s);
	assert_non_null(f->r);
	for (unsigned i = 0; i < MANY; i++)
		allocation_make(f, i);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < f->n_meters; i++)
		meter_unref(f->meters[i]);
	edge_relay_destroy(f->r);
	free(f);
	return 0;
}

static void all_relay(struct fixture *f)
{
	for (unsigned i = 0; i < MANY; i++)
		meter_count(f->meters[i], f->now_ns, true, 10);
}

// The reports of the next look, with the bytes that have passed.
static unsigned look(struct fixture *f, uint64_t most)
{
	struct edge_relay_report report;
	unsigned n = 0;

	f->now_ns += LOOK_NS;
	edge_relay_poll(f->r, f->now_ns);
	for (; edge_relay_due(f->r, &report); n++) {
		assert_int_equal(report.kind, TP_SESSION_RELAY);
		assert_int_equal(report.relay.to_peer, most);
		for (unsigned i = 0; i < MANY; i++)
			f->reports[i] += tp_addr_equal(&f->local[i], &report.relay.local);
		edge_relay_told(f->r);
	}
	return n;
}

// Fault: each allocation reported ten times a second, and so control served as many requests as
// there are allocations, times ten.
static void reports_have_a_rate(void **state)
{
	struct fixture *f = *state;

	all_relay(f);
	assert_int_equal(look(f, 10), AT_ONCE);
	assert_int_equal(look(f, 10), MANY - AT_ONCE);
	assert_int_equal(look(f, 10), 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(f->reports[i], 1);
	for (unsigned k = 1; k <= 75; k++) {
		all_relay(f);
		assert_int_equal(look(f, 10 + 10 * k), AT_ONCE);
	}
	// 75 looks are 64 reports of each.
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(f->reports[i], 1 + 64);
}

static int dial(struct fixture *f)
{
	struct sockaddr_in at = sockaddr_of(&f->local[0]);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

// Fault: the peer waited in the kernel, and its event came again at once.
static void no_descriptor_refuses(void **state)
{
	struct fixture *f = *state;
	struct pollfd p = {.fd = edge_relay_fd(f->r), .events = POLLIN};
	struct edge_relay_counters c;
	struct rlimit before, few;
	int fds[2048], n = 0, fd = dial(f);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){TP_ARRAY_LEN(fds), before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < (int)TP_ARRAY_LEN(fds) && (fds[n] = dup(fd)) >= 0)
		n++;
	assert_int_equal(poll(&p, 1, 60000), 1);
	edge_relay_poll(f->r, f->now_ns);
	edge_relay_counters_read(f->r, &c);
	assert_int_equal(c.accepted_full, 1);
	assert_int_equal(poll(&p, 1, 0), 0);
	while (n > 0)
		close(fds[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(fd);
	fd = dial(f);
	assert_int_equal(told(f).peer.state, TP_PEER_ARRIVED);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reports_have_a_rate, setup, teardown),
		cmocka_unit_test_setup_teardown(no_descriptor_refuses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
