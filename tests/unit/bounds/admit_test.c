// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <bounds/admit.h>

static const uint8_t key[16] = "sixteen bytes...";

static struct tp_addr four(uint32_t n)
{
	return tp_addr_ipv4(0x0a000000 + n, (uint16_t)n);
}

static struct tp_addr six(uint8_t network, uint8_t host)
{
	const uint8_t ip[16] = {0x20, 1, 0x0d, 0xb8, 0, network, 0, 1, host, [15] = 1};

	return tp_addr_ipv6(ip, host);
}

// Clauses: 8489 6.2.2-5
static void connections_are_bounded(void **state)
{
	const struct admit_limits limits = {.connections = 5, .connections_prefix = 2};
	struct admit *a = admit_create(&limits, key);
	struct tp_addr one = four(1), s;

	(void)state;
	assert_int_equal(admit_enter(a, 0, &one), ADMIT_OK);
	one.port_be++;
	assert_int_equal(admit_enter(a, 0, &one), ADMIT_OK);
	assert_int_equal(admit_enter(a, 0, &one), ADMIT_REFUSED_connections_prefix);
	// One /64 is one prefix.
	for (uint8_t i = 0; i < 2; i++) {
		s = six(1, i);
		assert_int_equal(admit_enter(a, 0, &s), ADMIT_OK);
	}
	s = six(1, 9);
	assert_int_equal(admit_enter(a, 0, &s), ADMIT_REFUSED_connections_prefix);
	s = six(2, 9);
	assert_int_equal(admit_enter(a, 0, &s), ADMIT_OK);
	s = four(2);
	assert_int_equal(admit_enter(a, 0, &s), ADMIT_REFUSED_connections);
	assert_int_equal(admit_connections(a), 5);
	admit_leave(a, 0, &one);
	assert_int_equal(admit_enter(a, 0, &s), ADMIT_OK);
	// Nobody of that prefix is there.
	s = four(77);
	admit_leave(a, 0, &s);
	assert_int_equal(admit_connections(a), 5);
	s = four(2);
	admit_leave(a, 0, &s);
	admit_leave(a, 0, &one);
	s = six(2, 9);
	admit_leave(a, 0, &s);
	s = six(1, 0);
	admit_leave(a, 0, &s);
	admit_leave(a, 0, &s);
	assert_int_equal(admit_connections(a), 0);
	admit_destroy(a);
}

// Clauses: 8489 6.2.2-5
static void handshakes_have_a_rate(void **state)
{
	const struct admit_limits limits = {
		.connections = 1000, .handshakes = 10, .handshakes_prefix = 4};
	struct admit *a = admit_create(&limits, key);
	struct tp_addr one = four(1), s;
	uint64_t now_ns = TP_NS_PER_S;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(admit_enter(a, now_ns, &one), ADMIT_OK);
		admit_leave(a, now_ns, &one);
	}
	assert_int_equal(admit_enter(a, now_ns, &one), ADMIT_REFUSED_handshakes_prefix);
	for (unsigned i = 0; i < 6; i++) {
		s = four(10 + i);
		assert_int_equal(admit_enter(a, now_ns, &s), ADMIT_OK);
		admit_leave(a, now_ns, &s);
	}
	s = four(20);
	assert_int_equal(admit_enter(a, now_ns, &s), ADMIT_REFUSED_handshakes);
	now_ns += TP_NS_PER_S / 4;
	assert_int_equal(admit_enter(a, now_ns, &one), ADMIT_OK);
	admit_leave(a, now_ns, &one);
	assert_int_equal(admit_enter(a, now_ns, &one), ADMIT_REFUSED_handshakes_prefix);
	admit_destroy(a);
}

// Many prefixes take all they can: one more prefix finds room.
static void busy_prefixes_leave_room(void **state)
{
	const struct admit_limits limits = {.connections = 800};
	struct admit *a = admit_create(&limits, key);
	uint32_t n[4] = {0};
	struct tp_addr s;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		s = four(i);
		while (admit_enter(a, 0, &s) == ADMIT_OK)
			n[i]++;
		assert_int_equal(admit_enter(a, 0, &s), ADMIT_REFUSED_connections_share);
	}
	assert_int_equal(n[0], 700);
	assert_in_range(n[1], 80, 100);
	assert_in_range(n[3], 1, 2);
	s = four(9);
	assert_int_equal(admit_enter(a, 0, &s), ADMIT_OK);
	admit_leave(a, 0, &s);
	for (uint32_t i = 0; i < 4; i++) {
		s = four(i);
		while (n[i]-- > 0)
			admit_leave(a, 0, &s);
	}
	admit_destroy(a);
}

static struct tp_addr subnet(uint8_t site, uint16_t n)
{
	struct tp_addr s = six(site, 1);

	tp_store_be16(s.ip + 6, n);
	return s;
}

static void leave_all(struct admit *a, uint8_t site, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct tp_addr s = subnet(site, (uint16_t)i);

		admit_leave(a, 0, &s);
	}
}

