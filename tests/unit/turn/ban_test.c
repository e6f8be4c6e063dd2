// SPDX-License-Identifier: BSD-3-Clause
// Bans of users, credentials and prefixes: which requests they refuse, which calls they end, and
// when they are over.
#include "harness.h"

#include <errno.h>

struct banned {
	struct harness h;
	struct client alice; // with a password
	struct client carol; // with a time-limited credential
	char credential[64];
};

static struct turn_ban name_ban(const struct banned *f, enum turn_ban_kind kind, const char *name)
{
	struct turn_ban ban = {.kind = kind, .until_s = f->h.wall_s + 100};

	ban.name_len = (uint16_t)strlen(name);
	memcpy(ban.name, name, ban.name_len);
	return ban;
}

static struct turn_ban prefix_ban(const struct banned *f, uint32_t ip, uint8_t len)
{
	struct tp_addr a = tp_addr_ipv4(ip, 0);

	return (struct turn_ban){.kind = TURN_BAN_PREFIX,
		.until_s = f->h.wall_s + 100,
		.prefix = text_cidr_make(&a, len)};
}

static int add(struct banned *f, const struct turn_ban *ban)
{
	uint32_t index = TURN_BANS_MAX;

	return turn_ban_add(f->h.s, f->h.now_ns, f->h.wall_s, ban, &index);
}

static int lift(struct banned *f, const struct turn_ban *ban)
{
	uint32_t index;

	return turn_ban_remove(f->h.s, ban, &index);
}

// Two calls.
static void banned_init(struct banned *f)
{
	harness_init(&f->h);
	harness_start(&f->h);
	client_init(&f->alice, 0xc6336401, 5000);
	assert_int_equal(client_allocate(&f->h, &f->alice, 3600), 0);
	client_init(&f->carol, 0xc6336502, 5000);
	client_rest_user(&f->carol, "new secret", f->h.wall_s + 3600, "carol");
	snprintf(f->credential, sizeof(f->credential), "%s", f->carol.user);
	f->carol.user = f->credential;
	assert_int_equal(client_allocate(&f->h, &f->carol, 3600), 0);
}

static unsigned swept(struct banned *f)
{
	unsigned before = f->h.n_closed;

	turn_advance(f->h.s, f->h.now_ns, 1000);
	harness_drain(&f->h);
	return f->h.n_closed - before;
}

static unsigned again(struct banned *f, struct client *c)
{
	c->tuple.remote.port_be = tp_htons(tp_addr_port(&c->tuple.remote) + 1);
	return client_allocate(&f->h, c, 600);
}

static void a_ban_ends_calls_and_refuses_new_ones(void **state)
{
	struct banned f;
	struct turn_ban bans[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct client *victim, *other;
		bool silent = i >= 2;

		banned_init(&f);
		bans[0] = name_ban(&f, TURN_BAN_USER, USER);
		bans[1] = name_ban(&f, TURN_BAN_CREDENTIAL, f.credential);
		bans[2] = prefix_ban(&f, 0xc6336400, 24);
		bans[3] = prefix_ban(&f, 0xc6336502, 32);
		victim = i % 2 == 0 ? &f.alice : &f.carol;
		other = i % 2 == 0 ? &f.carol : &f.alice;
		assert_int_equal(add(&f, &bans[i]), 0);
		assert_int_equal(swept(&f), 1);
		assert_int_equal(f.h.reason, TURN_CLOSE_BANNED);
		assert_int_equal(client_refresh(&f.h, victim, 600), silent ? 1 : 437);
		if (!silent) {
			assert_int_equal(again(&f, victim), 401);
			assert_int_equal(f.h.refusal.cause, TURN_REFUSED_BANNED);
		}
		assert_int_equal(client_refresh(&f.h, other, 600), 0);
		assert_int_equal(turn_get_counters(f.h.s)->banned, 1);
		assert_int_equal(lift(&f, &bans[i]), 0);
		assert_int_equal(lift(&f, &bans[i]), -ENOENT);
		assert_int_equal(again(&f, victim), 0);
		harness_stop(&f.h);
	}
}

