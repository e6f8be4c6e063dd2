// SPDX-License-Identifier: BSD-3-Clause
#include <load/value.h>

#include <arpa/inet.h>
#include <string.h>

#include <turnclient/stun.h>

static void address_set(struct load_addr *out, const union tc_addr *a)
{
	const uint8_t *ip = a->v6.sin6_addr.s6_addr;
	uint32_t low;

	*out = (struct load_addr){
		.port = tc_addr_port(a), .net = {.v6 = a->sa.sa_family == AF_INET6}};
	if (out->net.v6) {
		memcpy(out->net.prefix, ip, sizeof(out->net.prefix));
		memcpy(&low, ip + sizeof(out->net.prefix), sizeof(low));
		out->ip = ntohl(low);
	} else {
		out->ip = ntohl(a->v4.sin_addr.s_addr);
	}
}

const char *load_value_address(const char *text, uint16_t port, struct load_addr *out)
{
	union tc_addr a = {0};

	// An IPv6 address may come without brackets where no port follows.
	if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(port);
	} else if (tc_addr_parse(&a, text, port) != 0) {
		return "a numeric address";
	}
	address_set(out, &a);
	if (port == 0 && out->port != 0)
		return "an address without a port";
	if (port != 0 && out->port == 0)
		return "an address with a port";
	return NULL;
}
