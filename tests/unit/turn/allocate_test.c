// SPDX-License-Identifier: BSD-3-Clause
// Allocate: success, retransmission, refusal for want of room, and remains.
#include "harness.h"

static void allocate_write(struct fixture *f, struct msg *m, uint32_t lifetime_s)
{
	client_start(&f->c, m, MSG_ALLOCATE);
	msg_u32(m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	if (lifetime_s != 0)
		msg_u32(m, ATTR_LIFETIME, lifetime_s);
	client_auth(&f->c, m);
}

// RFC 8656 7.2: at least the default, at most the maximum.
// Clauses: 8656 7.2-10
static void lifetime_is_bounded(void **state)
{
	static const uint32_t rows[][2] = {{1, 600}, {599, 600}, {600, 600}, {601, 601},
		{3600, 3600}, {3601, 3600}, {UINT32_MAX, 3600}};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct fixture f;

		fixture_init(&f);
		assert_int_equal(client_allocate(&f.h, &f.c, rows[i][0]), 0);
		assert_int_equal(reply_u32(&f.h, ATTR_LIFETIME), rows[i][1]);
		assert_int_equal(
			client_allocation(&f.h, &f.c)->rec.relay[0].expires_s, 1001 + rows[i][1]);
		assert_int_equal(client_refresh(&f.h, &f.c, rows[i][0]), 0);
		assert_int_equal(reply_u32(&f.h, ATTR_LIFETIME), rows[i][1]);
		harness_stop(&f.h);
	}
}

// Zero deletes in a Refresh only.
static void lifetime_zero_allocates(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_init(&f);
	client_challenge(&f.h, &f.c);
	client_start(&f.c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_u32(&m, ATTR_LIFETIME, 0);
	assert_int_equal(client_finish(&f.h, &f.c, &m), 0);
	assert_int_equal(reply_u32(&f.h, ATTR_LIFETIME), 600);
	harness_stop(&f.h);
}

// The same answer byte for byte, in spite of later changes, and nothing new in the store.
// Clauses: 8489 6.3.1-1
static void retransmission_is_answered_again(void **state)
{
	uint8_t first[2048];
	struct fixture f;
	struct msg m;
	size_t len, calls;

	(void)state;
	fixture_init(&f);
	f.h.realms[0].user_quota = 1;
	client_challenge(&f.h, &f.c);
	allocate_write(&f, &m, 777);
	assert_int_equal(client_send(&f.h, &f.c, &m), 0);
	len = f.h.reply_len;
	memcpy(first, f.h.reply, len);
	calls = f.h.store.calls;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(client_send(&f.h, &f.c, &m), 0);
		assert_int_equal(f.h.reply_len, len);
		assert_memory_equal(f.h.reply, first, len);
		// Beyond the nonce's time too, and after a restart.
		if (i == 0)
			harness_sleep(&f.h, 700 * SECOND);
		else
			harness_restart(&f.h);
	}
	assert_int_equal(f.h.store.calls, calls);
	assert_int_equal(f.h.n_opened, 1);
	// Not for a client that copied the transaction id.
	m.octets[m.len - 1] ^= 1;
	assert_int_equal(client_send(&f.h, &f.c, &m), 401);
	// Another transaction is another Allocate.
	client_challenge(&f.h, &f.c);
	allocate_write(&f, &m, 777);
	assert_int_equal(client_send(&f.h, &f.c, &m), 437);
	harness_stop(&f.h);
}

// The transaction id alone does not make somebody else's request a retransmission.
static void retransmission_is_the_owners(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_init(&f);
	client_challenge(&f.h, &f.c);
	allocate_write(&f, &m, 0);
	assert_int_equal(client_send(&f.h, &f.c, &m), 0);
	client_user(&f.c, "bob", "builder");
	msg_start(&m, MSG_ALLOCATE, f.c.txid);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	assert_int_equal(client_finish(&f.h, &f.c, &m), 437);
	harness_stop(&f.h);
}

