// SPDX-License-Identifier: BSD-3-Clause
// Secrets of time-limited credentials: digests, times and use of each, the separator, and calls
// that end with their credential.
#include "harness.h"

struct caller {
	struct harness h;
	struct client c;
	uint16_t port;
};

static struct turn_secret_view use_of(const struct caller *f, const char *name)
{
	struct turn_secret_view view;
	size_t cursor = 0;

	while (turn_secret_next(f->h.s, 0, &cursor, &view)) {
		if (strcmp(view.name, name) == 0)
			return view;
	}
	return (struct turn_secret_view){.name = NULL};
}

static void caller_init(struct caller *f)
{
	harness_init(&f->h);
	f->h.secrets[0].id = "new";
	f->h.secrets[1].id = "old";
	f->port = 5000;
}

// As somebody with this secret would, by that digest. `name`: the whole user name.
static unsigned allocate(struct caller *f, const char *secret, enum turn_hmac hmac,
	uint64_t expiry_s, char separator)
{
	const struct turn_secret s = {
		.id = "s", .octets = (const uint8_t *)secret, .len = strlen(secret), .hmac = hmac};
	const struct turn_realm_conf realm = {
		.secrets = &s, .n_secrets = 1, .separator = separator};
	static char username[64];
	char password[64];

	assert_int_equal(turn_mint_credential(&realm, "carol", expiry_s, username, sizeof(username),
				 password, sizeof(password)),
		0);
	client_init(&f->c, 0xc6336401, ++f->port);
	client_user(&f->c, username, password);
	return client_allocate(&f->h, &f->c, 600);
}

static void digests_are_as_configured(void **state)
{
	static const struct {
		enum turn_hmac conf;
		enum turn_hmac client;
		unsigned code;
	} rows[] = {
		{TURN_HMAC_SHA1, TURN_HMAC_SHA1, 0},
		{TURN_HMAC_SHA1, TURN_HMAC_SHA256, 401},
		{TURN_HMAC_SHA256, TURN_HMAC_SHA1, 401},
		{TURN_HMAC_SHA256, TURN_HMAC_SHA256, 0},
		{TURN_HMAC_ANY, TURN_HMAC_SHA1, 0},
		{TURN_HMAC_ANY, TURN_HMAC_SHA256, 0},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct caller f;

		caller_init(&f);
		f.h.secrets[0].hmac = rows[i].conf;
		harness_start(&f.h);
		// The second time by the kept key.
		for (unsigned n = 0; n < 2; n++)
			assert_int_equal(
				allocate(&f, "new secret", rows[i].client, f.h.wall_s + 60, ':'),
				rows[i].code);
		harness_stop(&f.h);
	}
}

static void times_bound_a_secret(void **state)
{
	struct caller f;
	uint64_t t;

	(void)state;
	caller_init(&f);
	t = f.h.wall_s + 100;
	f.h.secrets[0].not_before_s = t;
	f.h.secrets[0].not_after_s = t + 10;
	harness_start(&f.h);
	f.h.wall_s = t - 1;
	assert_int_equal(allocate(&f, "new secret", TURN_HMAC_SHA1, t + 60, ':'), 401);
	assert_string_equal(turn_secret_to_mint(&f.h.realms[0], f.h.wall_s)->id, "old");
	f.h.wall_s = t;
	assert_int_equal(allocate(&f, "new secret", TURN_HMAC_SHA1, t + 60, ':'), 0);
	assert_string_equal(turn_secret_to_mint(&f.h.realms[0], f.h.wall_s)->id, "new");
	f.h.wall_s = t + 10;
	assert_int_equal(allocate(&f, "new secret", TURN_HMAC_SHA1, t + 60, ':'), 0);
	// The kept key is of no use any more; the call goes on.
	f.h.wall_s = t + 11;
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	assert_int_equal(allocate(&f, "new secret", TURN_HMAC_SHA1, t + 60, ':'), 401);
	assert_int_equal(allocate(&f, "old secret", TURN_HMAC_SHA1, t + 60, ':'), 0);
	harness_stop(&f.h);
}

