// SPDX-License-Identifier: BSD-3-Clause
// Messages of an edge to the control process: each is taken whole, or ends the session. An input is
// a row of messages, each behind its length of two bytes, without or with MAGIC_KEPT. Handlers see
// nothing that the contract forbids; the next session takes a right message.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <link/edge.h>
#include <log/level.h>
#include <log/log.h>
#include <turnpike/entry.h>
#include <turnpike/segment.h>

#define MESSAGE_MAX 16384u // longer than any that is right
// The message has the magic number of the input. Else it gets that of today, so that inputs last.
#define MAGIC_KEPT  0x8000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct desk {
	struct link_edge e;
	int peer;
	unsigned taken, lost;
};

static void require(bool ok, const char *text)
{
	if (ok)
		return;
	fprintf(stderr, "edge_session: %s\n", text);
	abort();
}

static void require_addr(const struct tp_addr *a)
{
	static const uint8_t zeros[16];
	unsigned len = tp_family_ip_len(a->family);

	require(a->family == TP_FAMILY_IPV4 || a->family == TP_FAMILY_IPV6, "another family");
	require(a->port_be != 0 && a->reserved == 0, "a port of 0, or another spelling");
	require(memcmp(a->ip + len, zeros, sizeof(a->ip) - len) == 0, "bytes behind an address");
}

static void on_report(void *ctx, const struct tp_session_report *r)
{
	((struct desk *)ctx)->taken++;
	require(r->listener_id < TP_LOCALS_MAX, "a listener beyond the table");
	require(tp_connection_valid(r->connection), "no handle of a connection");
	require(r->flags <= TP_REPORT_FRAMED, "unknown flags");
	require_addr(&r->remote);
}

static void on_relay(void *ctx, const struct tp_session_relay *r)
{
	((struct desk *)ctx)->taken++;
	require(r->state >= TP_RELAY_LISTENS && r->state <= TP_RELAY_ENDED, "another state");
	require_addr(&r->local);
}

static void on_peer(void *ctx, const struct tp_session_peer *p)
{
	((struct desk *)ctx)->taken++;
	require(p->state >= TP_PEER_CONNECTS && p->state <= TP_PEER_GONE, "another state");
	require(p->key != 0, "a peer connection without a key");
	require((p->state == TP_PEER_JOINED) == (p->connection != 0), "joined with nobody");
	require_addr(&p->local);
	require_addr(&p->peer);
}

static void on_synced(void *ctx, uint64_t peers_max)
{
	(void)peers_max;
	((struct desk *)ctx)->taken++;
}

static void on_again(void *ctx)
{
	((struct desk *)ctx)->taken++;
}

static void on_lost(void *ctx)
{
	((struct desk *)ctx)->lost++;
}

// A session that has just begun: the socket itself is no matter of the messages.
static void session_begin(struct desk *d)
{
	struct epoll_event event = {.events = EPOLLIN};
	int pair[2];

	require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0 &&
			epoll_ctl(d->e.epoll_fd, EPOLL_CTL_ADD, pair[0], &event) == 0,
		"no sockets");
	d->e.fd = pair[0];
	d->peer = pair[1];
}

static void desk_open(struct desk *d)
{
	*d = (struct desk){.e = {.handler = {.ctx = d,
					 .opened = on_report,
					 .closed = on_report,
					 .relay = on_relay,
					 .peer = on_peer,
					 .synced = on_synced,
					 .room = on_synced,
					 .again = on_again,
					 .lost = on_lost},
				   .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
				   // Nobody else can be accepted.
				   .listen_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)}};
	d->e.last = &d->e.first;
	session_begin(d);
}

static void say(struct desk *d, const void *bytes, size_t len)
{
	uint64_t bad = d->e.counters.bad;
	unsigned lost = d->lost;

	// An empty packet is the end of a session.
	require(send(d->peer, bytes, len, MSG_NOSIGNAL) == (ssize_t)len, "not sent");
	link_edge_read(&d->e, 4);
	require((d->lost > lost) == (d->e.fd < 0), "lost without an end");
	require(d->lost == lost || d->e.counters.bad == bad + (len > 0),
		"an end that no counter has");
	if (d->e.fd >= 0)
		return;
	close(d->peer);
	session_begin(d);
}

// A right edge is understood, after any messages before it.
static void say_right(struct desk *d)
{
	struct {
		struct tp_session_message head;
		struct tp_session_report report;
	} m = {.head = {.magic = TP_SESSION_MAGIC, .kind = TP_SESSION_OPENED, .n = 1},
		.report = {.connection = tp_connection(0, 1, 1),
			.remote = tp_addr_ipv4(0xc6336401, 7),
			.listener_id = 1}};
	unsigned taken = d->taken;

	say(d, &m, sizeof(m));
	require(d->taken == taken + 1, "a right message is not taken");
}

static void say_input(struct desk *d, const uint8_t *data, size_t len, bool magic_kept)
{
	const uint64_t magic = TP_SESSION_MAGIC;
	uint8_t message[MESSAGE_MAX];

	memcpy(message, data, len);
	if (!magic_kept && len >= sizeof(magic))
		memcpy(message, &magic, sizeof(magic));
	say(d, message, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct desk d;

	log_level_set(LOG_LEVEL_ERROR);
	desk_open(&d);
	while (size >= 2) {
		size_t word = (size_t)data[0] | (size_t)data[1] << 8;
		size_t len = word & ~(size_t)MAGIC_KEPT;

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		len = len < MESSAGE_MAX ? len : MESSAGE_MAX;
		say_input(&d, data, len, (word & MAGIC_KEPT) != 0);
		data += len;
		size -= len;
	}
	say_right(&d);
	close(d.peer);
	close(d.e.fd);
	close(d.e.listen_fd);
	close(d.e.epoll_fd);
	return 0;
}
