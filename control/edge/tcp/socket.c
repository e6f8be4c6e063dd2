// SPDX-License-Identifier: BSD-3-Clause
#include <tcp/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

socklen_t tcp_sockaddr(const struct tp_addr *a, struct sockaddr_storage *out)
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

int tcp_bind(const struct tp_addr *local, bool is_early)
{
	static const int on = 1;
	struct sockaddr_storage at;
	socklen_t len = tcp_sockaddr(local, &at);
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 &&
		(at.ss_family != AF_INET6 ||
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
		(!is_early || setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) == 0) &&
		bind(fd, (struct sockaddr *)&at, len) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int tcp_accept(int fd, struct tp_addr *from)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	int accepted = accept4(fd, (struct sockaddr *)&at, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (accepted < 0)
		return -errno;
	if (sockaddr_read(&at, from))
		return accepted;
	close(accepted);
	return -EAFNOSUPPORT;
}
