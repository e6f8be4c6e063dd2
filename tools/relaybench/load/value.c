// SPDX-License-Identifier: BSD-3-Clause
#include "value.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stream/stun.h>

#include "../value.h"

static void address_set(struct load_addr *out, const union sm_addr *a)
{
	const uint8_t *ip = a->v6.sin6_addr.s6_addr;
	uint32_t low;

	*out = (struct load_addr){
		.port = sm_addr_port(a), .net = {.v6 = a->sa.sa_family == AF_INET6}};
	if (out->net.v6) {
		memcpy(out->net.prefix, ip, sizeof(out->net.prefix));
		memcpy(&low, ip + sizeof(out->net.prefix), sizeof(low));
		out->ip = ntohl(low);
	} else {
		out->ip = ntohl(a->v4.sin_addr.s_addr);
	}
}

int load_value_address(const char *what, const char *text, uint16_t port, struct load_addr *out)
{
	union sm_addr a = {0};

	// An IPv6 address may stand without brackets where no port follows.
	if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(port);
	} else if (sm_addr_parse(&a, text, port) != 0) {
		return bench_value_refuse(what, text, "an address");
	}
	address_set(out, &a);
	if (port == 0 && out->port != 0)
		return bench_value_refuse(what, text, "an address without a port");
	if (port != 0 && out->port == 0)
		return bench_value_refuse(what, text, "an address with a port");
	return 0;
}

int load_value_password(char *password, size_t size, const char *file)
{
	const char *text = getenv("RELAYBENCH_PASSWORD");
	FILE *f;

	if (file == NULL) {
		snprintf(password, size, "%s", text == NULL ? "" : text);
		return 0;
	}
	f = fopen(file, "re");
	if (f == NULL)
		return bench_value_refuse("--password-file", file, "a file that can be read");
	if (fgets(password, (int)size, f) == NULL)
		password[0] = '\0';
	fclose(f);
	password[strcspn(password, "\r\n")] = '\0';
	return 0;
}
