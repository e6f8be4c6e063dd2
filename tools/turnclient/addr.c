// SPDX-License-Identifier: BSD-3-Clause
#include <turnclient/stun.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tc_addr_equal(const union tc_addr *a, const union tc_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family || tc_addr_port(a) != tc_addr_port(b))
		return false;
	if (a->sa.sa_family == AF_INET6)
		return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, 16) == 0;
	return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

socklen_t tc_addr_len(const union tc_addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

uint16_t tc_addr_port(const union tc_addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

int tc_addr_parse(union tc_addr *a, const char *text, uint16_t default_port)
{
	char host[64];
	const char *port = NULL;
	size_t n;

	memset(a, 0, sizeof(*a));
	if (text[0] == '[') {
		const char *end = strchr(text, ']');

		if (end == NULL)
			return -EINVAL;
		n = (size_t)(end - ++text);
		port = end[1] == ':' ? end + 2 : NULL;
	} else {
		// A bare IPv6 address has several colons; only a single one separates a port.
		const char *colon = strchr(text, ':');

		port = colon != NULL && strchr(colon + 1, ':') == NULL ? colon + 1 : NULL;
		n = port != NULL ? (size_t)(colon - text) : strlen(text);
	}
	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';

	long number = port != NULL ? strtol(port, NULL, 10) : default_port;

	if (number < 0 || number > 65535)
		return -EINVAL;
	if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons((uint16_t)number);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons((uint16_t)number);
		return 0;
	}
	return -EINVAL;
}

const char *tc_addr_text(const union tc_addr *a, char buf[64])
{
	char ip[INET6_ADDRSTRLEN];

	if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->v6.sin6_addr, ip, sizeof(ip));
		snprintf(buf, 64, "[%s]:%u", ip, tc_addr_port(a));
	} else {
		inet_ntop(AF_INET, &a->v4.sin_addr, ip, sizeof(ip));
		snprintf(buf, 64, "%s:%u", ip, tc_addr_port(a));
	}
	return buf;
}
