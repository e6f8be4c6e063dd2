// SPDX-License-Identifier: BSD-3-Clause
#include <account.h>
#include <credential.h>

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
	{"+1:alice", false, 0, NULL},
	{"1.5:alice", false, 0, NULL},
	{"1 :alice", false, 0, NULL},
	{":", false, 0, NULL},
	{"18446744073709551617:x", false, 0, NULL},
	{"0001:x", true, 1, "x"},
	{"1:@alice:matrix.example", true, 1, "@alice:matrix.example"},
	{"1:with blank/and%41", true, 1, "with blank/and%41"},
	{"1:\xc3\xa9", true, 1, "\xc3\xa9"},
};

static void usernames_are_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(credential_rows); i++) {
		const struct credential_row *row = &credential_rows[i];
		struct stun_text name;
		uint64_t expiry_s;

		assert_int_equal(turn_credential_parse(TEXT(row->username), ':', &expiry_s, &name),
			row->good);
		if (!row->good)
			continue;
		assert_true(expiry_s == row->expiry_s);
		assert_true(turn_text_equal(name, TEXT(row->name)));
	}
}

// base64(HMAC-SHA1("north", "1433895918:guest")), computed with another program.
static void credential_is_minted(void **state)
{
	const struct turn_secret secret = {.id = "s", .octets = (const uint8_t *)"north", .len = 5};
	struct turn_realm_conf realm = {.secrets = &secret, .n_secrets = 1};
	char username[32], password[32];

	(void)state;
	assert_int_equal(turn_mint_credential(&realm, "guest", 1433895918, username,
				 sizeof(username), password, sizeof(password)),
		0);
	assert_string_equal(username, "1433895918:guest");
	assert_string_equal(password, "DZ+3hnl8p0tAogyQOPwzx87LORs=");
	assert_int_equal(turn_mint_credential(&realm, "guest", 1433895918, username, 16, password,
				 sizeof(password)),
		-ENOSPC);
	assert_int_equal(
		turn_mint_credential(&realm, "guest", 1433895918, username, 17, password, 28),
		-ENOSPC);
	realm.n_secrets = 0;
	assert_int_equal(turn_mint_credential(&realm, "guest", 1433895918, username,
				 sizeof(username), password, sizeof(password)),
		-ENOENT);
}

static const uint8_t map_key[16] = {9};

// Two realms apart in their ids alone, and maps of the users' objects.
struct world {
	struct turn_realm realms[2];
	struct ds_map map;
};

static int set_up(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	w.realms[1].conf.id = 1;
	*state = &w;
	return ds_map_init(&w.map, map_key);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	ds_map_fini(&w->map);
	return 0;
}

static struct turn_account *take(
	struct world *w, unsigned realm, enum turn_identity_kind kind, const char *name)
{
	struct turn_principal p = {
		.realm = &w->realms[realm],
		.name = TEXT(name),
		.secret_id = kind == TURN_IDENTITY_REST ? 7 : 0,
		.kind = kind,
	};

	return turn_account_take(&w->map, &p);
}

static void accounts_are_of_realm_kind_and_name(void **state)
{
	struct world *w = *state;
	struct turn_account *a[] = {
		take(w, 0, TURN_IDENTITY_REST, "100:carol"),
		take(w, 0, TURN_IDENTITY_REST, "200:carol"),
		take(w, 1, TURN_IDENTITY_REST, "200:carol"),
		take(w, 0, TURN_IDENTITY_STATIC, "carol"),
		take(w, 0, TURN_IDENTITY_DIRECTORY, "carol"),
		take(w, 0, TURN_IDENTITY_STATIC, "77:static"),
		take(w, 0, TURN_IDENTITY_STATIC, "static"),
	};

	assert_ptr_equal(a[0], a[1]);
	for (size_t i = 1; i < TP_ARRAY_LEN(a); i++) {
		for (size_t k = i + 1; k < TP_ARRAY_LEN(a); k++)
			assert_ptr_not_equal(a[i], a[k]);
	}
	for (size_t i = 0; i < TP_ARRAY_LEN(a); i++)
		turn_account_return(&w->map, a[i]);
	assert_int_equal(w->map.n, 0);
}

// Fault: one quota for each credential without a name was no quota.
static void nameless_credentials_share_their_secrets_total(void **state)
{
	struct world *w = *state;
	struct turn_account *a = take(w, 0, TURN_IDENTITY_REST, "100");
	struct turn_account *b = take(w, 0, TURN_IDENTITY_REST, "200");
	struct turn_account *named = take(w, 0, TURN_IDENTITY_REST, "200:dave");

	w->realms[0].conf.user_quota = 2;
	w->realms[0].conf.secret_quota = 3;
	assert_ptr_not_equal(a, b);
	turn_account_open(a);
	turn_account_open(a);
	assert_false(turn_account_may_open(a, 1));
	assert_true(turn_account_may_open(b, 1));
	turn_account_open(b);
	assert_false(turn_account_may_open(b, 1));
	assert_true(turn_account_may_open(named, 2));
	assert_false(turn_account_may_open(named, 3));
	turn_account_close(a);
	assert_true(turn_account_may_open(b, 1));
	turn_account_close(a);
	turn_account_close(b);
	turn_account_return(&w->map, a);
	turn_account_return(&w->map, b);
	turn_account_return(&w->map, named);
	assert_int_equal(w->map.n, 0);
}

// One for each principal and key, however many allocations it has.
static void identities_are_interned(void **state)
{
	const struct turn_key key_a = turn_key_md5((const uint8_t[16]){1});
	const struct turn_key key_b = turn_key_md5((const uint8_t[16]){2});
	struct world *w = *state;
	struct turn_principal carol = {
		.realm = &w->realms[0], .name = TEXT("carol"), .kind = TURN_IDENTITY_STATIC};
	struct turn_principal other_realm = carol, other_kind = carol;
	struct turn_identity *id[5];

	other_realm.realm = &w->realms[1];
	other_kind.kind = TURN_IDENTITY_DIRECTORY;
	id[0] = turn_identity_take(&w->map, &carol, &key_a);
	id[1] = turn_identity_take(&w->map, &carol, &key_a);
	id[2] = turn_identity_take(&w->map, &carol, &key_b);
	id[3] = turn_identity_take(&w->map, &other_realm, &key_a);
	id[4] = turn_identity_take(&w->map, &other_kind, &key_a);
	assert_ptr_equal(id[0], id[1]);
	assert_int_equal(w->map.n, 4);
	// A changed password does not change the user; realm and kind do.
	assert_true(turn_identity_is(id[2], &carol));
	assert_false(turn_identity_is(id[0], &other_realm));
	assert_false(turn_identity_is(id[0], &other_kind));
	for (size_t i = 0; i < TP_ARRAY_LEN(id); i++)
		turn_identity_return(&w->map, id[i]);
	assert_int_equal(w->map.n, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usernames_are_taken_apart),
		cmocka_unit_test(credential_is_minted),
		TEST(accounts_are_of_realm_kind_and_name),
		TEST(nameless_credentials_share_their_secrets_total),
		TEST(identities_are_interned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
