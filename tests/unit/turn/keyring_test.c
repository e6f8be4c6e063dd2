// SPDX-License-Identifier: BSD-3-Clause
// Secrets and keys of tokens of a database, behind those of the configuration: they let users in
// from the moment they come to the one they leave, survive reloads, and end no call.
#include "harness.h"

#include <errno.h>

struct rotating {
	struct harness h;
	struct client c;
	uint16_t port;
};

static void rotating_start(struct rotating *f)
{
	harness_init(&f->h);
	f->h.secrets[0].id = "new";
	f->h.secrets[1].id = "old";
	f->h.realms[0].directory = true;
	f->h.realms[0].keys_looked_up = true;
	f->port = 5000;
	harness_start(&f->h);
}

#define SECRET(text)                                                                               \
	(struct turn_secret)                                                                       \
	{                                                                                          \
		.octets = (const uint8_t *)(text), .len = sizeof(text) - 1, .hmac = TURN_HMAC_ANY  \
	}

static int give(struct rotating *f, const struct turn_secret *secrets, size_t n)
{
	return turn_keys_set(f->h.s, 0, &(struct turn_keys){.secrets = secrets, .n_secrets = n});
}

static unsigned allocate(struct rotating *f, const char *secret)
{
	client_init(&f->c, 0xc6336401, ++f->port);
	client_rest_user(&f->c, secret, f->h.wall_s + 600, "carol");
	return client_allocate(&f->h, &f->c, 600);
}

static void secrets_come_and_go(void **state)
{
	const struct turn_secret both[] = {SECRET("first row"), SECRET("second row")};
	struct client caller;
	struct rotating f;

	(void)state;
	rotating_start(&f);
	assert_int_equal(allocate(&f, "first row"), 401);
	assert_int_equal(give(&f, both, 1), 1);
	assert_int_equal(allocate(&f, "first row"), 0);
	assert_int_equal(allocate(&f, "new secret"), 0);
	assert_int_equal(allocate(&f, "second row"), 401);
	assert_int_equal(give(&f, both, 2), 1);
	assert_int_equal(allocate(&f, "second row"), 0);
	assert_int_equal(allocate(&f, "first row"), 0);
	caller = f.c;
	// The removed one's kept key is of no use either; its call goes on.
	assert_int_equal(give(&f, both + 1, 1), 1);
	assert_int_equal(allocate(&f, "first row"), 401);
	assert_int_equal(allocate(&f, "second row"), 0);
	assert_int_equal(client_refresh(&f.h, &caller, 600), 0);
	assert_int_equal(give(&f, NULL, 0), 1);
	assert_int_equal(allocate(&f, "second row"), 401);
	assert_int_equal(allocate(&f, "old secret"), 0);
	harness_stop(&f.h);
}

// The same rows in another order are nothing new, and nobody's memory is used after.
static void the_same_keys_again(void **state)
{
	const struct turn_secret there[] = {SECRET("a"), SECRET("b")};
	const struct turn_secret back[] = {SECRET("b"), SECRET("a")};
	char text[] = "passing";
	struct turn_secret passing = {
		.octets = (const uint8_t *)text, .len = 7, .hmac = TURN_HMAC_ANY};
	struct rotating f;

	(void)state;
	rotating_start(&f);
	assert_int_equal(give(&f, NULL, 0), 0);
	assert_int_equal(give(&f, there, 2), 1);
	assert_int_equal(give(&f, back, 2), 0);
	assert_int_equal(give(&f, &passing, 1), 1);
	memset(text, 0, sizeof(text));
	assert_int_equal(allocate(&f, "passing"), 0);
	harness_stop(&f.h);
}

static struct turn_secret_view view_at(const struct rotating *f, size_t at)
{
	struct turn_secret_view view = {.name = NULL};
	size_t cursor = 0;

	while (at-- > 0)
		assert_true(turn_secret_next(f->h.s, 0, &cursor, &view));
	return view;
}