// A rotation from its begin to its end.
static void use_is_counted(void **state)
{
	struct client caller;
	struct caller f;

	(void)state;
	caller_init(&f);
	harness_start(&f.h);
	assert_int_equal(allocate(&f, "old secret", TURN_HMAC_SHA1, f.h.wall_s + 60, ':'), 0);
	caller = f.c;
	assert_int_equal(use_of(&f, "old").requests, 1);
	assert_int_equal(use_of(&f, "old").last_s, f.h.wall_s);
	assert_int_equal(use_of(&f, "old").n_allocations, 1);
	assert_int_equal(allocate(&f, "new secret", TURN_HMAC_SHA1, f.h.wall_s + 60, ':'), 0);
	assert_int_equal(allocate(&f, "wrong", TURN_HMAC_SHA1, f.h.wall_s + 60, ':'), 401);
	assert_int_equal(use_of(&f, "new").requests, 1);
	// Again, by the kept key: the secret is in use all the same.
	f.h.wall_s++;
	assert_int_equal(allocate(&f, "new secret", TURN_HMAC_SHA1, f.h.wall_s + 59, ':'), 0);
	assert_int_equal(turn_get_counters(f.h.s)->key_cached, 1);
	assert_int_equal(use_of(&f, "new").requests, 2);
	assert_int_equal(use_of(&f, "new").last_s, f.h.wall_s);
	// Removed, with a live call.
	f.h.realms[0].n_secrets = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(use_of(&f, "new").requests, 2);
	assert_non_null(use_of(&f, "new").secret);
	assert_null(use_of(&f, "old").secret);
	assert_int_equal(use_of(&f, "old").n_allocations, 1);
	// A restart knows nothing of a secret that left; its calls go on.
	assert_int_equal(client_refresh(&f.h, &caller, 0), 0);
	assert_int_equal(use_of(&f, "old").n_allocations, 0);
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_null(use_of(&f, "old").name);
	harness_restart(&f.h);
	assert_int_equal(use_of(&f, "new").n_allocations, 2);
	harness_stop(&f.h);
}

// The kept key names its secret by its place, where another stands now.
static void a_removed_secret_has_no_kept_keys(void **state)
{
	struct caller f;

	(void)state;
	caller_init(&f);
	harness_start(&f.h);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			allocate(&f, "new secret", TURN_HMAC_SHA1, f.h.wall_s + 60, ':'), 0);
	assert_int_equal(turn_get_counters(f.h.s)->key_cached, 1);
	f.h.realms[0].secrets = &f.h.secrets[1];
	f.h.realms[0].n_secrets = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(allocate(&f, "new secret", TURN_HMAC_SHA1, f.h.wall_s + 60, ':'), 401);
	assert_int_equal(allocate(&f, "old secret", TURN_HMAC_SHA1, f.h.wall_s + 60, ':'), 0);
	harness_stop(&f.h);
}

static void separator_is_as_configured(void **state)
{
	struct caller f;

	(void)state;
	caller_init(&f);
	f.h.realms[0].separator = '|';
	harness_start(&f.h);
	assert_int_equal(allocate(&f, "new secret", TURN_HMAC_SHA1, f.h.wall_s + 60, '|'), 0);
	assert_int_equal(allocate(&f, "new secret", TURN_HMAC_SHA1, f.h.wall_s + 60, ':'), 401);
	harness_stop(&f.h);
}

static void calls_end_with_their_credential(void **state)
{
	struct caller f;
	uint64_t end_s;

	(void)state;
	caller_init(&f);
	f.h.realms[0].end_with_credential = true;
	harness_start(&f.h);
	end_s = f.h.wall_s + 1000;
	assert_int_equal(allocate(&f, "new secret", TURN_HMAC_SHA1, end_s, ':'), 0);
	assert_int_equal(reply_u32(&f.h, ATTR_LIFETIME), 600);
	f.h.wall_s = end_s - 200;
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	assert_int_equal(reply_u32(&f.h, ATTR_LIFETIME), 200);
	// Another process knows the end as well.
	harness_restart(&f.h);
	f.h.wall_s = end_s - 50;
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	assert_int_equal(reply_u32(&f.h, ATTR_LIFETIME), 50);
	f.h.wall_s = end_s + 1;
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 401);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_CREDENTIAL_EXPIRED);
	harness_sleep(&f.h, 51 * SECOND);
	assert_int_equal(f.h.n_closed, 1);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_as_configured),
		cmocka_unit_test(times_bound_a_secret),
		cmocka_unit_test(use_is_counted),
		cmocka_unit_test(a_removed_secret_has_no_kept_keys),
		cmocka_unit_test(separator_is_as_configured),
		cmocka_unit_test(calls_end_with_their_credential),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
