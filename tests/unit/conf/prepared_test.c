// SPDX-License-Identifier: BSD-3-Clause
// Names of users and realms, and passwords, come out of the configuration as the OpaqueString
// profile has them (RFC 8489 9.2.2, 14.3, 14.9); anything that it does not allow is a mistake.
#include "support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int teardown(void **state)
{
	(void)state;
	support_clean();
	return 0;
}

#define USER "users: [{name: anna, password_file: password}]\n"

static void password_expect(const char *file, const char *want)
{
	struct conf *c;

	support_write("password", file, 0640);
	c = support_load_good(CONF_FOR_CONTROL, SUPPORT_BASE USER);
	assert_int_equal(c->n_users, 1);
	assert_int_equal(c->users[0].password.len, strlen(want));
	assert_memory_equal(c->users[0].password.data, want, strlen(want));
	conf_free(c);
}

static void passwords_are_prepared(void **state)
{
	(void)state;
	password_expect("TheMatrIX\n", "TheMatrIX"); // RFC 8489 B.1
	password_expect("a\u00a0b\u3000c\n", "a b c");
	password_expect("Jose\u0301\n", "Jos\u00e9");
}

// The only mistake of a text; no line of it may hold `hidden`.
static void refuse(const char *text, const char *says, const char *hidden)
{
	struct conf_errors errs = {0};
	struct conf *c = NULL;
	char line[1024];

	assert_int_equal(support_load(CONF_FOR_CONTROL, text, &c, &errs), -EINVAL);
	assert_int_equal(errs.len, 1);
	conf_error_format(&errs.items[0], line, sizeof(line));
	print_message("%s\n", line);
	assert_non_null(strstr(errs.items[0].problem, says));
	assert_true(errs.items[0].remedy[0] != '\0');
	if (hidden != NULL)
		assert_null(strstr(line, hidden));
	conf_errors_fini(&errs);
}

static void passwords_that_are_no_text(void **state)
{
	(void)state;
	support_write("password", "planted\u0640\n", 0640);
	refuse(SUPPORT_BASE USER, "contains a character that RFC 8265 does not allow", "planted");
	refuse(SUPPORT_BASE USER, "password", "0640\"");
	support_write("password", "planted\u0378\n", 0640);
	refuse(SUPPORT_BASE USER, "RFC 8265", "0378");
	support_write("password", "\n", 0640);
	refuse(SUPPORT_BASE USER, "is empty", NULL);
}

// Clauses: 8489 14.3-2, 14.4-1, 14.9-1
static void names_are_prepared(void **state)
{
	struct conf *c;

	(void)state;
	support_write("password", "x\n", 0640);
	c = support_load_good(CONF_FOR_CONTROL,
		SUPPORT_BASE "    realm: \"Zo\u0308e\u00a0one\"\n"
			     "realm: \"e\u0301cole\"\n"
			     "users: [{name: \"Jose\u0301\", password_file: password}]\n"
			     "realms: [{name: \"Z\u00f6e\u2003one\", users: [{name: b, "
			     "password_file: password}]}]\n");
	assert_string_equal(c->realm, "\u00e9cole");
	assert_string_equal(c->users[0].name, "Jos\u00e9");
	assert_string_equal(c->realms[0].name, "Z\u00f6e one");
	// The listener found its realm, written otherwise.
	assert_int_equal(c->listeners[0].realm, 1);
	conf_free(c);
}

static void names_that_are_no_text(void **state)
{
	(void)state;
	support_write("password", "x\n", 0640);
	refuse(SUPPORT_BASE "users: [{name: \"a\u0640\", password_file: password}]\n",
		"contains U+0640", NULL);
	refuse(SUPPORT_BASE USER "realm: \"a\u30fb\"\n", "contains U+30FB", NULL);
}

// Two spellings of one name are one user.
static void names_that_become_the_same(void **state)
{
	(void)state;
	support_write("password", "x\n", 0640);
	refuse(SUPPORT_BASE "users: [{name: \"Jose\u0301\", password_file: password}, "
			    "{name: \"Jos\u00e9\", password_file: password}]\n",
		"is defined twice", NULL);
}

#define KEY "8493fbc53ba582fb4c044c456bdc40eb"

static void names_of_a_users_file(void **state)
{
	struct conf *c;

	(void)state;
	support_write("users", "Jos\u00e9:" KEY "\n", 0640);
	c = support_load_good(CONF_FOR_CONTROL, SUPPORT_BASE "users_file: users\n");
	assert_string_equal(c->users[0].name, "Jos\u00e9");
	conf_free(c);
	// Such a key fits no client, since clients prepare their names.
	support_write("users", "anna:" KEY "\nJose\u0301:" KEY "\n", 0640);
	refuse(SUPPORT_BASE "users_file: users\n", "is not as the OpaqueString profile has it",
		KEY);
	support_write("users", "a\u0640:" KEY "\n", 0640);
	refuse(SUPPORT_BASE "users_file: users\n", "the name contains U+0640", KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(passwords_are_prepared, teardown),
		cmocka_unit_test_teardown(passwords_that_are_no_text, teardown),
		cmocka_unit_test_teardown(names_are_prepared, teardown),
		cmocka_unit_test_teardown(names_that_are_no_text, teardown),
		cmocka_unit_test_teardown(names_that_become_the_same, teardown),
		cmocka_unit_test_teardown(names_of_a_users_file, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
