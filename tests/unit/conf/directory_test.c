// SPDX-License-Identifier: BSD-3-Clause
// Sources of the directory: whose keys go together, whose realms, and that only the directory opens
// their files.
#include "support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLANTED "dbname=turn password=hunter2-planted"

static int setup(void **state)
{
	(void)state;
	support_write("connection", PLANTED "\n", 0640);
	support_write("open", PLANTED "\n", 0644);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	support_clean();
	return 0;
}

static const struct {
	const char *source;
	const char *key;
	const char *says;
} mistakes[] = {
	{"{name: a, type: sqlite}", "directory.sources[0]", "type sqlite without path"},
	{"{name: a, type: redis}", "directory.sources[0]", "without connection_file"},
	{"{name: a, type: postgresql, connection_file: open}",
		"directory.sources[0].connection_file", "accessible to all users"},
	{"{name: a, type: http}", "directory.sources[0]", "without url"},
	{"{name: a, type: http, url: \"http://accounts.example.org/\"}", "directory.sources[0].url",
		"in the clear"},
	{"{name: a, type: http, url: \"http://localhost.example.org/\"}",
		"directory.sources[0].url", "in the clear"},
	{"{name: a, type: http, url: \"https://x/\", certificate: c.pem}", "directory.sources[0]",
		"go together"},
	{"{name: a, type: sqlite, path: db, url: \"https://x/\"}", "directory.sources[0].url",
		"does not go with type sqlite"},
	{"{name: a, type: mongo, path: db}", "directory.sources[0].type", "mongo"},
	{"{name: abcdefghijklmnopqrstuvwxyzabcdef, type: sqlite, path: db}",
		"directory.sources[0].name", "more than 31 bytes"},
	{"{name: a, type: sqlite, path: db}, {name: a, type: sqlite, path: db, realms: [x]}",
		"directory.sources[1]", "same name"},
	{"{name: a, type: sqlite, path: db}, {name: b, type: sqlite, path: db}",
		"directory.sources[1]", "for all other realms"},
	{"{name: a, type: sqlite, path: d, realms: [x]}, {name: b, type: sqlite, path: d, realms: "
	 "[x]}",
		"directory.sources[1]", "has another source already"},
};

static void mistakes_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct conf_errors errs = {0};
		struct conf *c = NULL;
		char text[1024], line[1024];

		snprintf(text, sizeof(text), SUPPORT_BASE "directory: {sources: [%s]}\n",
			mistakes[i].source);
		assert_int_equal(support_load(CONF_FOR_DIRECTORY, text, &c, &errs), -EINVAL);
		print_message("%s\n", conf_error_format(&errs.items[0], line, sizeof(line)));
		assert_null(strstr(line, "hunter2"));
		assert_int_equal(errs.len, 1);
		assert_string_equal(errs.items[0].key, mistakes[i].key);
		assert_non_null(strstr(errs.items[0].problem, mistakes[i].says));
		assert_true(errs.items[0].remedy[0] != '\0');
		conf_errors_fini(&errs);
	}
}

#define SOURCES                                                                                    \
	"directory:\n"                                                                             \
	"  sources:\n"                                                                             \
	"    - {name: pg, type: postgresql, connection_file: connection, realms: [a, b]}\n"        \
	"    - {name: rest, type: sqlite, path: turndb, timeout: 100}\n"

static void only_the_directory_opens_its_files(void **state)
{
	struct conf *c = support_load_good(CONF_FOR_DIRECTORY, SUPPORT_BASE SOURCES);

	(void)state;
	assert_int_equal(c->directory.n_sources, 2);
	assert_int_equal(c->directory.sources[0].connection.len, strlen(PLANTED));
	assert_memory_equal(c->directory.sources[0].connection.data, PLANTED, strlen(PLANTED));
	assert_int_equal(c->directory.sources[1].timeout_ms, 100);
	assert_int_equal(c->directory.sources[1].negative_life_s, 5);
	conf_free(c);
	// Enough to authenticate by, and nothing of it is read.
	c = support_load_good(CONF_FOR_CONTROL, SUPPORT_BASE SOURCES);
	assert_int_equal(c->directory.n_sources, 2);
	assert_null(c->directory.sources[0].connection.data);
	conf_free(c);
	c = support_load_good(CONF_FOR_DATAPLANE, SUPPORT_BASE SOURCES);
	assert_int_equal(c->directory.n_sources, 0);
	conf_free(c);
	// Nor does the directory open the secrets of control: this file is not there.
	c = support_load_good(CONF_FOR_DIRECTORY,
		SUPPORT_BASE SOURCES "secrets: [{id: x, secret_file: nowhere}]\n");
	assert_int_equal(c->n_secrets, 0);
	conf_free(c);
}

static void realms_find_their_source(void **state)
{
	struct conf *c = support_load_good(CONF_FOR_CONTROL, SUPPORT_BASE SOURCES);

	(void)state;
	assert_string_equal(conf_source_of(&c->directory, "b")->name, "pg");
	assert_string_equal(conf_source_of(&c->directory, "c")->name, "rest");
	conf_free(c);
	c = support_load_good(CONF_FOR_CONTROL, SUPPORT_BASE SUPPORT_SECRET
		"directory: {sources: [{name: a, type: sqlite, path: d, "
		"realms: [x]}]}\n");
	assert_null(conf_source_of(&c->directory, "turnpike"));
	conf_free(c);
}

static void keys_of_realms(void **state)
{
	static const char *const bad[] = {
		"{name: a, type: http, url: \"https://x\", secrets: true}",
		"{name: a, type: http, url: \"https://x\", token_keys: true}"};
	struct conf *c = support_load_good(CONF_FOR_CONTROL,
		SUPPORT_BASE "directory: {sources: [{name: a, type: sqlite, path: d, "
			     "secrets: true, token_keys: true}]}\n"
			     "tokens: {server_name: turn.example}\n");

	(void)state;
	assert_true(c->directory.sources[0].secrets && c->directory.sources[0].token_keys);
	assert_string_equal(c->tokens.server_name, "turn.example");
	conf_free(c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct conf_errors errs = {0};
		char text[512];

		snprintf(text, sizeof(text), SUPPORT_BASE "directory: {sources: [%s]}\n", bad[i]);
		assert_int_equal(support_load(CONF_FOR_CONTROL, text, &c, &errs), -EINVAL);
		assert_int_equal(errs.len, 1);
		assert_non_null(strstr(errs.items[0].problem, "type http has users alone"));
		conf_errors_fini(&errs);
	}
}

static int setup_secret(void **state)
{
	support_write("one.secret", "secret\n", 0640);
	return setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mistakes_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(
			only_the_directory_opens_its_files, setup, teardown),
		cmocka_unit_test_setup_teardown(realms_find_their_source, setup_secret, teardown),
		cmocka_unit_test_setup_teardown(keys_of_realms, setup_secret, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
