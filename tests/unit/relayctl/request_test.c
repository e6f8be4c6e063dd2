// SPDX-License-Identifier: BSD-3-Clause
#include <request.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect(const char *const *words, const char *command, const char *arguments)
{
	struct rctl_request r;
	char error[512] = "";
	char *text;

	if (rctl_request_read(&r, words, error, sizeof(error)) < 0)
		fail_msg("%s", error);
	assert_string_equal(r.command->name, command);
	text = json_dumps(r.arguments, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, arguments);
	free(text);
	rctl_request_fini(&r);
}

static void refuse(const char *const *words, const char *wanted)
{
	struct rctl_request r;
	char error[512] = "";

	assert_int_equal(rctl_request_read(&r, words, error, sizeof(error)), -EINVAL);
	if (strstr(error, wanted) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", wanted, error);
}

static void test_commands(void **state)
{
	const char *const none[] = {NULL};

	(void)state;
	expect(none, "status", "{}");
	expect(WORDS("status"), "status", "{}");
	expect(WORDS("worker", "show"), "worker show", "{}");
	refuse(WORDS("worker"), "there is: worker show");
	refuse(WORDS("work", "show"), "relayctl --help");
	refuse(WORDS("allocation", "lists"), "allocation list, allocation show, allocation kill");
	refuse(WORDS("worker", "show", "me"), "takes no further argument: me");
}

static void test_arguments(void **state)
{
	(void)state;
	expect(WORDS("allocation", "show", "1f"), "allocation show", "{\"id\":\"1f\"}");
	refuse(WORDS("allocation", "show"), "needs id");
	expect(WORDS("allocation", "list", "limit", "5", "user", "a"), "allocation list",
		"{\"limit\":5,\"user\":\"a\"}");
	expect(WORDS("allocation", "list", "a"), "allocation list", "{\"user\":\"a\"}");
	// A name in a value's place is a value.
	expect(WORDS("allocation", "list", "user", "limit"), "allocation list",
		"{\"user\":\"limit\"}");
	expect(WORDS("credential", "mint", "ttl"), "credential mint", "{\"user\":\"ttl\"}");
	expect(WORDS("credential", "mint", "ttl", "60"), "credential mint",
		"{\"ttl\":60,\"user\":\"ttl\"}");
	expect(WORDS("credential", "mint", "ttl", "ttl", "60"), "credential mint",
		"{\"ttl\":60,\"user\":\"ttl\"}");
	expect(WORDS("credential", "mint", "--user", "a", "--ttl", "60"), "credential mint",
		"{\"ttl\":60,\"user\":\"a\"}");
	expect(WORDS("credential", "mint", "--ttl", "60", "a"), "credential mint",
		"{\"ttl\":60,\"user\":\"a\"}");
	refuse(WORDS("credential", "mint", "--ttl", "60"), "needs user");
	expect(WORDS("log", "level", "debug"), "log level", "{\"level\":\"debug\"}");
	expect(WORDS("config", "check", "a.yaml"), "config check", "{\"file\":\"a.yaml\"}");
}

static void test_numbers(void **state)
{
	static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "1s", "0x10",
		"9223372036854775808", "99999999999999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(WORDS("allocation", "list", "limit", bad[i]), "is no number");
	expect(WORDS("allocation", "list", "limit", "9223372036854775807"), "allocation list",
		"{\"limit\":9223372036854775807}");
	refuse(WORDS("allocation", "show", "\xff"), "UTF-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
