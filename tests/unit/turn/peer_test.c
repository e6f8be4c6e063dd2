// SPDX-License-Identifier: BSD-3-Clause
// Permissions and channels: made, refreshed, refused and undone.
#include "harness.h"

static const struct tp_addr peer_a = {
	.family = TP_FAMILY_IPV4, .ip = {8, 8, 8, 8}, .port_be = 0xa00f};
static const struct tp_addr peer_b = {
	.family = TP_FAMILY_IPV4, .ip = {9, 9, 9, 9}, .port_be = 0xa00f};

static const struct fake_permission *permission(const struct fixture *f, const struct tp_addr *peer)
{
	return fake_store_permission(&f->h.store, f->ref, peer);
}

static const struct fake_channel *channel(const struct fixture *f, uint16_t number)
{
	return fake_store_channel(&f->h.store, f->ref, number);
}

static unsigned permit_several(struct fixture *f, const struct tp_addr *peers, size_t n)
{
	struct msg m;

	client_start(&f->c, &m, MSG_CREATE_PERMISSION);
	for (size_t i = 0; i < n; i++)
		msg_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, &peers[i]);
	return client_finish(&f->h, &f->c, &m);
}

// RFC 8656 9: addresses are compared, ports are not.
static void permission_is_for_an_address(void **state)
{
	struct tp_addr other_port = peer_a;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &peer_a), 0);
	assert_int_equal(permission(&f, &peer_a)->peer.port_be, 0);
	other_port.port_be = 0x0100;
	harness_sleep(&f.h, 10 * SECOND);
	assert_int_equal(client_permit(&f.h, &f.c, &other_port), 0);
	assert_int_equal(f.h.store.live_permissions, 1);
	assert_int_equal(permission(&f, &peer_a)->expires_s, 1011 + 300);
	harness_stop(&f.h);
}

// Clauses: 8656 10.2-1
static void several_peers_at_once(void **state)
{
	struct tp_addr peers[100];
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	for (uint32_t i = 0; i < TP_ARRAY_LEN(peers); i++)
		peers[i] = tp_addr_ipv4(0x08080000 + i / 2, (uint16_t)i); // each twice
	assert_int_equal(permit_several(&f, peers, TP_ARRAY_LEN(peers)), 0);
	assert_int_equal(f.h.store.live_permissions, TP_ARRAY_LEN(peers) / 2);
	harness_stop(&f.h);
}

// All or none: those it made are taken back, those that were there keep their time.
static void failed_permissions_leave_no_trace(void **state)
{
	struct tp_addr peers[5];
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	for (uint32_t i = 0; i < TP_ARRAY_LEN(peers); i++)
		peers[i] = tp_addr_ipv4(0x08080000 + i, 1);
	peers[2] = peers[1];
	assert_int_equal(client_permit(&f.h, &f.c, &peers[0]), 0);
	harness_sleep(&f.h, 10 * SECOND);
	f.h.store.max_permissions = 3;
	assert_int_equal(permit_several(&f, peers, TP_ARRAY_LEN(peers)), 508);
	assert_int_equal(f.h.store.live_permissions, 1);
	assert_int_equal(permission(&f, &peers[0])->expires_s, 1301);
	f.h.store.max_permissions = 4;
	assert_int_equal(permit_several(&f, peers, TP_ARRAY_LEN(peers)), 0);
	assert_int_equal(f.h.store.live_permissions, 4);
	harness_stop(&f.h);
}

static void too_many_peers_are_508(void **state)
{
	struct tp_addr peers[129];
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	for (uint32_t i = 0; i < TP_ARRAY_LEN(peers); i++)
		peers[i] = tp_addr_ipv4(0x08080000 + i, 1);
	assert_int_equal(permit_several(&f, peers, 129), 508);
	assert_int_equal(f.h.store.live_permissions, 0);
	assert_int_equal(permit_several(&f, peers, 128), 0);
	// And one allocation cannot have all the permissions there are.
	for (uint32_t i = 1; i < 8; i++) {
		for (uint32_t k = 0; k < 128; k++)
			peers[k] = tp_addr_ipv4(0x08090000 + 128 * i + k, 1);
		assert_int_equal(permit_several(&f, peers, 128), 0);
	}
	assert_int_equal(client_permit(&f.h, &f.c, &peer_a), 508);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 508);
	assert_int_equal(f.h.store.live_permissions, 1024);
	harness_sleep(&f.h, 301 * SECOND);
	assert_int_equal(client_permit(&f.h, &f.c, &peer_a), 0);
	harness_stop(&f.h);
}

