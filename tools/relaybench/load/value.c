// SPDX-License-Identifier: BSD-3-Clause
#include "value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int load_value_refuse(const char *what, const char *value, const char *allowed)
{
	fprintf(stderr, "relaybench: %s: \"%s\" is not %s\n", what, value, allowed);
	return -EINVAL;
}

int load_value_number(const char *what, const char *text, double low, double high, double *out)
{
	char allowed[64], *end;

	*out = strtod(text, &end);
	if (end != text && *end == '\0' && *out >= low && *out <= high)
		return 0;
	snprintf(allowed, sizeof(allowed), "a number from %g to %g", low, high);
	return load_value_refuse(what, text, allowed);
}

int load_value_whole(const char *what, const char *text, double low, double high, uint32_t *out)
{
	double v;

	if (load_value_number(what, text, low, high, &v) != 0)
		return -EINVAL;
	*out = (uint32_t)v;
	return v == floor(v) ? 0 : load_value_refuse(what, text, "a whole number");
}

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
		if (port == 0 || load_value_whole(what, colon, 1, 65535, &number) != 0)
			return load_value_refuse(what, text, "an address");
	}
	if (inet_pton(AF_INET, copy, &ip) != 1)
		return load_value_refuse(what, text, "an IPv4 address");
	*out = (struct load_addr){ntohl(ip.s_addr), (uint16_t)number};
	return 0;
}

int load_value_word(
	const char *what, const char *text, const char *const words[], unsigned n, unsigned *out)
{
	for (*out = 0; *out < n; (*out)++)
		if (strcmp(text, words[*out]) == 0)
			return 0;
	return load_value_refuse(what, text, "one of those that --help names");
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
		return load_value_refuse("--password-file", file, "a file that can be read");
	if (fgets(password, (int)size, f) == NULL)
		password[0] = '\0';
	fclose(f);
	password[strcspn(password, "\r\n")] = '\0';
	return 0;
}
