// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tcp/socket.h>

#define BACKLOG	   64
#define UNACKED_MS 60000u

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
	int fd = tcp_bind(local, false), rc;

	if (fd < 0 || listen(fd, BACKLOG) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int socket_connect(const struct tp_addr *local, const struct tp_addr *peer, bool *done)
{
	struct sockaddr_storage to;
	socklen_t len = tcp_sockaddr(peer, &to);
	int fd = tcp_bind(local, false), rc;

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
	int accepted = tcp_accept(fd, from);

	if (accepted < 0)
		return accepted;
	// The kernel takes connections from port 0, and the control process ends the session for
	// one.
	if (from->port_be == 0) {
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
