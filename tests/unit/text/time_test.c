// SPDX-License-Identifier: BSD-3-Clause
#include <text/time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *in;
	uint64_t unix_s;
	const char *out; // NULL: refused
} rows[] = {
	{"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
	{"2026-11-29", 1795910400, "2026-11-29T00:00:00Z"},
	{"2026-11-29T07:20:01Z", 1795936801, "2026-11-29T07:20:01Z"},
	{"2028-02-29", 1835395200, "2028-02-29T00:00:00Z"},
	{"2027-02-29", 0, NULL},
	{"2026-13-01", 0, NULL},
	{"2026-11-29T24:00:00Z", 0, NULL},
	{"2026-11-29T07:20:01", 0, NULL},
	{"2026-11-29T07:20:01+01:00", 0, NULL},
	{"2026-11-29 07:20:01Z", 0, NULL},
	{"1969-12-31", 0, NULL},
	{"26-11-29", 0, NULL},
	{"1795910400", 0, NULL},
	{"", 0, NULL},
};

static void texts_are_times(void **state)
{
	char text[TEXT_TIME_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t unix_s = 7;

		assert_int_equal(text_time_parse(rows[i].in, &unix_s) == 0, rows[i].out != NULL);
		if (rows[i].out == NULL)
			continue;
		assert_true(unix_s == rows[i].unix_s);
		assert_string_equal(text_time_format(unix_s, text), rows[i].out);
	}
}

static void absurd_times_are_shown_as_numbers(void **state)
{
	char text[TEXT_TIME_SIZE];

	(void)state;
	assert_string_equal(text_time_format(UINT64_C(999999999999999), text), "999999999999999");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_times),
		cmocka_unit_test(absurd_times_are_shown_as_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
