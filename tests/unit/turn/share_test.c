// SPDX-License-Identifier: BSD-3-Clause
// One user against all others: ports, entries of the tables and Allocate requests are accounted to
// somebody, and a part of them stays for users who have less.
#include "harness.h"

#include <errno.h>

#define PORTS 64u

static void users_init(struct fixture *f)
{
	harness_init(&f->h);
	f->h.conf.port_min = 50000;
	f->h.conf.port_max = 50000 + PORTS - 1;
	f->h.conf.nonce_lifetime_s = 3600;
	f->h.realms[0].user_quota = 1;
}

static unsigned bob_allocates(struct fixture *f, uint16_t port)
{
	client_init(&f->c, 0xc6336402, port);
	client_user(&f->c, "bob", "builder");
	return client_allocate(&f->h, &f->c, 0);
}

// Fault: with a quota of one, a user took every port by allocating and freeing, and held none.
static void freed_ports_count_for_who_freed_them(void **state)
{
	struct fixture f;
	bool seen[PORTS] = {false};
	unsigned n = 0;

	(void)state;
	users_init(&f);
	fixture_start(&f);
	for (unsigned i = 0; i < 10 * PORTS; i++) {
		assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
		seen[tp_addr_port(&f.c.relayed) - 50000] = true;
		assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	}
	for (unsigned i = 0; i < PORTS; i++)
		n += seen[i];
	// A third of them at most.
	assert_in_range(n, 1, PORTS / 3 + 2);
	assert_int_equal(bob_allocates(&f, 5000), 0);
	assert_false(seen[tp_addr_port(&f.c.relayed) - 50000]);
	harness_stop(&f.h);
}

// With one port in all, its last user gets it back at once, and another one too.
static void cooling_is_no_reason_for_508(void **state)
{
	struct fixture f;

	(void)state;
	users_init(&f);
	f.h.conf.port_max = 50000;
	fixture_start(&f);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
		assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	}
	assert_int_equal(bob_allocates(&f, 5000), 0);
	client_init(&f.c, 0xc6336401, 5001);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 508);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_PORTS);
	harness_stop(&f.h);
}

// Fault: a thousand permissions for each allocation, and the tables were full for all.
static void entries_are_shared(void **state)
{
	const struct tp_addr peer = tp_addr_ipv4(0x09090909, 4000);
	struct fixture f;
	unsigned n = 0, code;

	(void)state;
	users_init(&f);
	f.h.conf.max_entries = 80;
	fixture_start(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	do {
		struct tp_addr p = tp_addr_ipv4(0x08080800 + n++, 4000);

		code = client_permit(&f.h, &f.c, &p);
	} while (code == 0 && n < 100);
	assert_int_equal(code, 508);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_SHARE);
	// All but an eighth.
	assert_in_range(n, 68, 72);
	assert_int_equal(
		client_bind(&f.h, &f.c, 0x4000,
			&(struct tp_addr){
				.family = TP_FAMILY_IPV4, .ip = {8, 8, 8, 1}, .port_be = 1}),
		508);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	assert_int_equal(bob_allocates(&f, 5000), 0);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &peer), 0);
	harness_stop(&f.h);
}

// What has ended counts no more, and a restart counts the same.
static void entries_come_back(void **state)
{
	struct fixture f;
	unsigned code = 0;

	(void)state;
	users_init(&f);
	f.h.conf.max_entries = 80;
	fixture_start(&f);
	for (unsigned round = 0; round < 3; round++) {
		unsigned n = 0;

		assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
		do {
			struct tp_addr p = tp_addr_ipv4(0x08080800 + n++, 4000);

			code = client_bind(&f.h, &f.c, (uint16_t)(0x4000 + n), &p);
			if (n == 10)
				harness_restart(&f.h);
		} while (code == 0 && n < 100);
		assert_int_equal(code, 508);
		assert_in_range(n, 22, 25);
		if (round == 0)
			assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
		else
			harness_sleep(&f.h, 700 * SECOND);
		client_init(&f.c, 0xc6336401, (uint16_t)(6000 + round));
	}
	harness_stop(&f.h);
}

