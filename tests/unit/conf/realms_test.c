// SPDX-License-Identifier: BSD-3-Clause
// Further realms: what each has of its own, which listeners and origins choose them, and mistakes.
#include "support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                       \
	"realm: social.example\n"                                                                  \
	"dataplane: {ports: [{interface: nic0}]}\n"                                                \
	"listeners:\n"                                                                             \
	"  - address: 10.77.0.1\n"                                                                 \
	"  - {address: 10.77.0.2, realm: business.example}\n" SUPPORT_SECRET
#define BUSINESS                                                                                   \
	"realms:\n"                                                                                \
	"  - name: business.example\n"                                                             \
	"    origins: [\"https://meet.example\"]\n"                                                \
	"    secrets: [{id: theirs, secret_file: theirs.secret}]\n"                                \
	"    peers: {allow: [10.30.0.0/16]}\n"                                                     \
	"    user_quota: 3\n"

static int setup(void **state)
{
	(void)state;
	support_write("one.secret", "secret\n", 0640);
	support_write("theirs.secret", "another\n", 0640);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	support_clean();
	return 0;
}

static void each_has_its_own(void **state)
{
	struct conf *c = support_load_good(CONF_FOR_CONTROL, HEAD BUSINESS);
	const struct conf_realm *r = &c->realms[0];

	(void)state;
	assert_int_equal(c->n_realms, 1);
	assert_string_equal(r->name, "business.example");
	assert_int_not_equal(r->id, 0);
	assert_string_equal(r->origins[0], "https://meet.example");
	assert_int_equal(r->n_secrets, 1);
	assert_memory_equal(r->secrets[0].octets.data, "another", 7);
	assert_int_equal(r->peers.n_allow, 1);
	assert_int_equal(r->user_quota, 3);
	assert_int_equal(r->allocate_burst, 20);
	assert_int_equal(r->port_rate, 16);
	assert_int_equal(c->listeners[0].realm, 0);
	assert_int_equal(c->listeners[1].realm, 1);
	assert_int_equal(c->n_secrets, 1);
	assert_memory_equal(c->secrets[0].octets.data, "secret", 6);
	assert_int_equal(c->peers.n_allow, 0);
	conf_free(c);
}

// Records of allocations have the id: it must not depend on the other realms.
static void ids_come_from_names(void **state)
{
	struct conf *c = support_load_good(CONF_FOR_CONTROL, HEAD BUSINESS);
	uint16_t id = c->realms[0].id;

	(void)state;
	conf_free(c);
	c = support_load_good(CONF_FOR_CONTROL,
		HEAD "realms:\n"
		     "  - {name: other.example, secrets: [{id: o, secret_file: theirs.secret}]}\n"
		     "  - {name: business.example, secrets: [{id: b, secret_file: one.secret}]}\n");
	assert_int_equal(c->realms[1].id, id);
	assert_int_not_equal(c->realms[0].id, id);
	assert_int_equal(c->listeners[1].realm, 2);
	conf_free(c);
}

#define B "name: business.example, secrets: [{id: b, secret_file: one.secret}]"

static const struct {
	const char *realms;
	const char *key;
	const char *says;
} mistakes[] = {
	{"{" B "}, {name: x}", "realms[1]", "no client could authenticate"},
	{"{" B "}, {" B "}", "realms[1]", "same name"},
	{"{" B "}, {name: social.example, secrets: [{id: b, secret_file: one.secret}]}",
		"realms[1]", "file's own"},
	{"{name: other.example, secrets: [{id: b, secret_file: one.secret}]}", "listeners[1].realm",
		"no realm"},
	{"{" B ", origins: [x]}, {name: y, origins: [x], secrets: [{id: b, secret_file: "
	 "one.secret}]}",
		"realms[1].origins[0]", "chooses realm"},
	{"{" B ", peers: {allow: [127.0.0.0/8]}}", "realms[0].peers.allow[0]", "can't be opened"},
	{"{" B ", users: [{name: a}]}", "realms[0].users[0]", "neither password nor key"},
	{"{name: business.example, secrets: [{id: b, secret_file: one.secret}, {id: b, "
	 "secret_file: one.secret}]}",
		"realms[0].secrets[1]", "same id"},
};

static void mistakes_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct conf_errors errs = {0};
		struct conf *c = NULL;
		char text[1024], line[1024];

		snprintf(text, sizeof(text), HEAD "realms: [%s]\n", mistakes[i].realms);
		assert_int_equal(support_load(CONF_FOR_CONTROL, text, &c, &errs), -EINVAL);
		print_message("%s\n", conf_error_format(&errs.items[0], line, sizeof(line)));
		assert_int_equal(errs.len, 1);
		assert_string_equal(errs.items[0].key, mistakes[i].key);
		assert_non_null(strstr(errs.items[0].problem, mistakes[i].says));
		conf_errors_fini(&errs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_has_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(ids_come_from_names, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_are_named, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