// A user by the name behind the time, whichever credential it is; one credential alone is not.
static void a_user_is_all_credentials(void **state)
{
	struct turn_ban ban;
	struct banned f;

	(void)state;
	banned_init(&f);
	ban = name_ban(&f, TURN_BAN_CREDENTIAL, f.credential);
	assert_int_equal(add(&f, &ban), 0);
	client_rest_user(&f.carol, "new secret", f.h.wall_s + 3601, "carol");
	assert_int_equal(again(&f, &f.carol), 0);
	ban = name_ban(&f, TURN_BAN_USER, "carol");
	assert_int_equal(add(&f, &ban), 0);
	assert_int_equal(again(&f, &f.carol), 401);
	assert_int_equal(swept(&f), 2);
	// The name as it is written belongs to somebody else.
	ban = name_ban(&f, TURN_BAN_USER, "alic");
	assert_int_equal(add(&f, &ban), 0);
	assert_int_equal(swept(&f), 0);
	harness_stop(&f.h);
}

static void a_ban_ends(void **state)
{
	struct turn_ban ban, shown;
	uint32_t cursor = 0;
	struct banned f;

	(void)state;
	banned_init(&f);
	ban = name_ban(&f, TURN_BAN_USER, USER);
	assert_int_equal(add(&f, &ban), 0);
	ban = prefix_ban(&f, 0x0a000000, 8);
	ban.until_s -= 50;
	assert_int_equal(add(&f, &ban), 0);
	harness_sleep(&f.h, 60 * SECOND);
	assert_true(turn_ban_next(f.h.s, &cursor, &shown));
	assert_memory_equal(shown.name, USER, shown.name_len);
	assert_false(turn_ban_next(f.h.s, &cursor, &shown));
	assert_int_equal(again(&f, &f.alice), 401);
	harness_sleep(&f.h, 42 * SECOND);
	assert_int_equal(again(&f, &f.alice), 0);
	cursor = 0;
	assert_false(turn_ban_next(f.h.s, &cursor, &shown));
	harness_stop(&f.h);
}

static void bans_are_bounded_and_checked(void **state)
{
	struct turn_ban ban;
	struct banned f;
	char name[32];

	(void)state;
	banned_init(&f);
	ban = name_ban(&f, TURN_BAN_USER, "x");
	ban.realm_id = 77;
	assert_int_equal(add(&f, &ban), -EINVAL);
	ban = name_ban(&f, TURN_BAN_USER, "");
	assert_int_equal(add(&f, &ban), -EINVAL);
	ban = name_ban(&f, TURN_BAN_USER, "x");
	ban.until_s = f.h.wall_s;
	assert_int_equal(add(&f, &ban), -EINVAL);
	for (uint32_t i = 0; i <= TURN_BAN_PREFIXES_MAX; i++) {
		ban = prefix_ban(&f, 0x0a000000 + i, 32);
		assert_int_equal(add(&f, &ban), i < TURN_BAN_PREFIXES_MAX ? 0 : -ENOSPC);
	}
	for (uint32_t i = TURN_BAN_PREFIXES_MAX; i <= TURN_BANS_MAX; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		ban = name_ban(&f, TURN_BAN_USER, name);
		assert_int_equal(add(&f, &ban), i < TURN_BANS_MAX ? 0 : -ENOSPC);
	}
	// One that is there gets a new end.
	ban = name_ban(&f, TURN_BAN_USER, "user256");
	ban.until_s += 100;
	assert_int_equal(add(&f, &ban), 0);
	harness_sleep(&f.h, 150 * SECOND);
	assert_int_equal(lift(&f, &ban), 0);
	harness_stop(&f.h);
}

// As another process does, which reads the bans before its first turn.
static void calls_of_before_a_restart_end(void **state)
{
	struct turn_ban ban;
	struct banned f;

	(void)state;
	banned_init(&f);
	harness_restart(&f.h);
	ban = name_ban(&f, TURN_BAN_CREDENTIAL, f.credential);
	assert_int_equal(add(&f, &ban), 0);
	assert_int_equal(swept(&f), 1);
	assert_int_equal(client_refresh(&f.h, &f.alice, 600), 0);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ban_ends_calls_and_refuses_new_ones),
		cmocka_unit_test(a_user_is_all_credentials),
		cmocka_unit_test(a_ban_ends),
		cmocka_unit_test(bans_are_bounded_and_checked),
		cmocka_unit_test(calls_of_before_a_restart_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
