// SPDX-License-Identifier: BSD-3-Clause
// Sockets of TCP allocations for tests: real ones on 127.0.0.1, at a time that the test sets.
#pragma once

#include "told.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS_MAX 3u
#define HANDLE	  0x0000000180000001u

struct fixture {
	struct edge_relay *r;
	struct tp_addr addresses[1];
	struct tp_addr local; // a free port
	uint64_t now_ns;
	uint64_t joined_key;
	uint64_t parted_key;
	bool holds; // the end of one that is parted
	int joined_fd;
	struct meter *meter; // of the joined one
	uint8_t data[16];
	size_t len;
};

static inline void on_join(void *ctx, uint64_t key, uint64_t connection, int fd,
	struct meter *meter, const uint8_t *data, size_t len)
{
	struct fixture *f = ctx;

	assert_true(connection == HANDLE && len <= sizeof(f->data));
	f->joined_key = key;
	f->joined_fd = fd;
	f->meter = meter;
	memcpy(f->data, data, len);
	f->len = len;
}

static inline void on_part(void *ctx, uint64_t key, uint64_t connection)
{
	struct fixture *f = ctx;

	assert_true(connection == HANDLE);
	f->parted_key = key;
	if (!f->holds)
		edge_relay_ended(f->r, key, 5, 7);
}

// A listening socket of the test on a port that the kernel chooses.
static inline int peer_open(struct tp_addr *at)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*at = tp_addr_ipv4(INADDR_LOOPBACK, ntohs(in.sin_port));
	return fd;
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct edge_relay_settings s = {.n_addresses = 1,
		.port_min = 1024,
		.port_max = 65535,
		.listeners_max = 2,
		.peers_max = PEERS_MAX,
		.join = on_join,
		.part = on_part};

	f->addresses[0] = tp_addr_ipv4(INADDR_LOOPBACK, 0);
	s.addresses = f->addresses;
	s.ctx = f;
	close(peer_open(&f->local));
	f->now_ns = 1000 * TP_NS_PER_S;
	f->joined_fd = -1;
	f->r = edge_relay_create(&s);
	assert_non_null(f->r);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	meter_unref(f->meter);
	edge_relay_destroy(f->r);
	if (f->joined_fd >= 0)
		close(f->joined_fd);
	free(f);
	return 0;
}

static inline bool order(struct fixture *f, struct tp_session_order o)
{
	if (o.local.family == TP_FAMILY_NONE)
		o.local = f->local;
	return edge_relay_order(f->r, f->now_ns, &o, (const uint8_t *)"hello");
}

static inline struct edge_relay_report told(struct fixture *f)
{
	return told_next(f->r, f->now_ns);
}

static inline struct tp_session_peer told_peer(struct fixture *f, enum tp_peer_state state)
{
	struct edge_relay_report report = told(f);

	assert_int_equal(report.kind, TP_SESSION_PEER);
	assert_int_equal(report.peer.state, state);
	return report.peer;
}

static inline void nothing_due(struct fixture *f)
{
	struct edge_relay_report report;

	edge_relay_poll(f->r, f->now_ns);
	assert_false(edge_relay_due(f->r, &report));
}

static inline void listening(struct fixture *f)
{
	struct edge_relay_report report;

	assert_true(order(f, (struct tp_session_order){.kind = TP_ORDER_LISTEN}));
	report = told(f);
	assert_int_equal(report.kind, TP_SESSION_RELAY);
	assert_int_equal(report.relay.state, TP_RELAY_LISTENS);
	assert_true(tp_addr_equal(&report.relay.local, &f->local));
}

// A connection of a peer to the relayed address.
static inline int dial(struct fixture *f)
{
	struct sockaddr_in at = sockaddr_of(&f->local);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static inline void assert_closed(int fd)
{
	char byte;

	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
}
