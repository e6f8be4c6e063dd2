// SPDX-License-Identifier: BSD-3-Clause
#include <printer.h>
#include <value.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct ctl_column row_columns[] = {
	{"peer", "peer", CTL_FORMAT_TEXT, NULL, 0},
	{"n", "packets", CTL_FORMAT_COUNT, NULL, 0},
};

static const struct ctl_column list_columns[] = {
	{"name", "name", CTL_FORMAT_TEXT, NULL, 0},
	{"in.octets", "received", CTL_FORMAT_OCTETS, NULL, 0},
	{"what", "what", CTL_FORMAT_TEXT, NULL, 0},
};

static const struct ctl_column object_columns[] = {
	{"verdict", "verdict", CTL_FORMAT_TEXT, NULL, 0},
	{"rows", "rows", CTL_FORMAT_ROWS, row_columns, 2},
	{"up_s", "up for", CTL_FORMAT_SECONDS, NULL, 0},
	{"absent", "absent", CTL_FORMAT_TEXT, NULL, 0},
};

static const struct ctl_command list_command = {
	.name = "x list", .shape = CTL_SHAPE_LIST, .columns = list_columns, .n_columns = 3};
static const struct ctl_command object_command = {
	.name = "x show", .shape = CTL_SHAPE_OBJECT, .columns = object_columns, .n_columns = 4};

// `parts` is an array of results, as they come in answers.
static void expect(const struct ctl_command *command, enum rctl_style style, const char *parts,
	const char *wanted)
{
	json_t *results = json_loads(parts, 0, NULL);
	struct rctl_printer p;
	size_t size, i;
	char *text;
	FILE *out = open_memstream(&text, &size);
	json_t *result;

	assert_non_null(results);
	rctl_printer_init(&p, out, style, command);
	json_array_foreach(results, i, result)
	{
		rctl_printer_add(&p, result);
	}
	rctl_printer_end(&p);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(results);
}

#define LIST                                                                                       \
	"[[{\"name\":\"a\",\"in\":{\"octets\":1234567},\"what\":\"the first\"},"                   \
	"{\"name\":\"longer\",\"in\":{\"octets\":0},\"what\":\"\"}],"                              \
	"[],[{\"name\":\"c\",\"what\":\"tab\\there\"}]]"

// A long name is cut, not the last column.
static void test_long_cells_are_cut(void **state)
{
#define TEN  "\u00e41234567\u00e48"
#define LONG TEN TEN TEN TEN
	(void)state;
	expect(&list_command, RCTL_TABLE,
		"[[{\"name\":\"" LONG "x\",\"in\":{\"octets\":1},\"what\":\"" LONG "x\"},"
		"{\"name\":\"" LONG "\"}]]",
		"name                                      received  what\n" TEN TEN TEN
		"\u00e41234567\u00e4\u2026       1 B  " LONG "x\n" LONG "         -  -\n");
}

static void test_list(void **state)
{
	(void)state;
	expect(&list_command, RCTL_TABLE, LIST,
		"name    received  what\n"
		"a         1.2 MB  the first\n"
		"longer       0 B  -\n"
		"c              -  \"tab\\there\"\n");
	expect(&list_command, RCTL_TSV, LIST,
		"name\tin.octets\twhat\n"
		"a\t1234567\tthe first\n"
		"longer\t0\t\n"
		"c\t\t\"tab\\there\"\n");
	expect(&list_command, RCTL_JSON, LIST,
		"[\n  {\"name\": \"a\", \"in\": {\"octets\": 1234567}, \"what\": \"the first\"},\n"
		"  {\"name\": \"longer\", \"in\": {\"octets\": 0}, \"what\": \"\"},\n"
		"  {\"name\": \"c\", \"what\": \"tab\\there\"}\n]\n");
}