static void use_is_counted_under_a_name_that_tells_nothing(void **state)
{
	const struct turn_secret row[] = {SECRET("planted"), SECRET("planted too")};
	struct rotating f;
	char name[32];

	(void)state;
	rotating_start(&f);
	assert_int_equal(give(&f, row, 2), 1);
	assert_int_equal(allocate(&f, "planted"), 0);
	assert_string_equal(view_at(&f, 1).name, "new");
	assert_int_equal(view_at(&f, 3).n_allocations, 1);
	assert_int_equal(view_at(&f, 3).requests, 1);
	assert_int_equal(strncmp(view_at(&f, 3).name, "db-", 3), 0);
	assert_int_equal(strlen(view_at(&f, 3).name), 11);
	assert_string_not_equal(view_at(&f, 3).name, view_at(&f, 4).name);
	snprintf(name, sizeof(name), "%s", view_at(&f, 3).name);
	// One that leaves is remembered while its call lives.
	assert_int_equal(give(&f, row + 1, 1), 1);
	assert_string_equal(view_at(&f, 4).name, name);
	assert_null(view_at(&f, 4).secret);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	harness_restart(&f.h);
	assert_int_equal(give(&f, row, 2), 1);
	assert_string_equal(view_at(&f, 3).name, name);
	harness_stop(&f.h);
}

static void a_new_configuration_keeps_them(void **state)
{
	const struct turn_secret row[] = {SECRET("row")};
	struct rotating f;

	(void)state;
	rotating_start(&f);
	assert_int_equal(give(&f, row, 1), 1);
	f.h.realms[0].n_secrets = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(allocate(&f, "row"), 0);
	assert_int_equal(allocate(&f, "new secret"), 0);
	assert_int_equal(allocate(&f, "old secret"), 401);
	assert_int_equal(give(&f, row, 1), 0);
	// Until they are looked up no longer.
	f.h.realms[0].keys_looked_up = false;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(allocate(&f, "row"), 401);
	assert_int_equal(allocate(&f, "new secret"), 0);
	// An answer that comes late brings none back.
	assert_int_equal(give(&f, row, 1), -ENOENT);
	assert_int_equal(allocate(&f, "row"), 401);
	harness_stop(&f.h);
}

static void keys_that_are_none(void **state)
{
	static const uint8_t octets[257] = {1};
	struct turn_secret many[65];
	struct turn_token_key key = {.id = ""};
	char id[130];
	struct rotating f;

	(void)state;
	rotating_start(&f);
	for (size_t i = 0; i < TP_ARRAY_LEN(many); i++)
		many[i] = (struct turn_secret){.octets = octets, .len = i + 1};
	assert_int_equal(give(&f, many, 65), -E2BIG);
	assert_int_equal(give(&f, many, 64), 1);
	many[0].len = 0;
	assert_int_equal(give(&f, many, 1), -EINVAL);
	many[0].len = 257;
	assert_int_equal(give(&f, many, 1), -EINVAL);
	many[0].len = 256;
	assert_int_equal(give(&f, many, 1), 1);
	memset(id, 'a', sizeof(id));
	id[129] = '\0';
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			turn_keys_set(f.h.s, 0,
				&(struct turn_keys){.token_keys = &key, .n_token_keys = 1}),
			-EINVAL);
		key.id = id;
	}
	id[128] = '\0';
	assert_int_equal(
		turn_keys_set(f.h.s, 0, &(struct turn_keys){.token_keys = &key, .n_token_keys = 1}),
		1);
	assert_int_equal(turn_keys_set(f.h.s, 77, &(struct turn_keys){0}), -ENOENT);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_come_and_go),
		cmocka_unit_test(the_same_keys_again),
		cmocka_unit_test(use_is_counted_under_a_name_that_tells_nothing),
		cmocka_unit_test(a_new_configuration_keeps_them),
		cmocka_unit_test(keys_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
