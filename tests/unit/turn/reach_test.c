// SPDX-License-Identifier: BSD-3-Clause
// Which addresses a client may have as peers: the policy's, and never a listener.
#include "harness.h"

static void start(struct harness *h, struct client *c)
{
	harness_start(h);
	client_init(c, 0xc6336401, 5000);
	assert_int_equal(client_allocate(h, c, 3600), 0);
}

// The external name of a listener is the listener.
static void external_listener_is_forbidden(void **state)
{
	struct tp_addr external = tp_addr_ipv4(0xcb007108, 3478);
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.listeners[0].advertised = external;
	start(&h, &c);
	assert_int_equal(client_permit(&h, &c, &external), 403);
	assert_int_equal(client_bind(&h, &c, 0x4000, &external), 403);
	assert_int_equal(turn_get_counters(h.s)->permissions_denied, 2);
	harness_stop(&h);
}

// A media server beside the relay: the ports that the configuration opens, and no others.
static void local_peers_are_allowed(void **state)
{
	struct tp_addr external = tp_addr_ipv4(0xcb007108, 20000), own;
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.listeners[0].advertised = external;
	h.listeners[0].advertised.port_be = tp_htons(3478);
	own = h.listeners[0].local;
	own.port_be = tp_htons(20009);
	h.conf.local_peers[0] = (struct turn_local_peer){
		.ip = h.listeners[0].local, .port_min = 20000, .port_max = 20009};
	h.conf.local_peers[0].ip.port_be = 0;
	h.conf.n_local_peers = 1;
	start(&h, &c);
	assert_int_equal(client_permit(&h, &c, &external), 0);
	assert_int_equal(client_bind(&h, &c, 0x4000, &external), 0);
	assert_int_equal(client_bind(&h, &c, 0x4001, &own), 0);
	own.port_be = tp_htons(20010);
	assert_int_equal(client_bind(&h, &c, 0x4002, &own), 403);
	own.port_be = tp_htons(3478);
	assert_int_equal(client_bind(&h, &c, 0x4002, &own), 403);
	own.port_be = 0;
	assert_int_equal(client_bind(&h, &c, 0x4002, &own), 403);
	harness_stop(&h);
}

static void policy_decides(void **state)
{
	static const struct tp_addr denied[] = {
		{.family = TP_FAMILY_IPV4, .ip = {10, 1, 2, 3}, .port_be = 1},
		{.family = TP_FAMILY_IPV4, .ip = {127, 0, 0, 1}, .port_be = 1},
		{.family = TP_FAMILY_IPV4, .ip = {169, 254, 169, 254}, .port_be = 1},
	};
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	start(&h, &c);
	for (size_t i = 0; i < TP_ARRAY_LEN(denied); i++) {
		assert_int_equal(client_permit(&h, &c, &denied[i]), 403);
		assert_int_equal(h.refusal.cause, TURN_REFUSED_PEER);
		assert_int_equal(h.refusal.why.verdict, POLICY_DENIED);
		assert_true(tp_addr_same_ip(&h.refusal.peer, &denied[i]));
		assert_int_equal(client_bind(&h, &c, 0x4000, &denied[i]), 403);
		assert_int_equal(h.refusal.method, MSG_CHANNEL_BIND);
	}
	assert_int_equal(turn_get_counters(h.s)->permissions_denied, 6);
	harness_stop(&h);
}

static bool ends_in_255(void *ctx, const struct tp_addr *peer)
{
	(void)ctx;
	return peer->ip[3] == 255;
}

// A directed broadcast would reach every host of the relay's own network.
static void broadcast_is_no_peer(void **state)
{
	const struct tp_addr all = tp_addr_ipv4(0x080808ff, 9);
	const struct tp_addr one = tp_addr_ipv4(0x08080808, 9);
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.env.is_broadcast = ends_in_255;
	start(&h, &c);
	assert_int_equal(client_permit(&h, &c, &all), 403);
	assert_int_equal(h.refusal.why.origin, POLICY_BY_NEVER);
	assert_int_equal(client_bind(&h, &c, 0x4000, &all), 403);
	assert_int_equal(client_permit(&h, &c, &one), 0);
	harness_stop(&h);
}

static bool is_8_8_4_4(void *ctx, const struct tp_addr *peer)
{
	(void)ctx;
	return tp_load_be32(peer->ip) == 0x08080404;
}

// A service of this host at an address that the configuration does not name would take the relay,
// which is on the same host, for a client that it trusts.
static void address_of_the_host_is_no_peer(void **state)
{
	const struct tp_addr host = tp_addr_ipv4(0x08080404, 9);
	struct turn_explanation told = {0};
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.env.is_host = is_8_8_4_4;
	start(&h, &c);
	assert_int_equal(client_permit(&h, &c, &host), 403);
	assert_int_equal(h.refusal.why.origin, POLICY_BY_NEVER);
	assert_int_equal(client_bind(&h, &c, 0x4000, &host), 403);
	assert_int_equal(turn_peer_explain(h.s, 0, NULL, &host, &told), 0);
	assert_false(told.allowed);
	assert_string_equal(told.why.reason, "an address of this host");
	harness_stop(&h);
}

// One IP address for both, told apart by the port.
static void listener_may_be_relay(void **state)
{
	struct tp_addr relayed = tp_addr_ipv4(0x05050501, 50000);
	struct tp_addr listener = tp_addr_ipv4(0x05050501, 3478);
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.relays[0].local = h.relays[0].advertised = tp_addr_ipv4(0x05050501, 0);
	start(&h, &c);
	assert_int_equal(client_permit(&h, &c, &relayed), 0);
	assert_int_equal(client_bind(&h, &c, 0x4000, &relayed), 0);
	assert_int_equal(client_bind(&h, &c, 0x4001, &listener), 403);
	harness_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(external_listener_is_forbidden),
		cmocka_unit_test(local_peers_are_allowed),
		cmocka_unit_test(policy_decides),
		cmocka_unit_test(broadcast_is_no_peer),
		cmocka_unit_test(address_of_the_host_is_no_peer),
		cmocka_unit_test(listener_may_be_relay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
