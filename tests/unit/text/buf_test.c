// SPDX-License-Identifier: BSD-3-Clause
#include <text/buf.h>

#include <setjmp.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROW(in, out)                                                                               \
	{                                                                                          \
		in, sizeof(in) - 1, out                                                            \
	}

static void quoted_disarms_hostile_text(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} rows[] = {
		ROW("", "\"\""),
		ROW("bob", "\"bob\""),
		ROW("a\nb\r\tc", "\"a\\nb\\r\\tc\""),
		ROW("a\"b\\c", "\"a\\\"b\\\\c\""),
		ROW("\x1b[2J", "\"\\u001b[2J\""),
		ROW("nul\0here", "\"nul\\u0000here\""),
		ROW("del\x7f", "\"del\\u007f\""),
		ROW("%s%n", "\"%s%n\""),
		ROW("J\xc3\xb6rg \xf0\x9f\x93\x9e", "\"J\xc3\xb6rg \xf0\x9f\x93\x9e\""),
		ROW("c1 \xc2\x9b", "\"c1 \\u009b\""),
		ROW("bidi \xe2\x80\xae", "\"bidi \\u202e\""),
		ROW("line \xe2\x80\xa8", "\"line \\u2028\""),
		ROW("tag \xf3\xa0\x81\x81", "\"tag \\udb40\\udc41\""),
		ROW("lone \xff", "\"lone \\ufffd\""),
		ROW("overlong \xc0\xaf", "\"overlong \\ufffd\\ufffd\""),
		ROW("overlong \xe0\x80\xaf", "\"overlong \\ufffd\\ufffd\\ufffd\""),
		ROW("surrogate \xed\xa0\x80", "\"surrogate \\ufffd\\ufffd\\ufffd\""),
		ROW("beyond \xf4\x90\x80\x80", "\"beyond \\ufffd\\ufffd\\ufffd\\ufffd\""),
		ROW("cut \xe2\x82", "\"cut \\ufffd\\ufffd\""),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char data[128];
		struct text_buf b;

		text_buf_init(&b, data, sizeof(data));
		text_buf_add_quoted(&b, rows[i].in, rows[i].len, SIZE_MAX);
		assert_string_equal(data, rows[i].out);
		assert_false(b.truncated);
	}
}

static void long_text_is_cut_and_marked(void **state)
{
	char data[64];
	struct text_buf b;

	(void)state;
	text_buf_init(&b, data, sizeof(data));
	text_buf_add_quoted(&b, "abcdef", 6, 3);
	assert_string_equal(data, "\"abc...\"");
	text_buf_init(&b, data, sizeof(data));
	text_buf_add_word(&b, "abcdef", 6, 3);
	assert_string_equal(data, "\"abc...\"");
}

static void words_stay_bare(void **state)
{
	char data[64];
	struct text_buf b;

	(void)state;
	text_buf_init(&b, data, sizeof(data));
	text_buf_add_word(&b, "10.0.0.1:5", 10, 64);
	text_buf_add(&b, " ");
	text_buf_add_word(&b, "a b", 3, 64);
	text_buf_add(&b, " ");
	text_buf_add_word(&b, "a=b", 3, 64);
	text_buf_add(&b, " ");
	text_buf_add_word(&b, "a\0", 2, 64);
	text_buf_add(&b, " ");
	text_buf_add_word(&b, "", 0, 64);
	assert_string_equal(data, "10.0.0.1:5 \"a b\" \"a=b\" \"a\\u0000\" \"\"");
}

static void never_past_its_end(void **state)
{
	char data[16];

	(void)state;
	for (size_t size = 0; size < 12; size++) {
		struct text_buf b;

		memset(data, '#', sizeof(data));
		text_buf_init(&b, data, size);
		text_buf_add(&b, "abc");
		text_buf_addf(&b, "%d", 12345);
		text_buf_add_quoted(&b, "\n\n", 2, 8);
		assert_true(b.truncated);
		if (size > 0)
			assert_int_equal(strlen(data), b.len);
		for (size_t i = size; i < sizeof(data); i++)
			assert_int_equal(data[i], '#');
	}
}

// printf is the second implementation.
static void numbers_are_those_of_printf(void **state)
{
	static const uint64_t numbers[] = {0, 1, 9, 10, 15, 16, 99, 255, 65535, 1000000007,
		UINT64_C(0x8000000000000000), UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		for (unsigned width = 1; width < 24; width++) {
			char data[64], expected[64];
			struct text_buf b;

			text_buf_init(&b, data, sizeof(data));
			text_buf_add_number(&b, numbers[i], 10, width);
			text_buf_add(&b, " ");
			text_buf_add_number(&b, numbers[i], 16, width);
			snprintf(expected, sizeof(expected), "%0*" PRIu64 " %0*" PRIx64, (int)width,
				numbers[i], (int)width, numbers[i]);
			assert_string_equal(data, expected);
			assert_false(b.truncated);
		}
	}
}

static void numbers_are_whole_or_not_there(void **state)
{
	char data[4];
	struct text_buf b;

	(void)state;
	text_buf_init(&b, data, sizeof(data));
	text_buf_add_number(&b, 1234, 10, 1);
	assert_true(b.truncated);
	assert_string_equal(data, "");
}

static void printable(void **state)
{
	(void)state;
	assert_true(text_is_printable("J\xc3\xb6rg", 5));
	assert_false(text_is_printable("a\nb", 3));
	assert_false(text_is_printable("\xff", 1));
	assert_false(text_is_printable("\xe2\x80\xae", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quoted_disarms_hostile_text),
		cmocka_unit_test(long_text_is_cut_and_marked),
		cmocka_unit_test(words_stay_bare),
		cmocka_unit_test(never_past_its_end),
		cmocka_unit_test(numbers_are_those_of_printf),
		cmocka_unit_test(numbers_are_whole_or_not_there),
		cmocka_unit_test(printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
