// SPDX-License-Identifier: BSD-3-Clause
#include <net/watch.h>

#include <errno.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#define READS_MAX	 64u // datagrams of one net_watch_read
#define DUMP_INTERVAL_NS (100 * TP_NS_PER_MS)
#define RECEIVE_BUFFER	 (4 << 20)

struct net_watch {
	struct net_mirror *mirror;
	struct mnl_socket *sock;
	uint32_t seq;
	uint64_t dumped_ns[NET_KINDS]; // when the last dump was asked for
	// Large enough for one datagram of a kernel dump.
	uint8_t buf[65536] TP_ALIGNED(8);
};

static int socket_open(struct net_watch *w)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEIGH, RTNLGRP_NEXTHOP};
	int size = RECEIVE_BUFFER;

	w->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (w->sock == NULL)
		return -errno;
	if (mnl_socket_bind(w->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	// Not fatal: a small buffer only means more dumps.
	(void)setsockopt(mnl_socket_get_fd(w->sock), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (size_t i = 0; i < TP_ARRAY_LEN(groups); i++) {
		int group = groups[i];

		// A kernel before 5.3 has no group of next-hop objects.
		if (mnl_socket_setsockopt(w->sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
				0 &&
			group != RTNLGRP_NEXTHOP)
			return -errno;
	}
	return 0;
}

static int dump_send(struct net_watch *w, enum net_kind kind)
{
	static const struct {
		uint16_t type;
		size_t header_len;
	} requests[NET_KINDS] = {
		[NET_LINK] = {RTM_GETLINK, sizeof(struct ifinfomsg)},
		[NET_ADDRESS] = {RTM_GETADDR, sizeof(struct ifaddrmsg)},
		[NET_NEXTHOP] = {RTM_GETNEXTHOP, sizeof(struct nhmsg)},
		[NET_ROUTE] = {RTM_GETROUTE, sizeof(struct rtmsg)},
		[NET_NEIGHBOUR] = {RTM_GETNEIGH, sizeof(struct ndmsg)},
	};
	uint8_t buf[256] TP_ALIGNED(8);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = requests[kind].type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	// 0 marks notifications.
	nlh->nlmsg_seq = ++w->seq == 0 ? ++w->seq : w->seq;
	mnl_nlmsg_put_extra_header(nlh, requests[kind].header_len);
	if (mnl_socket_sendto(w->sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	net_mirror_dump_begin(w->mirror, kind, nlh->nlmsg_seq);
	return 0;
}

static uint64_t due_ns(const struct net_watch *w, enum net_kind kind)
{
	return w->dumped_ns[kind] == 0 ? 0 : w->dumped_ns[kind] + DUMP_INTERVAL_NS;
}

int net_watch_advance(struct net_watch *w, uint64_t now_ns)
{
	enum net_kind kind;

	if (!net_mirror_wants_dump(w->mirror, &kind) || now_ns < due_ns(w, kind))
		return 0;
	w->dumped_ns[kind] = now_ns;
	return dump_send(w, kind);
}

uint64_t net_watch_deadline(const struct net_watch *w)
{
	enum net_kind kind;

	return net_mirror_wants_dump(w->mirror, &kind) ? due_ns(w, kind) : UINT64_MAX;
}

static uint64_t now_boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * TP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

struct net_watch *net_watch_create(struct net_mirror *m)
{
	struct net_watch *w = calloc(1, sizeof(*w));
	int rc;

	if (w == NULL)
		return NULL;
	w->mirror = m;
	rc = socket_open(w);
	if (rc == 0)
		rc = net_watch_advance(w, now_boottime_ns());
	if (rc < 0) {
		net_watch_destroy(w);
		errno = -rc;
		return NULL;
	}
	return w;
}

void net_watch_destroy(struct net_watch *w)
{
	if (w->sock != NULL)
		mnl_socket_close(w->sock);
	free(w);
}

int net_watch_fd(const struct net_watch *w)
{
	return mnl_socket_get_fd(w->sock);
}

int net_watch_read(struct net_watch *w, uint64_t now_ns)
{
	int rc = 0;

	for (unsigned i = 0; i < READS_MAX && rc == 0; i++) {
		ssize_t n = mnl_socket_recvfrom(w->sock, w->buf, sizeof(w->buf));

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			// ENOBUFS: messages were lost. ENOSPC: one was cut.
			rc = errno == ENOBUFS || errno == ENOSPC ? 0 : -errno;
			net_mirror_lost(w->mirror);
			break;
		}
		rc = net_mirror_feed(w->mirror, w->buf, (size_t)n);
		if (rc == 0)
			rc = net_watch_advance(w, now_ns);
	}
	return rc < 0 ? rc : net_watch_advance(w, now_ns);
}

int net_watch_sync(struct net_watch *w, unsigned timeout_ms)
{
	uint64_t end_ns = now_boottime_ns() + timeout_ms * TP_NS_PER_MS;

	while (!net_mirror_complete(w->mirror)) {
		struct pollfd p = {.fd = net_watch_fd(w), .events = POLLIN};
		uint64_t now_ns = now_boottime_ns();
		int rc;

		if (now_ns >= end_ns)
			return -ETIMEDOUT;
		// Short: a held back dump needs no message to become due.
		if (poll(&p, 1, 20) < 0 && errno != EINTR)
			return -errno;
		rc = net_watch_read(w, now_boottime_ns());
		if (rc < 0)
			return rc;
	}
	return 0;
}
