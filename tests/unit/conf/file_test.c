// SPDX-License-Identifier: BSD-3-Clause
// The configuration file itself, and how mistakes in it are told.
#include "support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state)
{
	(void)state;
	support_write("one.secret", "lab-secret\n", 0600);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	support_clean();
	return 0;
}

// The line that an operator reads.
static void message_has_everything(void **state)
{
	struct conf_errors errs = {0};
	struct conf_request req = {.role = CONF_FOR_CONTROL};
	char path[256], line[512], want[512];
	struct conf *c;

	(void)state;
	support_write(
		"turnpike.yaml", SUPPORT_BASE SUPPORT_SECRET "limits: {allocations: 0}\n", 0644);
	snprintf(path, sizeof(path), "%s/turnpike.yaml", support_directory());
	req.path = path;
	assert_int_equal(conf_load(&req, &c, &errs), -EINVAL);
	assert_int_equal(errs.len, 1);
	snprintf(want, sizeof(want),
		"%s:5: limits.allocations: \"0\" is out of range; give a whole number from 1 to "
		"4194304",
		path);
	assert_string_equal(conf_error_format(&errs.items[0], line, sizeof(line)), want);
	conf_errors_fini(&errs);
}

static void file_load(const char *path, const char *says)
{
	struct conf_request req = {.role = CONF_FOR_CONTROL, .path = path};
	struct conf_errors errs = {0};
	struct conf *c;
	char line[512];

	assert_int_equal(conf_load(&req, &c, &errs), -EINVAL);
	assert_int_equal(errs.len, 1);
	conf_error_format(&errs.items[0], line, sizeof(line));
	print_message("%s\n", line);
	assert_non_null(strstr(line, says));
	conf_errors_fini(&errs);
}

static void files_that_are_none(void **state)
{
	(void)state;
	file_load("/nowhere/turnpike.yaml", "/nowhere/turnpike.yaml: does not exist");
	file_load("/dev/null", "/dev/null: is not a regular file");
	file_load("/tmp", "/tmp: is not a regular file");
}

static void huge_file(void **state)
{
	char path[256], *text = malloc((2 << 20) + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '#', 2 << 20);
	text[2 << 20] = '\0';
	support_write("huge.yaml", text, 0644);
	snprintf(path, sizeof(path), "%s/huge.yaml", support_directory());
	file_load(path, "larger than 1 MiB");
	free(text);
}

static void file_writable_by_all(void **state)
{
	struct conf_request req = {.role = CONF_FOR_CONTROL};
	struct conf_errors errs = {0};
	struct conf *c;
	char path[256];

	(void)state;
	support_write("open.yaml", SUPPORT_BASE SUPPORT_SECRET, 0666);
	snprintf(path, sizeof(path), "%s/open.yaml", support_directory());
	req.path = path;
	assert_int_equal(conf_load(&req, &c, &errs), 0);
	assert_int_equal(errs.len, 1);
	assert_true(errs.items[0].warning);
	assert_string_equal(errs.items[0].problem, "anybody may write to it");
	conf_free(c);
	conf_errors_fini(&errs);
}

// More mistakes than anybody reads are counted, and the list stays short.
static void list_of_mistakes_is_bounded(void **state)
{
	struct conf_errors errs = {0};
	struct conf *c;
	size_t size = 1 << 20, len;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	len = (size_t)snprintf(text, size, "%speers:\n  deny:\n", SUPPORT_BASE SUPPORT_SECRET);
	for (unsigned i = 0; i < 5000; i++)
		len += (size_t)snprintf(text + len, size - len, "    - x%u\n", i);
	assert_int_equal(support_load(CONF_FOR_CONTROL, text, &c, &errs), -EINVAL);
	assert_int_equal(errs.n_errors, 5000);
	assert_int_equal(errs.len, 1000);
	conf_errors_fini(&errs);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_has_everything),
		cmocka_unit_test(files_that_are_none),
		cmocka_unit_test(huge_file),
		cmocka_unit_test(file_writable_by_all),
		cmocka_unit_test(list_of_mistakes_is_bounded),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