// Fault: a site of IPv6 took all connections, and all handshakes, a few by each of its subnets.
static void a_site_leaves_room(void **state)
{
	const struct admit_limits limits = {
		.connections = 800, .handshakes = 1000, .handshakes_prefix = 10};
	struct admit *a = admit_create(&limits, key);
	uint32_t n = 0, limited = 0;
	struct tp_addr s;

	(void)state;
	// Sixteen times the handshakes of a subnet.
	for (uint32_t i = 0; i < 1000; i++) {
		s = subnet(1, (uint16_t)i);
		if (admit_enter(a, 0, &s) == ADMIT_OK)
			n++;
		else
			limited++;
	}
	assert_int_equal(n, 160);
	assert_int_equal(limited, 840);
	s = subnet(2, 1);
	assert_int_equal(admit_enter(a, 0, &s), ADMIT_OK);
	admit_leave(a, 0, &s);
	leave_all(a, 1, n);
	// Seven eighths of the connections, however many may be of one prefix.
	admit_limits_set(a, &(struct admit_limits){.connections = 800, .connections_prefix = 100});
	for (n = 0; n < 1000; n++) {
		s = subnet(1, (uint16_t)n);
		if (admit_enter(a, 0, &s) != ADMIT_OK)
			break;
	}
	assert_int_equal(n, 700);
	assert_int_equal(admit_enter(a, 0, &s), ADMIT_REFUSED_connections_share);
	s = subnet(2, 1);
	assert_int_equal(admit_enter(a, 0, &s), ADMIT_OK);
	admit_leave(a, 0, &s);
	leave_all(a, 1, n);
	assert_int_equal(admit_connections(a), 0);
	admit_destroy(a);
}

// Connections that stay until the test's end.
struct stay {
	struct tp_addr sources[256];
	unsigned n;
};

static enum admit_verdict enter(
	struct admit *a, uint64_t now_ns, const struct tp_addr *s, bool leaves, struct stay *stay)
{
	enum admit_verdict v = admit_enter(a, now_ns, s);

	if (v == ADMIT_OK && leaves) {
		admit_leave(a, now_ns, s);
	} else if (v == ADMIT_OK) {
		assert_in_range(stay->n, 0, TP_ARRAY_LEN(stay->sources) - 1);
		stay->sources[stay->n++] = *s;
	}
	return v;
}

// The last eighth of the handshakes is for those that had none lately.
static void quiet_have_handshakes_left(uint32_t per_prefix, bool leaves)
{
	const struct admit_limits limits = {
		.connections = 1000, .handshakes = 80, .handshakes_prefix = per_prefix};
	struct admit *a = admit_create(&limits, key);
	uint64_t now_ns = 10 * TP_NS_PER_S;
	struct stay stay = {.n = 0};
	unsigned n = 0;
	struct tp_addr s;

	for (unsigned i = 0; i < 160; i++) {
		s = four(i % 4);
		n += enter(a, now_ns, &s, leaves, &stay) == ADMIT_OK;
	}
	assert_int_equal(n, 70);
	s = four(1);
	assert_int_equal(enter(a, now_ns, &s, leaves, &stay), ADMIT_REFUSED_handshakes);
	for (unsigned i = 0; i < 10; i++) {
		s = four(100 + i);
		assert_int_equal(enter(a, now_ns, &s, leaves, &stay), ADMIT_OK);
	}
	s = four(200);
	assert_int_equal(enter(a, now_ns, &s, leaves, &stay), ADMIT_REFUSED_handshakes);
	// A busy one is quiet again after a second.
	now_ns += TP_NS_PER_S;
	s = four(1);
	for (unsigned i = 0; i < 80; i++)
		(void)enter(a, now_ns, &s, leaves, &stay);
	s = four(2);
	assert_int_equal(enter(a, now_ns, &s, leaves, &stay), ADMIT_OK);
	while (stay.n > 0)
		admit_leave(a, now_ns, &stay.sources[--stay.n]);
	admit_destroy(a);
}

static void quiet_prefixes_have_handshakes_left(void **state)
{
	(void)state;
	quiet_have_handshakes_left(40, false);
	// A prefix without a connection is as busy.
	quiet_have_handshakes_left(40, true);
	quiet_have_handshakes_left(0, true);
}

// Prefixes without connections are forgotten once their rate no longer needs them.
static void memory_returns(void **state)
{
	const struct admit_limits limits = {.connections = 1u << 20, .handshakes_prefix = 4};
	struct admit *a = admit_create(&limits, key);
	struct tp_addr s;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		s = four(i);
		assert_int_equal(admit_enter(a, 1, &s), ADMIT_OK);
		admit_leave(a, 1, &s);
	}
	assert_in_range(admit_prefixes(a), 1, 65536 + 1);
	for (uint32_t i = 0; i < 65536; i++) {
		s = four(i & 1);
		assert_int_equal(admit_enter(a, (i + 2) * TP_NS_PER_S, &s), ADMIT_OK);
		admit_leave(a, (i + 2) * TP_NS_PER_S, &s);
	}
	assert_in_range(admit_prefixes(a), 1, 2);
	admit_destroy(a);
}

// They are there already: no limit, and no handshake of the rate.
static void restored_connections_count(void **state)
{
	const struct admit_limits limits = {.connections = 3, .handshakes_prefix = 1};
	struct admit *a = admit_create(&limits, key);
	struct tp_addr s = four(1), other = four(0x01000000);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_true(admit_restore(a, &s));
	assert_int_equal(admit_connections(a), 4);
	assert_int_equal(admit_enter(a, 1, &other), ADMIT_REFUSED_connections);
	for (unsigned i = 0; i < 4; i++)
		admit_leave(a, 1, &s);
	assert_int_equal(admit_connections(a), 0);
	assert_int_equal(admit_enter(a, 1, &s), ADMIT_OK);
	admit_leave(a, 1, &s);
	admit_destroy(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_bounded),
		cmocka_unit_test(handshakes_have_a_rate),
		cmocka_unit_test(busy_prefixes_leave_room),
		cmocka_unit_test(a_site_leaves_room),
		cmocka_unit_test(quiet_prefixes_have_handshakes_left),
		cmocka_unit_test(memory_returns),
		cmocka_unit_test(restored_connections_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
