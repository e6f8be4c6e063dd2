// SPDX-License-Identifier: BSD-3-Clause
// Virtual time: nothing ends before its time, everything ends within the second after it, with the
// timers run and with a server that is late.
#include "harness.h"

static const struct tp_addr peer = {
	.family = TP_FAMILY_IPV4, .ip = {8, 8, 8, 8}, .port_be = 0xa00f};
static const struct tp_addr peer_b = {
	.family = TP_FAMILY_IPV4, .ip = {9, 9, 9, 9}, .port_be = 0xa00f};

static void fixture_begin(struct fixture *f, uint64_t start_ns)
{
	harness_init(&f->h);
	f->h.now_ns = start_ns;
	f->h.conf.nonce_lifetime_s = 3600;
	fixture_allocate(f);
}

// Starts within a second: on it, just after, in the middle, just before the next.
static const uint64_t starts_ns[] = {
	1000 * SECOND, 1000 * SECOND + 1, 1000 * SECOND + SECOND / 2, 1001 * SECOND - 1};

// Clauses: 8656 9-1
static void permission_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(starts_ns); i++) {
		struct fixture f;

		fixture_begin(&f, starts_ns[i]);
		assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
		harness_sleep(&f.h, 300 * SECOND - 1);
		assert_non_null(fake_store_permission(&f.h.store, f.ref, &peer));
		harness_sleep(&f.h, SECOND);
		assert_null(fake_store_permission(&f.h.store, f.ref, &peer));
		assert_int_equal(turn_allocation_count(f.h.s), 1);
		harness_stop(&f.h);
	}
}

// The channel outlives the permission that came with it; another permission reaches it again.
// Clauses: 8656 12.6-1
static void channel_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(starts_ns); i++) {
		struct fixture f;
		const struct fake_channel *c;

		fixture_begin(&f, starts_ns[i]);
		assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer), 0);
		c = fake_store_channel(&f.h.store, f.ref, 0x4000);
		harness_sleep(&f.h, 400 * SECOND);
		assert_null(fake_store_permission(&f.h.store, f.ref, &peer));
		assert_true(c->permission_expires_s <= f.h.now_ns / SECOND);
		assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
		assert_true(c->permission_expires_s >= f.h.now_ns / SECOND + 300);
		harness_sleep(&f.h, 200 * SECOND - 1);
		assert_true(c->live);
		harness_sleep(&f.h, SECOND);
		assert_false(c->live);
		// Its number and its peer are free again; the permission is still there.
		assert_non_null(fake_store_permission(&f.h.store, f.ref, &peer));
		assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_b), 0);
		assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &peer), 0);
		harness_stop(&f.h);
	}
}

static void allocation_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(starts_ns); i++) {
		struct fixture f;

		fixture_begin(&f, starts_ns[i]);
		assert_int_equal(client_refresh(&f.h, &f.c, 700), 0);
		assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer), 0);
		harness_sleep(&f.h, 500 * SECOND);
		assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer), 0);
		harness_sleep(&f.h, 200 * SECOND - 1);
		assert_non_null(client_allocation(&f.h, &f.c));
		harness_sleep(&f.h, SECOND);
		assert_null(client_allocation(&f.h, &f.c));
		assert_int_equal(f.h.n_closed, 1);
		assert_int_equal(f.h.reason, TURN_CLOSE_EXPIRED);
		assert_int_equal(f.h.closed_ref, f.ref);
		assert_int_equal(f.h.store.live_permissions + f.h.store.live_channels, 0);
		assert_int_equal(client_refresh(&f.h, &f.c, 700), 437);
		harness_stop(&f.h);
	}
}

// turn_advance was not called: expired objects have no effect all the same.
static void late_server_gives_no_time_away(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, 1000 * SECOND);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer), 0);
	f.h.now_ns += 600 * SECOND - 1;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_b), 400);
	f.h.now_ns += 1;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_b), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &peer), 0);
	f.h.now_ns = 4600 * SECOND - 1;
	client_challenge(&f.h, &f.c);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	f.h.now_ns += 1;
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 437);
	assert_int_equal(f.h.reason, TURN_CLOSE_EXPIRED);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	harness_stop(&f.h);
}

// An allocation past its time is no part of the quota of the one that takes its place.
static void late_server_counts_the_living(void **state)
{
	struct harness h;
	struct client c;
	struct msg m;

	(void)state;
	harness_init(&h);
	h.realms[0].user_quota = 1;
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	assert_int_equal(client_allocate(&h, &c, 0), 0);
	h.now_ns += 599 * SECOND;
	client_challenge(&h, &c);
	h.now_ns += 2 * SECOND;
	client_start(&c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	assert_int_equal(client_finish(&h, &c, &m), 0);
	assert_int_equal(h.n_opened, 2);
	harness_stop(&h);
}

// Firefox refreshes its permissions after 291 s and its allocation of 3600 s not at all.
static void firefox_keeps_its_call(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f, 1000 * SECOND + 999999999);
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
		harness_sleep(&f.h, 291 * SECOND);
		assert_non_null(fake_store_permission(&f.h.store, f.ref, &peer));
	}
	harness_stop(&f.h);
}

// aioice and werift send nothing but a ChannelBind each 500 s.
static void channel_only_client(void **state)
{
	(void)state;
	for (unsigned follows = 0; follows < 2; follows++) {
		struct fixture f;

		harness_init(&f.h);
		f.h.conf.permission_follows_channel = follows != 0;
		f.h.conf.nonce_lifetime_s = 3600;
		harness_start(&f.h);
		client_init(&f.c, 0xc6336401, 5000);
		assert_int_equal(client_allocate(&f.h, &f.c, 3600), 0);
		f.ref = client_allocation(&f.h, &f.c)->ref;
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer), 0);
			harness_sleep(&f.h, 499 * SECOND);
			assert_int_equal(
				fake_store_permission(&f.h.store, f.ref, &peer) != NULL, follows);
			harness_sleep(&f.h, 1 * SECOND);
		}
		harness_stop(&f.h);
	}
}

// A thousand timers due at once are worked off a few at a time.
static void budget_bounds_a_step(void **state)
{
	struct harness h;
	struct client c;
	size_t left = 1000;

	(void)state;
	harness_init(&h);
	h.conf.max_allocations = 0;
	harness_start(&h);
	for (uint16_t port = 1; port <= 1000; port++) {
		client_init(&c, 0xc6336401, port);
		assert_int_equal(client_allocate(&h, &c, 0), 0);
	}
	h.now_ns += 700 * SECOND;
	while (left > 0) {
		size_t before = turn_allocation_count(h.s);

		assert_true(turn_deadline(h.s) <= h.now_ns);
		turn_advance(h.s, h.now_ns, 64);
		left = turn_allocation_count(h.s);
		assert_in_range(before - left, 1, 64);
	}
	harness_drain(&h);
	assert_int_equal(h.n_closed, 1000);
	// Then ports rest and duplicates are remembered for a while; then there is nothing to do.
	harness_sleep(&h, 61 * SECOND);
	assert_true(turn_deadline(h.s) == UINT64_MAX);
	harness_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permission_ends),
		cmocka_unit_test(channel_ends),
		cmocka_unit_test(allocation_ends),
		cmocka_unit_test(late_server_gives_no_time_away),
		cmocka_unit_test(late_server_counts_the_living),
		cmocka_unit_test(firefox_keeps_its_call),
		cmocka_unit_test(channel_only_client),
		cmocka_unit_test(budget_bounds_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
