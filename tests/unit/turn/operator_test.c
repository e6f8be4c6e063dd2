// SPDX-License-Identifier: BSD-3-Clause
// The operator's views, and ending allocations.
#include "harness.h"

#include <errno.h>

static const struct tp_addr peer = {
	.family = TP_FAMILY_IPV4, .ip = {8, 8, 8, 8}, .port_be = 0xa00f};
static const struct tp_addr peer_b = {
	.family = TP_FAMILY_IPV4, .ip = {9, 9, 9, 9}, .port_be = 0xa00f};

static void operator_sees_and_kills(void **state)
{
	struct turn_allocation_view view;
	struct turn_permission_view peers[4];
	struct harness h;
	struct client c;
	uint64_t cursor = 0;
	bool seen[11] = {false};
	uint32_t ref = 0;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	for (uint16_t port = 1; port <= 10; port++) {
		client_init(&c, 0xc6336401, port);
		assert_int_equal(client_allocate(&h, &c, 0), 0);
	}
	assert_int_equal(client_permit(&h, &c, &peer_b), 0);
	assert_int_equal(client_bind(&h, &c, 0x4abc, &peer), 0);
	while (turn_allocation_next(h.s, &cursor, &view)) {
		uint16_t port = tp_addr_port(&view.record->client.remote);

		assert_in_range(port, 1, 10);
		assert_false(seen[port]);
		seen[port] = true;
		assert_int_equal(view.n_channels, port == 10);
		assert_int_equal(view.n_permissions, port == 10 ? 2 : 0);
		assert_memory_equal(view.record->username, USER, view.record->username_len);
		ref = port == 10 ? view.ref : ref;
		// One ends in the middle of the walk.
		if (port == 3)
			assert_int_equal(turn_kill(h.s, h.now_ns, view.ref), 0);
	}
	for (uint16_t port = 1; port <= 10; port++)
		assert_true(seen[port]);
	assert_int_equal(turn_permissions_of(h.s, ref, peers, TP_ARRAY_LEN(peers)), 3);
	assert_true(tp_addr_same_ip(&peers[0].peer, &peer_b));
	assert_int_equal(peers[0].channel, 0);
	assert_int_equal(peers[2].channel, 0x4abc);
	assert_true(tp_addr_equal(&peers[2].peer, &peer));
	memset(peers, 0, sizeof(peers));
	assert_int_equal(turn_permissions_of(h.s, ref, peers, 1), 3);
	assert_int_equal(peers[1].expires_s, 0);

	assert_int_equal(turn_allocation_find(h.s, ref, &view), 0);
	assert_int_equal(view.n_channels, 1);
	assert_int_equal(turn_kill(h.s, h.now_ns, ref), 0);
	assert_int_equal(turn_kill(h.s, h.now_ns, ref), -ENOENT);
	assert_int_equal(turn_allocation_find(h.s, ref, &view), -ENOENT);
	assert_int_equal(turn_permissions_of(h.s, ref, peers, 1), 0);
	// Gone from sight, though nobody has taken the events yet.
	for (cursor = 0; turn_allocation_next(h.s, &cursor, &view);)
		assert_true(view.ref != ref);
	harness_drain(&h);
	assert_int_equal(h.n_closed, 2);
	assert_int_equal(h.reason, TURN_CLOSE_KILLED);
	assert_int_equal(client_refresh(&h, &c, 600), 437);
	assert_int_equal(turn_allocation_count(h.s), 8);
	harness_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operator_sees_and_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
