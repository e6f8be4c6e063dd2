// SPDX-License-Identifier: BSD-3-Clause
#include <text/time.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define YEAR_MAX 9999

const char *text_time_format(uint64_t unix_s, char buf[TEXT_TIME_SIZE])
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year > YEAR_MAX - 1900 ||
		strftime(buf, TEXT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(buf, TEXT_TIME_SIZE, "%llu", (unsigned long long)unix_s);
	return buf;
}

// Digits and signs stand where the pattern has them.
static int has_form(const char *s, const char *pattern)
{
	for (; *pattern != '\0'; pattern++, s++) {
		if (*pattern == '0' ? *s < '0' || *s > '9' : *s != *pattern)
			return 0;
	}
	return *s == '\0';
}

int text_time_parse(const char *s, uint64_t *unix_s)
{
	char whole[TEXT_TIME_SIZE], again[TEXT_TIME_SIZE];
	struct tm tm = {0};
	time_t t;

	if (has_form(s, "0000-00-00"))
		snprintf(whole, sizeof(whole), "%sT00:00:00Z", s);
	else if (has_form(s, "0000-00-00T00:00:00Z"))
		snprintf(whole, sizeof(whole), "%s", s);
	else
		return -EINVAL;
	if (strptime(whole, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL)
		return -EINVAL;
	t = timegm(&tm);
	// A day that the month has not would become another one.
	if (t < 0 || strcmp(text_time_format((uint64_t)t, again), whole) != 0)
		return -EINVAL;
	*unix_s = (uint64_t)t;
	return 0;
}
