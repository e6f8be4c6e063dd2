// SPDX-License-Identifier: BSD-3-Clause
// A server that starts on a store that is not empty.
#include "harness.h"

#include <errno.h>

static const struct tp_addr peer = {
	.family = TP_FAMILY_IPV4, .ip = {8, 8, 8, 8}, .port_be = 0xa00f};
static const struct tp_addr peer_b = {
	.family = TP_FAMILY_IPV4, .ip = {9, 9, 9, 9}, .port_be = 0xa00f};

static void call_survives_a_restart(void **state)
{
	struct harness h;
	struct client c;
	uint32_t ref;

	(void)state;
	harness_init(&h);
	h.conf.nonce_lifetime_s = 3600;
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	assert_int_equal(client_allocate(&h, &c, 777), 0);
	assert_int_equal(client_permit(&h, &c, &peer_b), 0);
	assert_int_equal(client_bind(&h, &c, 0x4000, &peer), 0);
	ref = client_allocation(&h, &c)->ref;
	harness_restart(&h);
	assert_int_equal(turn_allocation_count(h.s), 1);
	assert_int_equal(h.n_closed, 0);
	// Every kind of request goes on, with the nonce from before.
	assert_int_equal(client_permit(&h, &c, &peer_b), 0);
	assert_int_equal(client_bind(&h, &c, 0x4000, &peer), 0);
	assert_int_equal(client_bind(&h, &c, 0x4000, &peer_b), 400);
	assert_int_equal(client_bind(&h, &c, 0x4001, &peer_b), 0);
	assert_int_equal(client_refresh(&h, &c, 777), 0);
	assert_int_equal(h.store.live_permissions, 2);
	// So do the timers: permission, channel, allocation.
	harness_restart(&h);
	harness_sleep(&h, 300 * SECOND - SECOND / 2);
	assert_int_equal(h.store.live_permissions, 2);
	harness_sleep(&h, 2 * SECOND);
	assert_int_equal(h.store.live_permissions, 0);
	// The channels without their permissions, across another restart.
	harness_restart(&h);
	assert_int_equal(client_permit(&h, &c, &peer), 0);
	assert_true(fake_store_channel(&h.store, ref, 0x4000)->permission_expires_s >
		    h.now_ns / SECOND);
	harness_sleep(&h, 300 * SECOND);
	assert_int_equal(h.store.live_channels, 0);
	harness_restart(&h);
	harness_sleep(&h, 200 * SECOND);
	assert_int_equal(h.store.live_allocations, 0);
	assert_int_equal(h.reason, TURN_CLOSE_EXPIRED);
	harness_stop(&h);
}

// In the order of the store: permissions and channels find their allocation wherever it came.
static void objects_find_their_allocation(void **state)
{
	struct turn_allocation_record rec[2];
	struct turn_allocation_view view;
	struct client c[2];
	struct harness h;
	uint32_t ref[2];

	(void)state;
	harness_init(&h);
	harness_start(&h);
	for (unsigned i = 0; i < 2; i++) {
		client_init(&c[i], 0xc6336401, (uint16_t)(5000 + i));
		assert_int_equal(client_allocate(&h, &c[i], 777), 0);
		rec[i] = client_allocation(&h, &c[i])->rec;
		ref[i] = client_allocation(&h, &c[i])->ref;
	}
	turn_destroy(h.s);
	harness_start(&h);
	turn_restore_expect(h.s, 2);
	assert_int_equal(turn_restore_allocation(h.s, h.now_ns, &rec[0], ref[0]), 0);
	assert_int_equal(turn_restore_permission(h.s, h.now_ns, ref[0], &peer, 2000, 6), 0);
	assert_int_equal(turn_restore_allocation(h.s, h.now_ns, &rec[1], ref[1]), 0);
	assert_int_equal(turn_restore_channel(h.s, h.now_ns, ref[1], 0x4000, &peer, 2000, 10), 0);
	assert_int_equal(turn_restore_channel(h.s, h.now_ns, ref[0], 0x4000, &peer, 2000, 7), 0);
	assert_int_equal(turn_restore_permission(h.s, h.now_ns, 77, &peer_b, 2000, 12), -EINVAL);
	assert_int_equal(turn_restore_permission(h.s, h.now_ns, ref[1], &peer_b, 2000, 11), 0);
	assert_int_equal(turn_allocation_find(h.s, ref[0], &view), 0);
	assert_int_equal(view.n_permissions, 1);
	assert_int_equal(view.n_channels, 1);
	assert_int_equal(turn_allocation_find(h.s, ref[1], &view), 0);
	assert_int_equal(view.n_channels, 1);
	// The last one ended meanwhile.
	assert_int_equal(turn_kill(h.s, h.now_ns, ref[1]), 0);
	assert_int_equal(turn_restore_permission(h.s, h.now_ns, ref[1], &peer, 2000, 12), -EINVAL);
	harness_drain(&h);
	assert_int_equal(turn_restore_permission(h.s, h.now_ns, ref[1], &peer, 2000, 12), -EINVAL);
	harness_stop(&h);
}

