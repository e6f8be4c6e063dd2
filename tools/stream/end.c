// SPDX-License-Identifier: BSD-3-Clause
#include "end.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_BUFFER (4 << 20)

// Opens the socket while this thread stands in the other namespace, then comes back: a socket
// belongs to the namespace it was made in.
static int socket_in(const char *netns, int family)
{
	char path[256];
	int here = -1, there = -1, fd;

	if (netns == NULL) {
		fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (here < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0) {
		fd = -errno;
		goto close_both;
	}
	fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fd = -errno;
	if (setns(here, CLONE_NEWNET) < 0) {
		if (fd >= 0)
			close(fd);
		fd = -errno;
	}
close_both:
	if (there >= 0)
		close(there);
	if (here >= 0)
		close(here);
	return fd;
}

int sm_end_open(struct sm_end *e, const char *netns, const union tc_addr *bind_to,
	const union tc_addr *server)
{
	const int one = 1, size = SOCKET_BUFFER;
	bool v6 = bind_to->sa.sa_family == AF_INET6;
	socklen_t len = sizeof(e->own);
	int err;

	memset(e, 0, sizeof(*e));
	e->fd = socket_in(netns, bind_to->sa.sa_family);
	if (e->fd < 0)
		return e->fd;
	// The larger buffer needs privilege; without it the default has to do.
	if (setsockopt(e->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(e->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(e->fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &one,
		    sizeof(one)) < 0 ||
		bind(e->fd, &bind_to->sa, tc_addr_len(bind_to)) < 0 ||
		(server != NULL && connect(e->fd, &server->sa, tc_addr_len(server)) < 0) ||
		getsockname(e->fd, &e->own.sa, &len) < 0) {
		err = -errno;
		close(e->fd);
		e->fd = -1;
		return err;
	}
	return 0;
}

void sm_end_close(struct sm_end *e)
{
	if (e->fd >= 0)
		close(e->fd);
	if (e->relayed)
		tc_client_fini(&e->client);
}

static void collect_errors(struct sm_end *e)
{
	uint8_t data[64], control[512];

	for (;;) {
		struct iovec iov = {data, sizeof(data)};
		struct msghdr m = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};

		if (recvmsg(e->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
			struct sock_extended_err err;

			if (c->cmsg_len < CMSG_LEN(sizeof(err)))
				continue;
			memcpy(&err, CMSG_DATA(c), sizeof(err));
			if (err.ee_origin != SO_EE_ORIGIN_ICMP &&
				err.ee_origin != SO_EE_ORIGIN_ICMP6)
				continue;
			e->errors.count++;
			e->errors.type = err.ee_type;
			e->errors.code = err.ee_code;
			e->errors.v6 = err.ee_origin == SO_EE_ORIGIN_ICMP6;
		}
	}
}

int sm_end_receive(struct sm_end *e, uint8_t *buf, size_t len, union tc_addr *from)
{
	for (;;) {
		socklen_t from_len = sizeof(*from);
		ssize_t n = recvfrom(e->fd, buf, len, MSG_DONTWAIT, &from->sa, &from_len);

		if (n >= 0)
			return (int)n;
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			collect_errors(e);
			return -EAGAIN;
		}
		// A pending ICMP error is reported once by the call, then the queue has it.
		collect_errors(e);
	}
}