// Channels outlive their permissions; their remains go with them.
static void ended_channels_take_no_room(void **state)
{
	struct tp_addr peers[128];
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	for (uint16_t i = 0; i < 1024; i++) {
		struct tp_addr peer = tp_addr_ipv4(0x08090000u + i, 1);

		assert_int_equal(client_bind(&f.h, &f.c, 0x4000 + i, &peer), 0);
	}
	harness_sleep(&f.h, 301 * SECOND);
	assert_int_equal(f.h.store.live_permissions, 0);
	assert_int_equal(client_permit(&f.h, &f.c, &peer_a), 508);
	harness_sleep(&f.h, 300 * SECOND);
	assert_int_equal(f.h.store.live_channels, 0);
	for (uint32_t i = 0; i < 8; i++) {
		for (uint32_t k = 0; k < 128; k++)
			peers[k] = tp_addr_ipv4(0x080a0000 + 128 * i + k, 1);
		assert_int_equal(permit_several(&f, peers, 128), 0);
	}
	harness_stop(&f.h);
}

static void channels_per_allocation_are_bounded(void **state)
{
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	for (uint16_t i = 0; i <= 1024; i++) {
		struct tp_addr peer = tp_addr_ipv4(0x08080808, 1000 + i);

		assert_int_equal(client_bind(&f.h, &f.c, 0x4000 + i, &peer), i < 1024 ? 0 : 508);
	}
	assert_int_equal(f.h.store.live_channels, 1024);
	assert_int_equal(f.h.store.live_permissions, 1);
	harness_sleep(&f.h, 601 * SECOND);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 0);
	harness_stop(&f.h);
}

// A number is of one peer, a peer of one number.
static void bindings_are_one_to_one(void **state)
{
	struct tp_addr other_port = peer_a;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	other_port.port_be = 0x0100;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_b), 400);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &other_port), 400);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &peer_a), 400);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &peer_b), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &peer_a), 400);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4002, &other_port), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 0);
	assert_int_equal(f.h.store.live_channels, 3);
	// The refused ones made no permission: one for each of the two addresses.
	assert_int_equal(f.h.store.live_permissions, 2);
	harness_stop(&f.h);
}

static void bindings_of_allocations_are_apart(void **state)
{
	struct fixture f;
	struct client other;

	(void)state;
	fixture_hold(&f);
	client_init(&other, 0xc6336401, 5001);
	assert_int_equal(client_allocate(&f.h, &other, 0), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 0);
	assert_int_equal(client_bind(&f.h, &other, 0x4000, &peer_b), 0);
	assert_int_equal(client_bind(&f.h, &other, 0x4001, &peer_a), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(f.h.store.live_channels, 2);
	harness_stop(&f.h);
}

// ChannelBind refreshes both; a permission refreshed by either reaches all channels of the address.
static void refreshes_reach_channels(void **state)
{
	struct tp_addr other_port = peer_a;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	other_port.port_be = 0x0100;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 0);
	harness_sleep(&f.h, 10 * SECOND);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &other_port), 0);
	assert_int_equal(channel(&f, 0x4000)->expires_s, 1601);
	assert_int_equal(channel(&f, 0x4000)->permission_expires_s, 1311);
	assert_int_equal(channel(&f, 0x4001)->expires_s, 1611);
	assert_int_equal(channel(&f, 0x4001)->permission_expires_s, 1311);
	harness_sleep(&f.h, 10 * SECOND);
	assert_int_equal(client_permit(&f.h, &f.c, &peer_a), 0);
	assert_int_equal(channel(&f, 0x4000)->permission_expires_s, 1321);
	assert_int_equal(channel(&f, 0x4001)->permission_expires_s, 1321);
	assert_int_equal(channel(&f, 0x4001)->expires_s, 1611);
	harness_sleep(&f.h, 10 * SECOND);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 0);
	assert_int_equal(channel(&f, 0x4000)->expires_s, 1631);
	assert_int_equal(permission(&f, &peer_a)->expires_s, 1331);
	assert_int_equal(channel(&f, 0x4001)->permission_expires_s, 1331);
	harness_stop(&f.h);
}

