// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG	   64
#define UNACKED_MS 60000u

static socklen_t sockaddr_make(const struct tp_addr *a, struct sockaddr_storage *out)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = a->port_be};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = a->port_be};

	memset(out, 0, sizeof(*out));
	if (a->family == TP_FAMILY_IPV6) {
		memcpy(&six.sin6_addr, a->ip, 16);
		memcpy(out, &six, sizeof(six));
		return sizeof(six);
	}
	memcpy(&four.sin_addr, a->ip, 4);
	memcpy(out, &four, sizeof(four));
	return sizeof(four);
}

static bool sockaddr_read(const struct sockaddr_storage *in, struct tp_addr *out)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	if (in->ss_family == AF_INET6) {
		memcpy(&six, in, sizeof(six));
		*out = tp_addr_ipv6(six.sin6_addr.s6_addr, tp_ntohs(six.sin6_port));
		return true;
	}
	memcpy(&four, in, sizeof(four));
	*out = tp_addr_ipv4(tp_load_be32(&four.sin_addr), tp_ntohs(four.sin_port));
	return in->ss_family == AF_INET;
}

// One port has a socket that listens and some that connect.
static int socket_bound(const struct tp_addr *local)
{
	static const int on = 1;
	struct sockaddr_storage at;
	socklen_t len = sockaddr_make(local, &at);
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 &&
		(at.ss_family != AF_INET6 ||
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
		bind(fd, (struct sockaddr *)&at, len) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static void options_set(int fd)
{
	static const int on = 1;
	static const unsigned unacked_ms = UNACKED_MS;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof(unacked_ms));
}

int socket_listen(const struct tp_addr *local)
{
	int fd = socket_bound(local), rc;

	if (fd < 0 || listen(fd, BACKLOG) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int socket_connect(const struct tp_addr *local, const struct tp_addr *peer, bool *done)
{
	struct sockaddr_storage to;
	socklen_t len = sockaddr_make(peer, &to);
	int fd = socket_bound(local), rc;

	if (fd < 0)
		return fd;
	options_set(fd);
	*done = connect(fd, (struct sockaddr *)&to, len) == 0;
	if (*done || errno == EINPROGRESS)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int socket_accept(int fd, struct tp_addr *from)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	int accepted = accept4(fd, (struct sockaddr *)&at, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (accepted < 0)
		return -errno;
	// The kernel takes connections from port 0, and the control process ends the session for
	// one.
	if (!sockaddr_read(&at, from) || from->port_be == 0) {
		close(accepted);
		return -EAFNOSUPPORT;
	}
	options_set(accepted);
	return accepted;
}

int socket_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}