static void allocates_have_a_rate(void **state)
{
	struct fixture f;
	unsigned n = 0;

	(void)state;
	users_init(&f);
	f.h.realms[0].user_quota = 0;
	f.h.realms[0].allocate_rate = 2;
	f.h.realms[0].allocate_burst = 5;
	fixture_start(&f);
	for (; n < 20 && client_allocate(&f.h, &f.c, 0) == 0; n++) {
		assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	}
	assert_in_range(n, 5, 6);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_RATE);
	assert_int_equal(f.h.refusal.code, 486);
	// Another user's rate is another one.
	assert_int_equal(bob_allocates(&f, 5000), 0);
	harness_sleep(&f.h, SECOND);
	client_init(&f.c, 0xc6336401, 5002);
	for (n = 0; n < 20 && client_allocate(&f.h, &f.c, 0) == 0; n++)
		assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(n, 2);
	harness_stop(&f.h);
}

// Ports in use and at rest, until the rest is over.
static void ports_at_rest_count(void **state)
{
	struct turn_user_view view;
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	f.h.realms[0].user_ports = 3;
	fixture_start(&f);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
		assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	}
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	assert_int_equal(
		turn_user_find(f.h.s, 0, TURN_IDENTITY_STATIC, USER, strlen(USER), &view), 0);
	assert_int_equal(view.allocations, 1);
	assert_int_equal(view.ports, 3);
	assert_int_equal(view.ports_max, 3);
	assert_int_equal(
		turn_user_find(f.h.s, 0, TURN_IDENTITY_REST, USER, strlen(USER), &view), -ENOENT);
	client_init(&f.c, 0xc6336401, 5001);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 486);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_QUOTA);
	assert_int_equal(bob_allocates(&f, 5002), 0);
	harness_sleep(&f.h, 61 * SECOND);
	client_init(&f.c, 0xc6336401, 5001);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	harness_stop(&f.h);
}

// One of both families, with a third port reserved by another user.
static unsigned allocate_with(struct fixture *f, uint16_t port, uint16_t type, uint32_t value)
{
	const uint8_t octets[4] = {(uint8_t)(value >> 24)};
	struct msg m;

	f->c.tuple.remote.port_be = tp_htons(port);
	client_challenge(&f->h, &f->c);
	client_start(&f->c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_attr(&m, type, octets, type == ATTR_EVEN_PORT ? 1 : 4);
	return client_finish(&f->h, &f->c, &m);
}

// Without a quota a user has all ports but an eighth, by any kind of request.
static void shares_init(struct fixture *f)
{
	users_init(f);
	f->h.realms[0].user_quota = 0;
	f->h.many_replies = true;
}

// The user takes ports by requests with the attribute until they are refused: how many allocations.
static unsigned take_all(struct fixture *f, uint16_t type, uint32_t value)
{
	unsigned n = 0;

	while (n <= PORTS && allocate_with(f, (uint16_t)(6000 + n), type, value) == 0)
		n++;
	assert_int_equal(f->h.refusal.code, 508);
	assert_int_equal(f->h.refusal.cause, TURN_REFUSED_PORTS_SHARE);
	return n;
}

// Fault: without a quota one user took all ports, and another one had none.
static void ports_are_shared(void **state)
{
	const uint32_t ipv4 = (uint32_t)TP_FAMILY_IPV4 << 24, ipv6 = (uint32_t)TP_FAMILY_IPV6 << 24;
	struct fixture f;

	(void)state;
	shares_init(&f);
	fixture_start(&f);
	assert_int_equal(take_all(&f, ATTR_REQUESTED_ADDRESS_FAMILY, ipv4), 56);
	// Each family has ports of its own.
	assert_int_equal(allocate_with(&f, 5000, ATTR_REQUESTED_ADDRESS_FAMILY, ipv6), 0);
	for (uint16_t i = 0; i < 7; i++)
		assert_int_equal(bob_allocates(&f, 5001 + i), 0);
	// The user gets returned ports again, but no more.
	client_init(&f.c, 0xc6336401, 6000);
	client_challenge(&f.h, &f.c);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(allocate_with(&f, 6000, ATTR_REQUESTED_ADDRESS_FAMILY, ipv4), 508);
	assert_int_equal(bob_allocates(&f, 5008), 0);
	harness_stop(&f.h);
}

// Even ports and pairs, of which a reserved port counts, also over a restart.
static void pairs_are_shared(void **state)
{
	struct fixture f;

	(void)state;
	shares_init(&f);
	fixture_start(&f);
	assert_int_equal(take_all(&f, ATTR_EVEN_PORT, 0x80u << 24), 28);
	harness_restart(&f.h);
	assert_int_equal(allocate_with(&f, 5000, ATTR_EVEN_PORT, 0x80u << 24), 508);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_PORTS_SHARE);
	assert_int_equal(allocate_with(&f, 5000, ATTR_EVEN_PORT, 0), 508);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 508);
	client_user(&f.c, "bob", "builder");
	assert_int_equal(allocate_with(&f, 5001, ATTR_EVEN_PORT, 0x80u << 24), 0);
	assert_int_equal(allocate_with(&f, 5002, ATTR_EVEN_PORT, 0), 0);
	// Reservations end, and count no longer.
	harness_sleep(&f.h, 41 * SECOND);
	client_init(&f.c, 0xc6336401, 5003);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	harness_stop(&f.h);
}

