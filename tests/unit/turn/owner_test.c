// SPDX-License-Identifier: BSD-3-Clause
// An allocation belongs to the user that made it, even after the credential has expired.
#include "harness.h"

static void time_limited_credentials(void **state)
{
	static const struct {
		const char *secret;
		int64_t expiry_s; // from now
		unsigned code;
	} rows[] = {
		{"new secret", 60, 0},
		{"old secret", 60, 0},
		{"new secret", 0, 0},
		{"new secret", -1, 401},
		{"no secret", 60, 401},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct fixture f;

		fixture_challenge(&f);
		client_rest_user(
			&f.c, rows[i].secret, f.h.wall_s + (uint64_t)rows[i].expiry_s, "carol");
		assert_int_equal(client_allocate(&f.h, &f.c, 0), rows[i].code);
		assert_int_equal(
			turn_get_counters(f.h.s)->credential_expired, rows[i].expiry_s < 0);
		harness_stop(&f.h);
	}
}

// An allocation keeps the key it was made with.
static void allocation_outlives_its_credential(void **state)
{
	struct tp_addr peer = tp_addr_ipv4(0x08080808, 4000);
	struct fixture f;

	(void)state;
	fixture_challenge(&f);
	client_rest_user(&f.c, "old secret", f.h.wall_s + 60, "carol");
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	harness_sleep(&f.h, 100 * SECOND);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer), 0);
	// Taken away at the next start.
	f.h.realms[0].n_secrets = 1;
	harness_restart(&f.h);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 401);
	harness_stop(&f.h);
}

// RFC 8656 5: the full user name, though both count as carol.
// Clauses: 8656 5-3
static void other_user_is_441(void **state)
{
	static const uint16_t methods[] = {MSG_REFRESH, MSG_CREATE_PERMISSION, MSG_CHANNEL_BIND};
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_challenge(&f);
	client_rest_user(&f.c, "new secret", f.h.wall_s + 60, "carol");
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	for (size_t i = 0; i < TP_ARRAY_LEN(methods); i++) {
		client_rest_user(&f.c, "new secret", f.h.wall_s + 61, "carol");
		client_start(&f.c, &m, methods[i]);
		assert_int_equal(client_finish(&f.h, &f.c, &m), 441);
		client_user(&f.c, USER, PASSWORD);
		client_start(&f.c, &m, methods[i]);
		assert_int_equal(client_finish(&f.h, &f.c, &m), 441);
	}
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 437);
	assert_int_equal(turn_allocation_count(f.h.s), 1);
	// A name does not come with somebody else's key.
	f.c.user = "bob";
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 401);
	client_rest_user(&f.c, "new secret", f.h.wall_s + 60, "carol");
	f.c.user = "bob";
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 401);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_limited_credentials),
		cmocka_unit_test(allocation_outlives_its_credential),
		cmocka_unit_test(other_user_is_441),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
