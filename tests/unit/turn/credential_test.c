// SPDX-License-Identifier: BSD-3-Clause
// Keys of time-limited credentials, kept once a message verified: when they are of use, and when
// they are not there any more.
#include "harness.h"

#define NAMES 20000u // more than are kept

struct traveller {
	struct harness h;
	struct client c;
	uint16_t port;
};

static void traveller_init(struct traveller *f)
{
	harness_init(&f->h);
	harness_start(&f->h);
	f->port = 5000;
	client_init(&f->c, 0xc6336401, f->port);
}

// Another allocation of the same user, from the next port.
static unsigned allocate(struct traveller *f)
{
	struct client old = f->c;

	client_init(&f->c, 0xc6336401, ++f->port);
	f->c.user = old.user;
	memcpy(f->c.key, old.key, sizeof(old.key));
	return client_allocate(&f->h, &f->c, 600);
}

static unsigned kept(const struct traveller *f)
{
	return (unsigned)turn_get_counters(f->h.s)->key_cached;
}

static void second_allocation_derives_nothing(void **state)
{
	static const char *const secrets[] = {"new secret", "old secret"};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(secrets); i++) {
		struct traveller f;

		traveller_init(&f);
		client_rest_user(&f.c, secrets[i], f.h.wall_s + 60, "carol");
		assert_int_equal(allocate(&f), 0);
		assert_int_equal(kept(&f), 0);
		assert_int_equal(allocate(&f), 0);
		assert_int_equal(allocate(&f), 0);
		assert_int_equal(kept(&f), 2);
		// Another time is another credential.
		client_rest_user(&f.c, secrets[i], f.h.wall_s + 61, "carol");
		assert_int_equal(allocate(&f), 0);
		assert_int_equal(kept(&f), 2);
		harness_stop(&f.h);
	}
}

// A name has as many passwords as there are secrets: a kept key shuts out none of them, and nobody
// without one gets in by it.
static void both_secrets_hold(void **state)
{
	struct traveller f;

	(void)state;
	traveller_init(&f);
	for (unsigned i = 0; i < 3; i++) {
		client_rest_user(&f.c, "new secret", f.h.wall_s + 60, "carol");
		assert_int_equal(allocate(&f), 0);
		client_rest_user(&f.c, "no secret", f.h.wall_s + 60, "carol");
		assert_int_equal(allocate(&f), 401);
		client_rest_user(&f.c, "old secret", f.h.wall_s + 60, "carol");
		assert_int_equal(allocate(&f), 0);
	}
	harness_stop(&f.h);
}

static void kept_key_ends_with_its_credential(void **state)
{
	struct traveller f;
	uint64_t end_s;

	(void)state;
	traveller_init(&f);
	end_s = f.h.wall_s + 60;
	client_rest_user(&f.c, "new secret", end_s, "carol");
	assert_int_equal(allocate(&f), 0);
	harness_sleep(&f.h, 60 * SECOND);
	f.h.wall_s = end_s;
	assert_int_equal(allocate(&f), 0);
	assert_int_equal(kept(&f), 1);
	// Nobody asks any more: it goes by itself.
	assert_true(turn_deadline(f.h.s) <= f.h.now_ns + SECOND);
	harness_sleep(&f.h, 1 * SECOND);
	assert_true(turn_deadline(f.h.s) > f.h.now_ns + SECOND);
	f.h.wall_s = end_s;
	assert_int_equal(allocate(&f), 0);
	assert_int_equal(kept(&f), 1);
	f.h.wall_s = end_s + 1;
	assert_int_equal(allocate(&f), 401);
	assert_int_equal(kept(&f), 1);
	assert_int_equal(turn_get_counters(f.h.s)->credential_expired, 1);
	harness_stop(&f.h);
}

// The wall clock was set forward: the timer does not know, the request does.
static void wall_clock_decides(void **state)
{
	struct traveller f;

	(void)state;
	traveller_init(&f);
	client_rest_user(&f.c, "new secret", f.h.wall_s + 60, "carol");
	assert_int_equal(allocate(&f), 0);
	f.h.wall_s += 61;
	assert_int_equal(allocate(&f), 401);
	assert_int_equal(kept(&f), 0);
	harness_stop(&f.h);
}

static void kept_for_an_hour(void **state)
{
	struct traveller f;

	(void)state;
	traveller_init(&f);
	// 32 bits of seconds hold the rest of it only.
	client_rest_user(&f.c, "new secret", f.h.wall_s + (UINT64_C(1) << 32) + 5, "carol");
	assert_int_equal(allocate(&f), 0);
	harness_sleep(&f.h, 3599 * SECOND);
	assert_int_equal(allocate(&f), 0);
	assert_int_equal(kept(&f), 1);
	harness_sleep(&f.h, 1 * SECOND);
	assert_int_equal(allocate(&f), 0);
	assert_int_equal(kept(&f), 1);
	harness_stop(&f.h);
}

// A reload: a server with other secrets, users or another realm starts with no keys.
static void reload_forgets(void **state)
{
	struct traveller f;

	(void)state;
	traveller_init(&f);
	client_rest_user(&f.c, "old secret", f.h.wall_s + 60, "carol");
	assert_int_equal(allocate(&f), 0);
	assert_int_equal(allocate(&f), 0);
	assert_int_equal(kept(&f), 1);
	f.h.realms[0].n_secrets = 1;
	harness_restart(&f.h);
	assert_int_equal(allocate(&f), 401);
	assert_int_equal(kept(&f), 0);
	harness_stop(&f.h);
}

// Names that are invented, past their time or not, cost no key its place.
static void invented_names_change_nothing(void **state)
{
	struct traveller f;
	struct client honest;
	char name[32];

	(void)state;
	traveller_init(&f);
	client_rest_user(&f.c, "new secret", f.h.wall_s + 60, "carol");
	assert_int_equal(allocate(&f), 0);
	honest = f.c;
	client_init(&f.c, 0xc6336402, 5000);
	client_challenge(&f.h, &f.c);
	for (unsigned i = 0; i < NAMES; i++) {
		struct msg m;

		snprintf(name, sizeof(name), "%u:m%u", 1800000059 + i % 2, i);
		f.c.user = name;
		client_start(&f.c, &m, MSG_ALLOCATE);
		msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
		assert_int_equal(client_finish(&f.h, &f.c, &m), 401);
	}
	f.c = honest;
	assert_int_equal(allocate(&f), 0);
	assert_int_equal(kept(&f), 1);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_allocation_derives_nothing),
		cmocka_unit_test(both_secrets_hold),
		cmocka_unit_test(kept_key_ends_with_its_credential),
		cmocka_unit_test(wall_clock_decides),
		cmocka_unit_test(kept_for_an_hour),
		cmocka_unit_test(reload_forgets),
		cmocka_unit_test(invented_names_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