// Objects that expired while no server was there end at once.
static void late_start_expires(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	assert_int_equal(client_allocate(&h, &c, 0), 0);
	assert_int_equal(client_bind(&h, &c, 0x4000, &peer), 0);
	h.now_ns += 7000 * SECOND;
	harness_restart(&h);
	assert_true(turn_deadline(h.s) <= h.now_ns);
	turn_advance(h.s, h.now_ns, 100);
	assert_int_equal(h.store.live_allocations, 0);
	harness_stop(&h);
}

// A restored port is taken; two servers never give it away twice (the fake store watches).
static void ports_are_restored(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.conf.port_min = 50000;
	h.conf.port_max = 50009;
	harness_start(&h);
	for (uint16_t port = 1; port <= 10; port++) {
		client_init(&c, 0xc6336401, port);
		// One user alone has no more than nine.
		if (port == 10)
			client_user(&c, "bob", "builder");
		assert_int_equal(client_allocate(&h, &c, 0), 0);
		harness_restart(&h);
	}
	client_init(&c, 0xc6336401, 11);
	assert_int_equal(client_allocate(&h, &c, 0), 508);
	harness_stop(&h);
}

struct bad_row {
	const char *what;
	void (*spoil)(struct turn_allocation_record *rec);
};

// The packets of its last user may be on their way still.
static void ports_rest_across_a_restart(void **state)
{
	struct harness h;
	struct client a, b, c;

	(void)state;
	harness_init(&h);
	h.conf.port_min = 50000;
	h.conf.port_max = 50001;
	harness_start(&h);
	client_init(&a, 0xc6336401, 5000);
	client_init(&b, 0xc6336402, 5000);
	client_init(&c, 0xc6336403, 5000);
	assert_int_equal(client_allocate(&h, &a, 0), 0);
	assert_int_equal(client_refresh(&h, &a, 0), 0);
	harness_sleep(&h, 50 * SECOND);
	harness_restart(&h);
	assert_int_equal(client_allocate(&h, &b, 0), 0);
	assert_false(tp_addr_equal(&b.relayed, &a.relayed));
	harness_sleep(&h, 11 * SECOND);
	assert_int_equal(client_allocate(&h, &c, 0), 0);
	assert_true(tp_addr_equal(&c.relayed, &a.relayed));
	// A live port is not affected by the record of its last cool-down.
	harness_restart(&h);
	assert_int_equal(client_refresh(&h, &c, 600), 0);
	harness_stop(&h);
}

// The table of ports has no order of time.
static void rests_end_in_their_order(void **state)
{
	const uint32_t now_s = 1000;
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.conf.port_min = 50000;
	h.conf.port_max = 50003;
	harness_start(&h);
	for (uint16_t i = 0; i < 4; i++)
		turn_restore_port_cooldown(
			h.s, h.now_ns, RELAY_ID, 50000 + i, (uint16_t)(now_s + 50 - 10 * i));
	for (uint16_t i = 0; i < 4; i++) {
		client_init(&c, 0xc6336401 + i, 5000);
		// None is free: the one whose time ends next is given.
		assert_int_equal(client_allocate(&h, &c, 0), 0);
		assert_int_equal(
			client_allocation(&h, &c)->rec.relay[0].local.port_be, tp_htons(50003 - i));
	}
	harness_stop(&h);
}