static void even_ports_are_shared(void **state)
{
	struct fixture f;

	(void)state;
	shares_init(&f);
	fixture_start(&f);
	// Of 32 even ports.
	assert_int_equal(take_all(&f, ATTR_EVEN_PORT, 0), 28);
	client_user(&f.c, "bob", "builder");
	assert_int_equal(allocate_with(&f, 5001, ATTR_EVEN_PORT, 0), 0);
	assert_int_equal(allocate_with(&f, 5002, ATTR_EVEN_PORT, 0), 0);
	harness_stop(&f.h);
}

// Of both families: each counts in its own, and one of them is enough.
static void both_families_are_shared(void **state)
{
	const uint32_t ipv4 = (uint32_t)TP_FAMILY_IPV4 << 24, ipv6 = (uint32_t)TP_FAMILY_IPV6 << 24;
	struct fixture f;

	(void)state;
	shares_init(&f);
	fixture_start(&f);
	assert_int_equal(allocate_with(&f, 5000, ATTR_REQUESTED_ADDRESS_FAMILY, ipv4), 0);
	assert_int_equal(take_all(&f, ATTR_ADDITIONAL_ADDRESS_FAMILY, ipv6), 56);
	assert_int_equal(allocate_with(&f, 5001, ATTR_REQUESTED_ADDRESS_FAMILY, ipv6), 508);
	client_user(&f.c, "bob", "builder");
	assert_int_equal(allocate_with(&f, 5002, ATTR_ADDITIONAL_ADDRESS_FAMILY, ipv6), 0);
	assert_false(reply_has(&f.h, ATTR_ADDRESS_ERROR_CODE));
	harness_stop(&f.h);
}

// TCP allocations take of the same ports.
static void tcp_allocations_share_ports(void **state)
{
	struct fixture f;

	(void)state;
	shares_init(&f);
	f.h.listeners[1].transport = TP_TRANSPORT_TCP;
	fixture_start(&f);
	for (uint16_t n = 0; n < PORTS / 2; n++) {
		client_init(&f.c, 0xc6336401, 4000 + n);
		f.c.tuple.listener_id = LISTENER6_ID;
		f.c.tuple.connection = UINT64_C(0x100000001) + ((uint64_t)n << 32);
		assert_int_equal(turn_stream_opened(f.h.s, f.h.now_ns, &f.c.tuple, false), 0);
		client_challenge(&f.h, &f.c);
		assert_int_equal(client_allocate_tcp(&f.h, &f.c), 0);
	}
	// The others by UDP.
	client_init(&f.c, 0xc6336401, 5000);
	assert_int_equal(
		take_all(&f, ATTR_REQUESTED_ADDRESS_FAMILY, (uint32_t)TP_FAMILY_IPV4 << 24),
		56 - PORTS / 2);
	assert_int_equal(bob_allocates(&f, 5000), 0);
	harness_stop(&f.h);
}