static void test_empty_list(void **state)
{
	(void)state;
	expect(&list_command, RCTL_TABLE, "[[],[]]", "none\n");
	expect(&list_command, RCTL_TSV, "[[],[]]", "name\tin.octets\twhat\n");
	expect(&list_command, RCTL_JSON, "[[],[]]", "[]\n");
}

#define OBJECT "[{\"verdict\":\"ok\",\"rows\":[{\"peer\":\"p\",\"n\":1000}],\"up_s\":3725}]"

static void test_object(void **state)
{
	(void)state;
	expect(&object_command, RCTL_TABLE, OBJECT,
		"verdict  ok\n\npeer  packets\np       1,000\n\nup for   62 min 05 s\n");
	expect(&object_command, RCTL_TABLE, "[{\"verdict\":\"ok\",\"rows\":[]}]", "verdict  ok\n");
	expect(&object_command, RCTL_TSV, OBJECT,
		"verdict\tok\nrows.0.peer\tp\nrows.0.n\t1000\nup_s\t3725\nabsent\t\n");
}

static void shown(const char *json, enum ctl_format format, const char *wanted)
{
	json_t *v = json_loads(json, JSON_DECODE_ANY, NULL);
	char buf[RCTL_VALUE_SIZE];
	struct text_buf b;

	assert_non_null(v);
	text_buf_init(&b, buf, sizeof(buf));
	rctl_value_show(&b, v, format);
	assert_string_equal(buf, wanted);
	json_decref(v);
}

static void test_values(void **state)
{
	(void)state;
	shown("999", CTL_FORMAT_COUNT, "999");
	shown("1000", CTL_FORMAT_COUNT, "1,000");
	shown("-1234567", CTL_FORMAT_COUNT, "-1,234,567");
	shown("3478", CTL_FORMAT_NUMBER, "3478");
	shown("999949", CTL_FORMAT_OCTETS, "999.9 kB");
	shown("999951", CTL_FORMAT_OCTETS, "1.0 MB");
	shown("1500", CTL_FORMAT_NS, "1.5 us");
	shown("2500000000", CTL_FORMAT_NS, "2.5 s");
	shown("119", CTL_FORMAT_SECONDS, "119 s");
	shown("7199", CTL_FORMAT_SECONDS, "119 min 59 s");
	shown("7200", CTL_FORMAT_SECONDS, "2 h 00 min");
	shown("172800", CTL_FORMAT_SECONDS, "2 d 00 h");
	shown("0.125", CTL_FORMAT_PERCENT, "12.5 %");
	shown("true", CTL_FORMAT_YES_NO, "yes");
	shown("null", CTL_FORMAT_COUNT, "-");
	shown("[\"turn:a\",\"turn:b\"]", CTL_FORMAT_TEXT, "turn:a turn:b");
	shown("\"J\\u00f6rg\"", CTL_FORMAT_TEXT, "J\xc3\xb6rg");
}

// A user name may hold any bytes.
static void test_hostile_text(void **state)
{
	char longest[5000];

	(void)state;
	shown("\"\\u001b[2Jroot\"", CTL_FORMAT_TEXT, "\"\\u001b[2Jroot\"");
	shown("\"a\\u202egnp.exe\"", CTL_FORMAT_TEXT, "\"a\\u202egnp.exe\"");
	memset(longest, 1, sizeof(longest));
	for (size_t i = 0; i < 2; i++) {
		json_t *v;
		char buf[RCTL_VALUE_SIZE];
		struct text_buf b;

		memset(longest, i == 0 ? 'x' : 1, sizeof(longest));
		v = json_stringn(longest, sizeof(longest));
		text_buf_init(&b, buf, sizeof(buf));
		rctl_value_show(&b, v, CTL_FORMAT_TEXT);
		assert_false(b.truncated);
		assert_string_equal(buf + strlen(buf) - 4, "...\"");
		json_decref(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_long_cells_are_cut),
		cmocka_unit_test(test_empty_list),
		cmocka_unit_test(test_object),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
