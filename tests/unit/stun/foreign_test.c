// SPDX-License-Identifier: BSD-3-Clause
// Messages that others made: seeds and findings of the fuzzers of coturn and Pion, a test vector of
// libjuice, first requests of browsers. They lie in tests/fuzz/corpus/stun_message, beside the
// fuzzer's own, which begin with "seed-".
#include <stun/read.h>

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGE_MAX 2048u

static const struct {
	const char *prefix; // the first that fits counts
	enum stun_parse_result result;
} rows[] = {
	{"browser-", STUN_PARSE_OK},
	{"coturn-9", STUN_PARSE_NOT_STUN}, // the classic one, without the cookie
	{"coturn-data", STUN_PARSE_BAD_LENGTH},
	{"coturn-input-alignment", STUN_PARSE_NOT_STUN},
	{"coturn-seed-http-", STUN_PARSE_NOT_STUN},
	{"coturn-validator-crash-", STUN_PARSE_BAD_LENGTH},
	{"coturn-", STUN_PARSE_OK},
	{"juice-", STUN_PARSE_OK},
	{"pion-chrome", STUN_PARSE_OK},
	{"pion-setters-03", STUN_PARSE_BAD_LENGTH}, // these three are shorter than a header
	{"pion-setters-05", STUN_PARSE_BAD_LENGTH},
	{"pion-setters-09", STUN_PARSE_BAD_LENGTH},
	{"pion-", STUN_PARSE_NOT_STUN},
};

static size_t file_read(const char *name, uint8_t octets[MESSAGE_MAX])
{
	char path[1024];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", CORPUS, name);
	f = fopen(path, "rbe");
	assert_non_null(f);
	n = fread(octets, 1, MESSAGE_MAX, f);
	fclose(f);
	return n;
}

static size_t row_of(const char *name)
{
	size_t i = 0;

	while (i < TP_ARRAY_LEN(rows) && strncmp(name, rows[i].prefix, strlen(rows[i].prefix)) != 0)
		i++;
	return i;
}

static void each_is_read_or_refused(void **state)
{
	unsigned found[TP_ARRAY_LEN(rows)] = {0};
	uint8_t octets[MESSAGE_MAX];
	const struct dirent *e;
	DIR *d = opendir(CORPUS);

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		struct stun_message m;
		size_t i = row_of(e->d_name), len;

		if (e->d_name[0] == '.' || strncmp(e->d_name, "seed-", 5) == 0)
			continue;
		if (i == TP_ARRAY_LEN(rows))
			fail_msg("%s: no row of the table", e->d_name);
		found[i]++;
		len = file_read(e->d_name, octets);
		if (stun_message_parse(&m, octets, len) != rows[i].result)
			fail_msg("%s: another result", e->d_name);
	}
	closedir(d);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++)
		assert_in_range(found[i], 1, MESSAGE_MAX);
}

// A request of a browser has no attribute that the reader does not know.
static void browsers_say_nothing_unknown(void **state)
{
	uint8_t octets[MESSAGE_MAX];
	struct stun_message m;

	(void)state;
	assert_int_equal(stun_message_parse(&m, octets, file_read("browser-chrome-11", octets)),
		STUN_PARSE_OK);
	assert_int_equal(m.n_unknown, 0);
	assert_true(stun_has(&m, STUN_ORIGIN));
	assert_int_equal(stun_message_parse(&m, octets, file_read("browser-firefox-02", octets)),
		STUN_PARSE_OK);
	assert_true(stun_has(&m, STUN_FINGERPRINT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_read_or_refused),
		cmocka_unit_test(browsers_say_nothing_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
