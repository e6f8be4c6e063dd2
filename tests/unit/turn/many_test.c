// SPDX-License-Identifier: BSD-3-Clause
// Allocations of every size, up to a thousand channels: objects are found alike by linear search
// and by hash.
#include "harness.h"

#define CHANNELS 1000u

// Four channels per peer's host.
static struct tp_addr peer(unsigned i)
{
	return tp_addr_ipv4(0x08080000 + i / 4, (uint16_t)(4000 + i % 4));
}

static unsigned bind(struct fixture *f, unsigned number, unsigned i)
{
	struct tp_addr p = peer(i);

	return client_bind(&f->h, &f->c, (uint16_t)(0x4000 + number), &p);
}

static void assert_bound(const struct fixture *f, unsigned n)
{
	assert_int_equal(f->h.store.live_channels, n);
	assert_int_equal(f->h.store.live_permissions, (n + 3) / 4);
	for (unsigned i = 0; i < n; i++) {
		const struct fake_channel *c =
			fake_store_channel(&f->h.store, f->ref, (uint16_t)(0x4000 + i));
		struct tp_addr p = peer(i);

		assert_non_null(c);
		assert_true(tp_addr_equal(&c->peer, &p));
	}
}

// An existing binding is refreshed, not made again; a contradicting one is refused.
static void assert_found(struct fixture *f, unsigned n)
{
	for (unsigned i = 0; i<n; i += n> 50 ? 37 : 1) {
		struct tp_addr p = peer(i);

		assert_int_equal(bind(f, i, i), 0);
		assert_int_equal(client_permit(&f->h, &f->c, &p), 0);
		assert_int_equal(bind(f, i, n), 400);
		assert_int_equal(bind(f, n, i), 400);
		assert_int_equal(f->h.store.live_channels, n);
	}
}

static void few_and_some(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 24; n++) {
		struct fixture f;

		fixture_hold(&f);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(bind(&f, i, i), 0);
		assert_bound(&f, n);
		assert_found(&f, n);
		harness_restart(&f.h);
		client_challenge(&f.h, &f.c);
		assert_found(&f, n);
		assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
		assert_int_equal(f.h.store.live_permissions, 0);
		harness_stop(&f.h);
	}
}

// Permissions alone make an allocation large too.
static void permissions_alone(void **state)
{
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 12; i++) {
			struct tp_addr p = peer(4 * i);

			assert_int_equal(client_permit(&f.h, &f.c, &p), 0);
		}
		assert_int_equal(f.h.store.live_permissions, 12);
	}
	assert_int_equal(bind(&f, 0, 4), 0);
	assert_int_equal(bind(&f, 0, 8), 400);
	harness_sleep(&f.h, 301 * SECOND);
	assert_int_equal(f.h.store.live_permissions, 0);
	assert_int_equal(bind(&f, 0, 4), 0);
	harness_stop(&f.h);
}

static void a_thousand_channels(void **state)
{
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	for (unsigned i = 0; i < CHANNELS; i++)
		assert_int_equal(bind(&f, i, i), 0);
	assert_bound(&f, CHANNELS);
	assert_found(&f, CHANNELS);
	harness_restart(&f.h);
	client_challenge(&f.h, &f.c);
	assert_bound(&f, CHANNELS);
	assert_found(&f, CHANNELS);
	harness_sleep(&f.h, 601 * SECOND);
	assert_int_equal(f.h.store.live_channels, 0);
	assert_int_equal(f.h.store.live_permissions, 0);
	assert_int_equal(bind(&f, 1, 0), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(f.h.store.live_channels, 0);
	harness_stop(&f.h);
}

// An expired object is not found, under its own key or another's: its place is in use again by
// then.
static void what_expired_is_made_anew(void **state)
{
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	for (unsigned round = 0; round < 20; round++) {
		client_challenge(&f.h, &f.c);
		// In another order each time, so that places are used for other keys.
		for (unsigned k = 0; k < 48; k++) {
			unsigned i = (k * 5 + round * 7) % 48;

			assert_int_equal(bind(&f, (i + round) % 48, i), 0);
		}
		assert_int_equal(f.h.store.live_channels, 48);
		assert_int_equal(f.h.store.live_permissions, 12);
		for (unsigned i = 0; i < 48; i++)
			assert_int_equal(bind(&f, (i + round) % 48, (i + 1) % 48), 400);
		harness_sleep(&f.h, 301 * SECOND);
		assert_int_equal(f.h.store.live_permissions, 0);
		harness_sleep(&f.h, 300 * SECOND);
		assert_int_equal(f.h.store.live_channels, 0);
		assert_int_equal(client_refresh(&f.h, &f.c, 3600), 0);
	}
	harness_stop(&f.h);
}

// Some go on, some end, and those that end come back beside the others.
static void some_expire_beside_others(void **state)
{
	unsigned left[24] = {0}; // rounds of 160 s until it has expired
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	for (unsigned round = 0; round < 60; round++) {
		unsigned live = 0;

		client_challenge(&f.h, &f.c);
		assert_int_equal(client_refresh(&f.h, &f.c, 3600), 0);
		for (unsigned k = 0; k < 24; k++) {
			unsigned i = (k * 7 + round * 5) % 24;
			struct tp_addr p = peer(4 * i);

			if ((i * 11 + round * 3) % 7 < 3) {
				assert_int_equal(client_permit(&f.h, &f.c, &p), 0);
				left[i] = 2;
			}
		}
		for (unsigned i = 0; i < 24; i++) {
			struct tp_addr p = peer(4 * i);

			assert_int_equal(
				fake_store_permission(&f.h.store, f.ref, &p) != NULL, left[i] != 0);
			live += left[i] != 0;
		}
		assert_int_equal(f.h.store.live_permissions, live);
		harness_sleep(&f.h, 160 * SECOND);
		for (unsigned i = 0; i < 24; i++)
			left[i] -= left[i] != 0;
	}
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_and_some),
		cmocka_unit_test(permissions_alone),
		cmocka_unit_test(a_thousand_channels),
		cmocka_unit_test(what_expired_is_made_anew),
		cmocka_unit_test(some_expire_beside_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