// A realm counts as its users do: two addresses of one allocation, a reserved port, over a restart.
static void a_realm_counts_what_users_count(void **state)
{
	const uint32_t ipv6 = (uint32_t)TP_FAMILY_IPV6 << 24;
	struct turn_user_view view;
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	f.h.realms[0].max_allocations = 4;
	fixture_start(&f);
	assert_int_equal(allocate_with(&f, 5000, ATTR_ADDITIONAL_ADDRESS_FAMILY, ipv6), 0);
	assert_int_equal(turn_realm_find(f.h.s, 0, &view), 0);
	assert_int_equal(view.allocations, 2);
	assert_int_equal(view.allocations_max, 4);
	client_user(&f.c, "bob", "builder");
	assert_int_equal(allocate_with(&f, 5001, ATTR_EVEN_PORT, 0x80u << 24), 0);
	assert_int_equal(realm_held(&f.h), 4);
	assert_int_equal(bob_allocates(&f, 5002), 508);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_ALLOCATIONS);
	harness_restart(&f.h);
	assert_int_equal(realm_held(&f.h), 4);
	// The reservation ends; one address of both families is left, and told so.
	harness_sleep(&f.h, 41 * SECOND);
	assert_int_equal(allocate_with(&f, 5002, ATTR_ADDITIONAL_ADDRESS_FAMILY, ipv6), 0);
	assert_true(reply_has(&f.h, ATTR_ADDRESS_ERROR_CODE));
	assert_int_equal(realm_held(&f.h), 4);
	assert_int_equal(bob_allocates(&f, 5003), 508);
	harness_stop(&f.h);
}

static struct tp_addr peer_number(unsigned n)
{
	return tp_addr_ipv4(0x08080800 + n, 4000);
}

// A scan by permissions and channels meets the rate; peers that are there cost nothing.
static void new_peers_have_a_rate(void **state)
{
	struct fixture f;
	struct tp_addr p;
	unsigned n = 0;

	(void)state;
	harness_init(&f.h);
	f.h.conf.peer_rate = 2;
	f.h.conf.peer_burst = 10;
	fixture_start(&f);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	for (unsigned code = 0; n < 100 && code == 0; n++) {
		p = peer_number(n);
		code = n % 2 == 0 ? client_permit(&f.h, &f.c, &p)
				  : client_bind(&f.h, &f.c, (uint16_t)(0x4000 + n), &p);
	}
	assert_int_equal(n, 11);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_PEERS);
	assert_int_equal(f.h.refusal.code, 508);
	assert_int_equal(turn_get_counters(f.h.s)->peers_refused, 1);
	p = peer_number(0);
	assert_int_equal(client_permit(&f.h, &f.c, &p), 0);
	p = peer_number(1);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &p), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	// Ports of one address by channels, too.
	p.port_be = 7;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4100, &p), 508);
	harness_sleep(&f.h, SECOND);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4100, &p), 0);
	p.port_be = 8;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4101, &p), 0);
	p.port_be = 9;
	assert_int_equal(client_bind(&f.h, &f.c, 0x4102, &p), 508);
	// Another allocation has a rate of its own.
	assert_int_equal(bob_allocates(&f, 5000), 0);
	assert_int_equal(client_permit(&f.h, &f.c, &p), 0);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(freed_ports_count_for_who_freed_them),
		cmocka_unit_test(cooling_is_no_reason_for_508),
		cmocka_unit_test(entries_are_shared),
		cmocka_unit_test(entries_come_back),
		cmocka_unit_test(allocates_have_a_rate),
		cmocka_unit_test(ports_at_rest_count),
		cmocka_unit_test(ports_are_shared),
		cmocka_unit_test(pairs_are_shared),
		cmocka_unit_test(even_ports_are_shared),
		cmocka_unit_test(both_families_are_shared),
		cmocka_unit_test(tcp_allocations_share_ports),
		cmocka_unit_test(a_realm_counts_what_users_count),
		cmocka_unit_test(new_peers_have_a_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