// Clauses: 8489 6.3.1-1
static void late_duplicate_makes_no_ghost(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_init(&f);
	client_challenge(&f.h, &f.c);
	allocate_write(&f, &m, 0);
	assert_int_equal(client_send(&f.h, &f.c, &m), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(client_send(&f.h, &f.c, &m), 437);
	harness_sleep(&f.h, 39 * SECOND);
	assert_int_equal(client_send(&f.h, &f.c, &m), 437);
	assert_int_equal(f.h.store.live_allocations, 0);
	// A new transaction is welcome at once.
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	// And the old one is still no part of it.
	assert_int_equal(client_send(&f.h, &f.c, &m), 437);
	harness_stop(&f.h);
}

static void client_allocates_many(struct harness *h, struct client *c, uint16_t port, unsigned code)
{
	c->tuple.remote.port_be = tp_htons(port);
	assert_int_equal(client_allocate(h, c, 0), code);
}

// Clauses: 8656 5-9, 7.2-5
static void quota_is_486(void **state)
{
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	f.h.realms[0].user_quota = 2;
	fixture_start(&f);
	client_allocates_many(&f.h, &f.c, 1, 0);
	client_allocates_many(&f.h, &f.c, 2, 0);
	client_allocates_many(&f.h, &f.c, 3, 486);
	client_user(&f.c, "bob", "builder");
	client_allocates_many(&f.h, &f.c, 4, 0);
	// Kept across a restart, given back by a Refresh of zero.
	harness_restart(&f.h);
	client_user(&f.c, USER, PASSWORD);
	client_allocates_many(&f.h, &f.c, 3, 486);
	f.c.tuple.remote.port_be = tp_htons(2);
	client_challenge(&f.h, &f.c);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	client_allocates_many(&f.h, &f.c, 3, 0);
	harness_stop(&f.h);
}

static void full_server_is_508(void **state)
{
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	f.h.conf.max_allocations = 1;
	fixture_start(&f);
	client_allocates_many(&f.h, &f.c, 1, 0);
	client_allocates_many(&f.h, &f.c, 2, 508);
	harness_stop(&f.h);
	// The store's own pool; the port and the quota of the failed one are given back.
	harness_init(&f.h);
	f.h.realms[0].user_quota = 2;
	f.h.conf.port_min = f.h.conf.port_max = 50000;
	f.h.store.max_allocations = 0;
	fixture_start(&f);
	for (uint16_t port = 1; port < 5; port++)
		client_allocates_many(&f.h, &f.c, port, 508);
	assert_int_equal(realm_held(&f.h), 0);
	f.h.store.max_allocations = 1;
	client_allocates_many(&f.h, &f.c, 5, 0);
	harness_stop(&f.h);
}

static void cooling_port_is_given_before_a_508(void **state)
{
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	f.h.conf.port_min = 50000;
	f.h.conf.port_max = 50001;
	fixture_start(&f);
	client_allocates_many(&f.h, &f.c, 1, 0);
	client_allocates_many(&f.h, &f.c, 2, 0);
	client_allocates_many(&f.h, &f.c, 3, 508);
	f.c.tuple.remote.port_be = tp_htons(2);
	client_challenge(&f.h, &f.c);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	// No other is free: better a port that cools down than none.
	client_allocates_many(&f.h, &f.c, 3, 0);
	client_allocates_many(&f.h, &f.c, 4, 508);
	harness_stop(&f.h);
}

// 1:1 NAT: the client hears the external address, the port is the same on both sides.
static void external_address_is_told(void **state)
{
	struct fixture f;
	const struct fake_allocation *a;

	(void)state;
	harness_init(&f.h);
	f.h.relays[0].advertised = tp_addr_ipv4(0xcb007107, 0);
	fixture_start(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	a = client_allocation(&f.h, &f.c);
	assert_true(tp_addr_same_ip(&f.c.relayed, &f.h.relays[0].advertised));
	assert_true(tp_addr_equal(&f.c.relayed, &a->rec.relay[0].advertised));
	assert_true(tp_addr_same_ip(&a->rec.relay[0].local, &f.h.relays[0].local));
	assert_int_equal(a->rec.relay[0].local.port_be, f.c.relayed.port_be);
	harness_stop(&f.h);
}

// Relayed addresses are spread at random, so no two runs of a server give the same.
// Clauses: 8656 7.2-9
static void ports_are_random(void **state)
{
	uint16_t seen[50];
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (uint16_t i = 0; i < TP_ARRAY_LEN(seen); i++) {
		client_allocates_many(&f.h, &f.c, 1000 + i, 0);
		seen[i] = tp_addr_port(&f.c.relayed);
		assert_in_range(seen[i], 49152, 65535);
		for (uint16_t k = 0; k < i; k++)
			assert_true(seen[i] != seen[k]);
	}
	harness_stop(&f.h);
}

// Clauses: 8656 7.2-4
static void ipv6_client_and_relay(void **state)
{
	static const uint8_t ip[16] = {0x2a, 0x03, 7};
	struct tp_addr mapped;
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_init(&f);
	f.c.tuple.remote = tp_addr_ipv6(ip, 6000);
	f.c.tuple.listener_id = LISTENER6_ID;
	// IPv4 where nothing is said: 6 to 4.
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_int_equal(f.c.relayed.family, TP_FAMILY_IPV4);
	assert_true(reply_xor_addr(f.h.reply, f.h.reply_len, ATTR_XOR_MAPPED_ADDRESS, 0, &mapped));
	assert_true(tp_addr_equal(&mapped, &f.c.tuple.remote));
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	client_start(&f.c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_u32(&m, ATTR_REQUESTED_ADDRESS_FAMILY, 2u << 24);
	assert_int_equal(client_finish(&f.h, &f.c, &m), 0);
	assert_true(reply_xor_addr(
		f.h.reply, f.h.reply_len, ATTR_XOR_RELAYED_ADDRESS, 0, &f.c.relayed));
	assert_true(tp_addr_same_ip(&f.c.relayed, &f.h.relays[1].local));
	assert_int_equal(client_allocation(&f.h, &f.c)->rec.requested_family, TP_FAMILY_IPV6);
	harness_stop(&f.h);
}

// The same address and port on another listener is another 5-tuple.
static void listener_is_part_of_the_tuple(void **state)
{
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	f.h.listeners[1].local = tp_addr_ipv4(0x05050501, 3479);
	fixture_start(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	f.c.tuple.listener_id = LISTENER6_ID;
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_int_equal(turn_allocation_count(f.h.s), 2);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lifetime_is_bounded),
		cmocka_unit_test(lifetime_zero_allocates),
		cmocka_unit_test(retransmission_is_answered_again),
		cmocka_unit_test(retransmission_is_the_owners),
		cmocka_unit_test(late_duplicate_makes_no_ghost),
		cmocka_unit_test(quota_is_486),
		cmocka_unit_test(full_server_is_508),
		cmocka_unit_test(cooling_port_is_given_before_a_508),
		cmocka_unit_test(external_address_is_told),
		cmocka_unit_test(ports_are_random),
		cmocka_unit_test(ipv6_client_and_relay),
		cmocka_unit_test(listener_is_part_of_the_tuple),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
