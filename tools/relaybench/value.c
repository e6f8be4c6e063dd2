// SPDX-License-Identifier: BSD-3-Clause
#include "value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int bench_value_refuse(const char *what, const char *value, const char *allowed)
{
	fprintf(stderr, "relaybench: %s: \"%s\" is not %s\n", what, value, allowed);
	return -EINVAL;
}

int bench_value_number(const char *what, const char *text, double low, double high, double *out)
{
	char allowed[64], *end;

	*out = strtod(text, &end);
	if (end != text && *end == '\0' && *out >= low && *out <= high)
		return 0;
	snprintf(allowed, sizeof(allowed), "a number from %g to %g", low, high);
	return bench_value_refuse(what, text, allowed);
}

int bench_value_whole(const char *what, const char *text, double low, double high, uint32_t *out)
{
	double v;

	if (bench_value_number(what, text, low, high, &v) != 0)
		return -EINVAL;
	*out = (uint32_t)v;
	return v == floor(v) ? 0 : bench_value_refuse(what, text, "a whole number");
}

int bench_value_word(
	const char *what, const char *text, const char *const words[], unsigned n, unsigned *out)
{
	for (*out = 0; *out < n; (*out)++)
		if (strcmp(text, words[*out]) == 0)
			return 0;
	return bench_value_refuse(what, text, "one of those that --help names");
}