static void duplicates_stay_dead_across_a_restart(void **state)
{
	struct harness h;
	struct client c;
	struct msg m;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	client_challenge(&h, &c);
	client_start(&c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	assert_int_equal(client_finish(&h, &c, &m), 0);
	assert_int_equal(client_refresh(&h, &c, 0), 0);
	harness_sleep(&h, 20 * SECOND);
	harness_restart(&h);
	assert_int_equal(client_send(&h, &c, &m), 437);
	harness_sleep(&h, 21 * SECOND);
	assert_int_equal(client_send(&h, &c, &m), 0);
	harness_stop(&h);
}

static void spoil_listener(struct turn_allocation_record *rec)
{
	rec->client.listener_id = 99;
}

static void spoil_relay_id(struct turn_allocation_record *rec)
{
	rec->relay[0].relay_id = 99;
}

static void spoil_relay_ip(struct turn_allocation_record *rec)
{
	rec->relay[0].local.ip[0]++;
}

static void spoil_advertised(struct turn_allocation_record *rec)
{
	rec->relay[0].advertised.ip[0]++;
}

static void spoil_port(struct turn_allocation_record *rec)
{
	rec->relay[0].local.port_be = tp_htons(1024);
}

static void spoil_no_slot(struct turn_allocation_record *rec)
{
	rec->relay[0].expires_s = 0;
}

static void spoil_second_slot(struct turn_allocation_record *rec)
{
	rec->relay[1] = rec->relay[0];
}

static void spoil_key(struct turn_allocation_record *rec)
{
	rec->key_len = 200;
}

static void spoil_username(struct turn_allocation_record *rec)
{
	rec->username_len = TURN_USERNAME_MAX + 1;
}

static const struct bad_row bad_rows[] = {
	{"listener unknown", spoil_listener},
	{"relay id unknown", spoil_relay_id},
	{"relay id of another address", spoil_relay_ip},
	{"external address changed", spoil_advertised},
	{"port out of range", spoil_port},
	{"no relay slot", spoil_no_slot},
	{"the same address twice", spoil_second_slot},
	{"key too long", spoil_key},
	{"user name too long", spoil_username},
};

static void bad_records_are_refused(void **state)
{
	struct harness h;
	struct client c;
	struct turn_allocation_record good, bad;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	assert_int_equal(client_allocate(&h, &c, 0), 0);
	good = client_allocation(&h, &c)->rec;
	turn_destroy(h.s);
	harness_start(&h);
	for (size_t i = 0; i < TP_ARRAY_LEN(bad_rows); i++) {
		bad = good;
		bad_rows[i].spoil(&bad);
		if (turn_restore_allocation(h.s, h.now_ns, &bad, 5) != -EINVAL)
			fail_msg("%s", bad_rows[i].what);
	}
	assert_int_equal(turn_allocation_count(h.s), 0);
	// Nothing of the refused ones stayed: neither port nor quota nor tuple.
	assert_int_equal(turn_restore_allocation(h.s, h.now_ns, &good, 5), 0);
	bad = good;
	bad.client.remote.port_be++;
	assert_int_equal(turn_restore_allocation(h.s, h.now_ns, &bad, 6), -EINVAL); // the port
	bad.relay[0].local.port_be = bad.relay[0].advertised.port_be = tp_htons(50000);
	assert_int_equal(turn_restore_allocation(h.s, h.now_ns, &bad, 5), -EINVAL); // the reference
	bad.client = good.client;
	assert_int_equal(turn_restore_allocation(h.s, h.now_ns, &bad, 6), -EINVAL); // the tuple

	assert_int_equal(turn_restore_permission(h.s, h.now_ns, 6, &peer, 2000, 1), -EINVAL);
	assert_int_equal(turn_restore_permission(h.s, h.now_ns, 5, &peer, 2000, 1), 0);
	assert_int_equal(turn_restore_permission(h.s, h.now_ns, 5, &peer, 2000, 2), -EINVAL);
	assert_int_equal(turn_restore_channel(h.s, h.now_ns, 5, 0x3fff, &peer, 2000, 1), -EINVAL);
	assert_int_equal(turn_restore_channel(h.s, h.now_ns, 6, 0x4000, &peer, 2000, 1), -EINVAL);
	assert_int_equal(turn_restore_channel(h.s, h.now_ns, 5, 0x4000, &peer, 2000, 1), 0);
	assert_int_equal(turn_restore_channel(h.s, h.now_ns, 5, 0x4000, &peer_b, 2000, 2), -EINVAL);
	assert_int_equal(turn_restore_channel(h.s, h.now_ns, 5, 0x4001, &peer, 2000, 2), -EINVAL);
	harness_stop(&h);
}

// RFC 8656 21.4 for an allocation from a time when its client's address was none of those.
// Clauses: 8656 21.4-1
static void tunnelled_owner_binds_nothing(void **state)
{
	static const uint8_t six_to_four[16] = {0x20, 0x02, 1};
	struct turn_allocation_record rec;
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	client_init(&c, 0xc6336401, 5000);
	assert_int_equal(client_allocate(&h, &c, 0), 0);
	rec = client_allocation(&h, &c)->rec;
	rec.client.remote = tp_addr_ipv6(six_to_four, 5000);
	turn_destroy(h.s);
	harness_start(&h);
	assert_int_equal(
		turn_restore_allocation(h.s, h.now_ns, &rec, client_allocation(&h, &c)->ref), 0);
	c.tuple = rec.client;
	client_challenge(&h, &c);
	assert_int_equal(client_bind(&h, &c, 0x4000, &peer), 403);
	harness_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(call_survives_a_restart),
		cmocka_unit_test(objects_find_their_allocation),
		cmocka_unit_test(late_start_expires),
		cmocka_unit_test(ports_are_restored),
		cmocka_unit_test(ports_rest_across_a_restart),
		cmocka_unit_test(rests_end_in_their_order),
		cmocka_unit_test(duplicates_stay_dead_across_a_restart),
		cmocka_unit_test(bad_records_are_refused),
		cmocka_unit_test(tunnelled_owner_binds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
