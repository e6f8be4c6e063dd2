// SPDX-License-Identifier: BSD-3-Clause
#include <credential.h>
#include <user.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TEXT(s) ((struct stun_text){s, strlen(s)})

struct credential_row {
	const char *username;
	bool good;
	uint64_t expiry_s;
	const char *name;
};

static const struct credential_row credential_rows[] = {
	{"1433895918:alice", true, 1433895918, "alice"},
	{"1433895918", true, 1433895918, ""},
	{"1433895918:", true, 1433895918, ""},
	{"1:a:b", true, 1, "a:b"},
	{"0:a", true, 0, "a"},
	{"999999999999999999:a", true, 999999999999999999, "a"},
	{"9999999999999999999:a", false, 0, NULL},
	{"", false, 0, NULL},
	{":alice", false, 0, NULL},
	{"alice", false, 0, NULL},
	{"alice:1433895918", false, 0, NULL},
	{"12x:alice", false, 0, NULL},
	{"-1:alice", false, 0, NULL},
	{" 1:alice", false, 0, NULL},
	{"0x1:alice", false, 0, NULL},
};

static void usernames_are_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(credential_rows); i++) {
		const struct credential_row *row = &credential_rows[i];
		struct stun_text name;
		uint64_t expiry_s;

		assert_int_equal(
			turn_credential_parse(TEXT(row->username), &expiry_s, &name), row->good);
		if (!row->good)
			continue;
		assert_true(expiry_s == row->expiry_s);
		assert_true(turn_text_equal(name, TEXT(row->name)));
	}
}

// base64(HMAC-SHA1("north", "1433895918:guest")), computed with another program.
static void credential_is_minted(void **state)
{
	const struct turn_secret secret = {"s", (const uint8_t *)"north", 5};
	struct turn_conf conf = {.secrets = &secret, .n_secrets = 1};
	char username[32], password[32];

	(void)state;
	assert_int_equal(turn_mint_credential(&conf, "guest", 1433895918, username,
				 sizeof(username), password, sizeof(password)),
		0);
	assert_string_equal(username, "1433895918:guest");
	assert_string_equal(password, "DZ+3hnl8p0tAogyQOPwzx87LORs=");
	assert_int_equal(turn_mint_credential(&conf, "guest", 1433895918, username, 16, password,
				 sizeof(password)),
		-ENOSPC);
	assert_int_equal(turn_mint_credential(&conf, "guest", 1433895918, username, 17, password,
				 TURN_REST_PASSWORD_LEN),
		-ENOSPC);
	conf.n_secrets = 0;
	assert_int_equal(turn_mint_credential(&conf, "guest", 1433895918, username,
				 sizeof(username), password, sizeof(password)),
		-ENOENT);
}

static const struct turn_user configured[] = {{"alice", {1}}, {"77:static", {2}}};
static const struct turn_conf conf = {.users = configured, .n_users = 2};
static const uint8_t map_key[16] = {9};

static void configured_users_are_found(void **state)
{
	struct turn_users u;

	(void)state;
	assert_int_equal(turn_users_init(&u, map_key, &conf), 0);
	assert_ptr_equal(turn_users_find(&u, TEXT("alice")), &configured[0]);
	assert_null(turn_users_find(&u, TEXT("alic")));
	assert_null(turn_users_find(&u, TEXT("alicee")));
	assert_null(turn_users_find(&u, TEXT("")));
	turn_users_fini(&u);
}

static void quota_counts_names(void **state)
{
	struct turn_quota *q[3];
	struct turn_users u;

	(void)state;
	assert_int_equal(turn_users_init(&u, map_key, &conf), 0);
	q[0] = turn_quota_take(&u, TEXT("100:carol"));
	q[1] = turn_quota_take(&u, TEXT("200:carol"));
	q[2] = turn_quota_take(&u, TEXT("carol"));
	assert_int_equal(turn_users_allocations(&u, TEXT("300:carol")), 3);
	assert_int_equal(turn_users_allocations(&u, TEXT("300:dave")), 0);
	// A configured user whose name looks like a credential counts by all of it.
	assert_true(
		turn_text_equal(turn_users_quota_name(&u, TEXT("77:static")), TEXT("77:static")));
	assert_true(turn_text_equal(turn_users_quota_name(&u, TEXT("78:static")), TEXT("static")));
	assert_true(turn_text_equal(turn_users_quota_name(&u, TEXT("78")), TEXT("78")));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(turn_users_allocations(&u, TEXT("carol")), 3 - i);
		turn_quota_return(&u, q[i]);
	}
	assert_int_equal(turn_users_allocations(&u, TEXT("carol")), 0);
	assert_int_equal(u.quotas.n, 0);
	turn_users_fini(&u);
}

// One for each name and key, however many allocations it has.
static void identities_are_interned(void **state)
{
	const uint8_t key_a[16] = {1}, key_b[16] = {2};
	struct turn_identity *id[4];
	struct turn_users u;

	(void)state;
	assert_int_equal(turn_users_init(&u, map_key, &conf), 0);
	id[0] = turn_identity_take(&u, TEXT("100:carol"), key_a);
	id[1] = turn_identity_take(&u, TEXT("200:carol"), key_a);
	id[2] = turn_identity_take(&u, TEXT("200:carol"), key_b);
	id[3] = turn_identity_take(&u, TEXT("200:carol"), key_b);
	assert_ptr_equal(id[2], id[3]);
	assert_ptr_not_equal(id[1], id[2]);
	assert_ptr_not_equal(id[0], id[1]);
	assert_int_equal(u.identities.n, 3);
	for (unsigned i = 0; i < 4; i++)
		turn_identity_return(&u, id[i]);
	assert_int_equal(u.identities.n, 0);
	turn_users_fini(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usernames_are_taken_apart),
		cmocka_unit_test(credential_is_minted),
		cmocka_unit_test(configured_users_are_found),
		cmocka_unit_test(quota_counts_names),
		cmocka_unit_test(identities_are_interned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
