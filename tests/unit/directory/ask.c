// SPDX-License-Identifier: BSD-3-Clause
// One source under servers_test.py: ask TYPE VALUE [BEARER [CA CERTIFICATE KEY]]. Each line of
// standard input is a check of the same open source; its verdict is a line.
//
//   users  the answers of every source (users_check)
//   keys   its keys (keys_check)
//   endless  its keys take too long
//   down   alice's key is not to be had, the fault is named and holds no planted password
//   refused  likewise, and the source answers otherwise
//   found, unknown: alice is there or not
#include "users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct source *source;
static char line[64];

static void users(void **state)
{
	(void)state;
	users_check(source);
}

static void keys(void **state)
{
	(void)state;
	keys_check(source);
}

static void down(struct source_answer *a)
{
	assert_int_equal(a->status, TP_LOOKUP_FAILED);
	print_message("%s\n", a->problem);
	assert_true(a->problem[0] != '\0');
	assert_null(strstr(a->problem, "hunter2"));
	assert_null(strchr(a->problem, '\n'));
	assert_int_equal(a->answered, strcmp(line, "refused") == 0);
}

static void endless(void **state)
{
	const struct source_question q = {.by = TP_LOOKUP_BY_REALM,
		.realm = USERS_REALM,
		.realm_len = strlen(USERS_REALM),
		.wanted = TP_LOOKUP_TOKEN_KEYS};
	static struct tp_lookup_keys k;
	struct source_answer a = {.status = TP_LOOKUP_FOUND};

	(void)state;
	source_keys(source, &q, &k, &a);
	assert_int_equal(a.status, TP_LOOKUP_FAILED);
	assert_string_equal(a.problem, "SCAN: too many keys");
}

static void alice(void **state)
{
	struct source_answer a;

	(void)state;
	(void)users_find(source, USERS_REALM, "alice", &a);
	if (strcmp(line, "down") == 0 || strcmp(line, "refused") == 0)
		down(&a);
	else
		assert_int_equal(
			a.status, strcmp(line, "found") == 0 ? TP_LOOKUP_FOUND : TP_LOOKUP_UNKNOWN);
}

int main(int argc, char **argv)
{
	struct conf_source conf = {.name = "test", .timeout_ms = 1500};
	int failed = 0;

	if (argc < 3)
		return 2;
	for (conf.type = CONF_SOURCE_SQLITE; strcmp(conf_source_type_name(conf.type), argv[1]) != 0;
		conf.type++) {
		if (conf.type == CONF_SOURCE_HTTP)
			return 2;
	}
	conf.url = argv[2];
	conf.connection = (struct conf_octets){(const uint8_t *)argv[2], strlen(argv[2])};
	if (argc > 3)
		conf.bearer = (struct conf_octets){(const uint8_t *)argv[3], strlen(argv[3])};
	if (argc > 6) {
		conf.ca_file = argv[4];
		conf.certificate = argv[5];
		conf.key_file = argv[6];
	}
	source_init();
	source = source_open(&conf);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		struct CMUnitTest test = {.name = line, .test_func = alice};

		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "users") == 0)
			test.test_func = users;
		if (strcmp(line, "keys") == 0)
			test.test_func = keys;
		if (strcmp(line, "endless") == 0)
			test.test_func = endless;
		failed = _cmocka_run_group_tests("source", &test, 1, NULL, NULL);
		printf("verdict %s\n", failed == 0 ? "ok" : "failed");
		fflush(stdout);
	}
	source_close(source);
	return 0;
}