static void permission_follows_channel(void **state)
{
	struct tp_addr other_port = peer_a;
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	f.h.conf.permission_follows_channel = true;
	f.h.conf.nonce_lifetime_s = 3600;
	fixture_allocate(&f);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 0);
	assert_int_equal(permission(&f, &peer_a)->expires_s, 1601);
	assert_int_equal(channel(&f, 0x4000)->permission_expires_s, 1601);
	// A CreatePermission never takes time away.
	harness_sleep(&f.h, 100 * SECOND);
	assert_int_equal(client_permit(&f.h, &f.c, &peer_a), 0);
	assert_int_equal(permission(&f, &peer_a)->expires_s, 1601);
	harness_sleep(&f.h, 400 * SECOND);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 0);
	assert_int_equal(permission(&f, &peer_a)->expires_s, 2101);
	assert_int_equal(channel(&f, 0x4000)->permission_expires_s, 2101);
	// Lifetimes already given stay when the option is turned off.
	f.h.conf.permission_follows_channel = false;
	harness_restart(&f.h);
	other_port.port_be = 0x0100;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &other_port), 0);
	assert_int_equal(channel(&f, 0x4001)->permission_expires_s, 2101);
	harness_stop(&f.h);
}

static void failed_channel_leaves_no_trace(void **state)
{
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	f.h.store.max_channels = 0;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 508);
	assert_int_equal(f.h.store.live_permissions, 0);
	// A permission that was there is as it was.
	assert_int_equal(client_permit(&f.h, &f.c, &peer_a), 0);
	harness_sleep(&f.h, 10 * SECOND);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 508);
	assert_int_equal(permission(&f, &peer_a)->expires_s, 1301);
	f.h.store.max_channels = 1;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_a), 0);
	f.h.store.max_permissions = 1;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &peer_b), 508);
	assert_int_equal(f.h.store.live_channels, 1);
	harness_stop(&f.h);
}

// A client may name a relay address of this server by its internal or its external name: the tables
// know it by the external one, which peers on this relay show as their source.
static void own_relay_has_one_name(void **state)
{
	struct tp_addr internal = tp_addr_ipv4(0x05050502, 50000);
	struct tp_addr external = tp_addr_ipv4(0xcb007107, 50000);
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	f.h.relays[0].advertised = tp_addr_ipv4(0xcb007107, 0);
	fixture_allocate(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &internal), 0);
	assert_non_null(permission(&f, &external));
	assert_int_equal(client_permit(&f.h, &f.c, &external), 0);
	assert_int_equal(f.h.store.live_permissions, 1);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &external), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &internal), 400);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &internal), 0);
	assert_true(tp_addr_equal(&channel(&f, 0x4000)->peer, &external));
	harness_stop(&f.h);
}

// ::ffff:8.8.8.8 is 8.8.8.8.
static void mapped_peer_is_ipv4(void **state)
{
	uint8_t value[20] = {0, TP_FAMILY_IPV6, 0x21, 0x12, [14] = 0xff, 0xff, 8, 8, 8, 8};
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_hold(&f);
	client_start(&f.c, &m, MSG_CREATE_PERMISSION);
	for (unsigned i = 0; i < 16; i++)
		value[4 + i] ^= m.octets[4 + i];
	msg_attr(&m, ATTR_XOR_PEER_ADDRESS, value, sizeof(value));
	assert_int_equal(client_finish(&f.h, &f.c, &m), 0);
	assert_non_null(permission(&f, &peer_a));
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permission_is_for_an_address),
		cmocka_unit_test(several_peers_at_once),
		cmocka_unit_test(failed_permissions_leave_no_trace),
		cmocka_unit_test(too_many_peers_are_508),
		cmocka_unit_test(ended_channels_take_no_room),
		cmocka_unit_test(channels_per_allocation_are_bounded),
		cmocka_unit_test(bindings_are_one_to_one),
		cmocka_unit_test(bindings_of_allocations_are_apart),
		cmocka_unit_test(refreshes_reach_channels),
		cmocka_unit_test(permission_follows_channel),
		cmocka_unit_test(failed_channel_leaves_no_trace),
		cmocka_unit_test(own_relay_has_one_name),
		cmocka_unit_test(mapped_peer_is_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
