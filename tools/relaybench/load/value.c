// SPDX-License-Identifier: BSD-3-Clause
#include "value.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../value.h"

int load_value_address(const char *what, const char *text, uint16_t port, struct load_addr *out)
{
	char copy[32];
	char *colon;
	struct in_addr ip;
	uint32_t number = port;

	snprintf(copy, sizeof(copy), "%s", text);
	colon = strchr(copy, ':');
	if (colon != NULL) {
		*colon++ = '\0';
		if (port == 0 || bench_value_whole(what, colon, 1, 65535, &number) != 0)
			return bench_value_refuse(what, text, "an address");
	}
	if (inet_pton(AF_INET, copy, &ip) != 1)
		return bench_value_refuse(what, text, "an IPv4 address");
	*out = (struct load_addr){ntohl(ip.s_addr), (uint16_t)number};
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
