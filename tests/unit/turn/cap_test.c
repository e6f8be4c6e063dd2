// SPDX-License-Identifier: BSD-3-Clause
// The limits that an allocation gets, and their rates.
#include "harness.h"

static const struct turn_cap cap_a = {.bits_per_s = 1000000, .burst_bits = 40000};
static const struct turn_cap cap_u = {.packets_per_s = 300, .burst_packets = 12};
static const struct turn_cap cap_r = {.bits_per_s = 30000000, .burst_bits = 1200000};
static const struct turn_cap cap_all = {.bits_per_s = 90000000, .burst_bits = 3600000};

// The limit of a client's allocation, or one as wide as `kind`; NULL: there is none.
static const struct turn_limit *limit_of(
	const struct fixture *f, const struct client *c, uint8_t kind)
{
	uint32_t number = client_allocation(&f->h, c)->limit;

	while (number != 0) {
		const struct turn_limit *l = fake_store_limit(&f->h.store, number);

		if (l->kind == kind)
			return l;
		number = l->parent;
	}
	return NULL;
}

static void assert_cap(const struct turn_limit *l, const struct turn_cap *cap, uint32_t sessions)
{
	assert_non_null(l);
	assert_memory_equal(&l->cap, cap, sizeof(*cap));
	assert_int_equal(l->sessions, sessions);
}

static void sweep(struct fixture *f)
{
	while (turn_deadline(f->h.s) == 0) {
		turn_advance(f->h.s, f->h.now_ns, 8);
		harness_drain(&f->h);
	}
}

static void caps_set(struct turn_realm_conf *realm, struct turn_conf *conf)
{
	realm->allocation_cap = cap_a;
	realm->user_cap = cap_u;
	realm->realm_cap = cap_r;
	conf->all_cap = cap_all;
}

static void second_allocates(struct fixture *f, struct client *c)
{
	client_init(c, 0xc6336402, 7000);
	assert_int_equal(client_allocate(&f->h, c, 0), 0);
}

static void no_cap_takes_no_limit(void **state)
{
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	assert_int_equal(client_allocation(&f.h, &f.c)->limit, 0);
	assert_int_equal(f.h.store.live_limits, 0);
	harness_stop(&f.h);
}

static void an_allocation_has_a_chain(void **state)
{
	struct client second;
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	caps_set(&f.h.realms[0], &f.h.conf);
	fixture_start(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_ALLOCATION), &cap_a, 1);
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_USER), &cap_u, 1);
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_REALM), &cap_r, 1);
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_ALL), &cap_all, 1);
	second_allocates(&f, &second);
	assert_ptr_not_equal(limit_of(&f, &f.c, TP_LIMIT_ALLOCATION),
		limit_of(&f, &second, TP_LIMIT_ALLOCATION));
	assert_ptr_equal(limit_of(&f, &f.c, TP_LIMIT_USER), limit_of(&f, &second, TP_LIMIT_USER));
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_USER), &cap_u, 2);
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_REALM), &cap_r, 2);
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_ALL), &cap_all, 2);
	assert_int_equal(f.h.store.live_limits, 5);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_cap(limit_of(&f, &second, TP_LIMIT_USER), &cap_u, 1);
	assert_cap(limit_of(&f, &second, TP_LIMIT_REALM), &cap_r, 1);
	assert_cap(limit_of(&f, &second, TP_LIMIT_ALL), &cap_all, 1);
	assert_int_equal(f.h.store.live_limits, 4);
	// Those of the realm and of all stay.
	assert_int_equal(client_refresh(&f.h, &second, 0), 0);
	assert_int_equal(f.h.store.live_limits, 2);
	harness_stop(&f.h);
}

// Under a realm's cap alone an allocation has a limit of its own, for its share.
static void a_wider_cap_needs_a_session(void **state)
{
	static const struct turn_cap none = {0};
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	f.h.realms[0].realm_cap = cap_r;
	fixture_start(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_ALLOCATION), &none, 1);
	assert_null(limit_of(&f, &f.c, TP_LIMIT_USER));
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_REALM), &cap_r, 1);
	assert_int_equal(f.h.store.live_limits, 2);
	harness_stop(&f.h);
}

// Tables that were made for fewer caps.
static void without_a_slot_the_wider_caps_hold(void **state)
{
	struct fake_store *store;
	struct client second;
	struct fixture f;
	uint32_t realm;

	(void)state;
	harness_init(&f.h);
	store = &f.h.store;
	f.h.realms[0].realm_cap = cap_r;
	fixture_start(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	realm = fake_store_limit(store, client_allocation(&f.h, &f.c)->limit)->parent;
	for (uint32_t number = store->live_limits + 1; number <= FAKE_LIMITS; number++)
		store->limits[number].live = true;
	second_allocates(&f, &second);
	assert_int_equal(client_allocation(&f.h, &second)->limit, realm);
	assert_cap(fake_store_limit(store, realm), &cap_r, 2);
	assert_int_equal(client_refresh(&f.h, &second, 0), 0);
	assert_cap(fake_store_limit(store, realm), &cap_r, 1);
	harness_stop(&f.h);
}

static void a_reload_reaches_live_allocations(void **state)
{
	struct turn_realm_conf realm;
	struct client second;
	struct turn_conf conf;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	second_allocates(&f, &second);
	realm = f.h.realms[0];
	conf = f.h.conf;
	conf.realms = &realm;
	caps_set(&realm, &conf);
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	sweep(&f);
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_ALLOCATION), &cap_a, 1);
	assert_cap(limit_of(&f, &second, TP_LIMIT_USER), &cap_u, 2);
	assert_cap(limit_of(&f, &second, TP_LIMIT_REALM), &cap_r, 2);
	realm.allocation_cap.bits_per_s = 5;
	realm.user_cap = (struct turn_cap){0};
	conf.all_cap = (struct turn_cap){0};
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	sweep(&f);
	assert_int_equal(limit_of(&f, &f.c, TP_LIMIT_ALLOCATION)->cap.bits_per_s, 5);
	assert_null(limit_of(&f, &f.c, TP_LIMIT_USER));
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_REALM), &cap_r, 2);
	assert_null(limit_of(&f, &f.c, TP_LIMIT_ALL));
	assert_int_equal(f.h.store.live_limits, 3);
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	sweep(&f);
	assert_int_equal(client_allocation(&f.h, &f.c)->limit, 0);
	assert_int_equal(f.h.store.live_limits, 0);
	harness_stop(&f.h);
}

static void a_restart_gives_them_anew(void **state)
{
	struct client second;
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	caps_set(&f.h.realms[0], &f.h.conf);
	fixture_start(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	second_allocates(&f, &second);
	harness_restart(&f.h);
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_ALLOCATION), &cap_a, 1);
	assert_cap(limit_of(&f, &f.c, TP_LIMIT_USER), &cap_u, 2);
	assert_cap(limit_of(&f, &second, TP_LIMIT_REALM), &cap_r, 2);
	assert_int_equal(f.h.store.live_limits, 5);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_cap_takes_no_limit),
		cmocka_unit_test(an_allocation_has_a_chain),
		cmocka_unit_test(a_wider_cap_needs_a_session),
		cmocka_unit_test(without_a_slot_the_wider_caps_hold),
		cmocka_unit_test(a_reload_reaches_live_allocations),
		cmocka_unit_test(a_restart_gives_them_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
