// SPDX-License-Identifier: BSD-3-Clause
// Command lines read by a table: values of each kind, and messages that name option and remedy.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <options/options.h>

struct fixture {
	bool flag;
	const char *text;
	double number;
	uint16_t whole;
	uint32_t untouched; // after a field of two bytes
	unsigned word;
	unsigned sum, n;
};

static const char *even_add(void *out, const char *text)
{
	struct fixture *f = out;
	double v;

	if (!options_number(text, 0, 100, &v) || (unsigned)v % 2 != 0)
		return "an even number";
	f->sum += (unsigned)v;
	f->n++;
	return NULL;
}

#define FIELD(name) OPTIONS_FIELD(struct fixture, name)

static const char *const words[] = {"up", "down", NULL};

static const struct options_row rows[] = {
	{"flag", NULL, "a flag", 'f', FIELD(flag)},
	{"text", "T", "a text", 't', .kind = OPTIONS_TEXT, FIELD(text)},
	{"number", "N", "a number", .kind = OPTIONS_NUMBER, FIELD(number), .low = 0.5, .high = 2},
	{"whole", "N", "a whole number", .kind = OPTIONS_WHOLE, FIELD(whole), .low = 1,
		.high = 1400},
	{"word", "W", "a word", .kind = OPTIONS_WORD, FIELD(word), .words = words, .low = 1},
	{"even", "N,...", "even numbers", .kind = OPTIONS_CALL, .read = even_add, .list = true},
};

static const struct options_command command = {
	.program = "tool",
	.name = "do",
	.synopsis = "[OPTION...]",
	.about = "Does.\n",
	.rows = rows,
	.n_rows = sizeof(rows) / sizeof(rows[0]),
};

static char output[4096];

// Reads a command line; standard error and output are in `output` afterwards.
static int read_line(struct fixture *f, unsigned n, const char *const *given)
{
	char *argv[16] = {(char *)(uintptr_t) "do"};
	FILE *file = tmpfile();
	int kept[2] = {dup(1), dup(2)}, rc;
	size_t len;

	memset(f, 0, sizeof(*f));
	f->untouched = 0xffffffff;
	for (unsigned i = 0; i < n; i++)
		argv[i + 1] = (char *)(uintptr_t)given[i];
	fflush(stdout);
	dup2(fileno(file), 1);
	dup2(fileno(file), 2);
	rc = options_read(&command, f, (int)n + 1, argv);
	fflush(stdout);
	fflush(stderr);
	dup2(kept[0], 1);
	dup2(kept[1], 2);
	close(kept[0]);
	close(kept[1]);
	rewind(file);
	len = fread(output, 1, sizeof(output) - 1, file);
	output[len] = '\0';
	fclose(file);
	return rc;
}

#define READ(f, ...)                                                                               \
	read_line(f, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                       \
		(const char *[]){__VA_ARGS__})

static void each_kind_of_value_is_taken(void **state)
{
	struct fixture f;

	(void)state;
	assert_int_equal(READ(&f, "-f", "--text=some", "--number", "1.5", "--whole", "1400",
				 "--word", "down", "--even", "2,40"),
		0);
	assert_true(f.flag);
	assert_string_equal(f.text, "some");
	assert_true(f.number == 1.5);
	assert_int_equal(f.whole, 1400);
	assert_int_equal(f.untouched, 0xffffffff);
	assert_int_equal(f.word, 2);
	assert_int_equal(f.sum, 42);
	assert_int_equal(f.n, 2);
}

static void refused(const char *option, const char *value, const char *why)
{
	struct fixture f;

	assert_int_equal(READ(&f, option, value), -EINVAL);
	if (strstr(output, why) == NULL || strstr(output, "see tool do --help") == NULL)
		fail_msg("%s %s: %s", option, value, output);
}

static void a_bad_value_is_named_with_the_remedy(void **state)
{
	(void)state;
	refused("--number", "0.4", "--number: \"0.4\" is not a number from 0.5 to 2");
	refused("--number", "nan", "--number: \"nan\" is not a number from 0.5 to 2");
	refused("--whole", "1.5", "--whole: \"1.5\" is not a whole number from 1 to 1400");
	refused("--whole", "1401", "--whole: \"1401\" is not");
	refused("--whole", "", "--whole: \"\" is not");
	refused("--word", "left", "--word: \"left\" is not one of up, down");
	refused("--even", "2,3", "--even: \"3\" is not an even number");
	refused("--nothing", "1", "\"--nothing\" is not an option");
	refused("-f", "more", "\"more\" is not an option");
	refused("-f", "-t", "\"-t\" needs a value");
	refused("-f", "--text", "\"--text\" needs a value");
}

static void help_lists_every_row(void **state)
{
	struct fixture f;

	(void)state;
	assert_int_equal(READ(&f, "--help"), 1);
	for (size_t i = 0; i < command.n_rows; i++) {
		assert_non_null(strstr(output, rows[i].name));
		assert_non_null(strstr(output, rows[i].help));
	}
	assert_int_equal(READ(&f, "-V"), 1);
	assert_non_null(strstr(output, "tool "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_value_is_taken),
		cmocka_unit_test(a_bad_value_is_named_with_the_remedy),
		cmocka_unit_test(help_lists_every_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
