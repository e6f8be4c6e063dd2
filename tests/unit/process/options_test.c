// SPDX-License-Identifier: BSD-3-Clause
// Command lines by a table of options.
#include <proc/options.h>

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <proc/start.h>
#include <turnpike/base.h>

struct read {
	const char *file;
	bool loud, checks;
	int taken;
	int status;
};

static bool number_take(void *into, const char *argument)
{
	int *taken = into;

	*taken = argument[0] - '0';
	return *taken >= 0 && *taken <= 9;
}

// Reads a command line of up to four words after the program's name.
static bool options_read(struct read *r, const char *const words[4])
{
	const struct proc_option table[] = {
		{"file", .text = &r->file},
		{"loud", .flag = &r->loud},
		{"check", .text = &r->file, .flag = &r->checks},
		{"number", .take = number_take, .into = &r->taken},
	};
	const struct proc_program program = {.name = "program",
		.help = "usage\n",
		.version = "program 1\n",
		.options = table,
		.n_options = TP_ARRAY_LEN(table)};
	char name[] = "program";
	char *argv[6] = {name};
	int argc = 1;

	*r = (struct read){.taken = -1, .status = -1};
	for (; argc < 5 && words[argc - 1] != NULL; argc++)
		argv[argc] = (char *)words[argc - 1];
	optind = 0; // getopt(3): begin anew
	return proc_options_read(&program, argc, argv, &r->status);
}

static void each_kind_is_taken(void **state)
{
	struct read r;

	(void)state;
	assert_true(options_read(&r, (const char *const[4]){"--file", "a", "--number=7"}));
	assert_string_equal(r.file, "a");
	assert_int_equal(r.taken, 7);
	assert_false(r.loud);
	assert_int_equal(r.status, PROC_EXIT_USAGE);
	assert_true(options_read(&r, (const char *const[4]){"--loud", "--check=b"}));
	assert_true(r.loud && r.checks);
	assert_string_equal(r.file, "b");
}

static void help_and_version_end_well(void **state)
{
	struct read r;

	(void)state;
	assert_false(options_read(&r, (const char *const[4]){"--help", "--bogus"}));
	assert_int_equal(r.status, PROC_EXIT_STOPPED);
	assert_false(options_read(&r, (const char *const[4]){"--version"}));
	assert_int_equal(r.status, PROC_EXIT_STOPPED);
}

static void mistakes_are_usage(void **state)
{
	static const char *const lines[][4] = {
		{"--bogus"},
		{"--file"},
		{"--loud=yes"},
		{"--number", "x"},
		{"--loud", "word"},
	};
	struct read r;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(lines); i++) {
		assert_false(options_read(&r, lines[i]));
		assert_int_equal(r.status, PROC_EXIT_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_taken),
		cmocka_unit_test(help_and_version_end_well),
		cmocka_unit_test(mistakes_are_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
