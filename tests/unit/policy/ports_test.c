// SPDX-License-Identifier: BSD-3-Clause
// Rules with ports: which decides about a peer, and the set of ports of an address.
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct row {
	const char *allow, *deny, *peer;
	uint16_t port; // 0: the address alone
	const char *text;
};

static const struct row rows[] = {
	// A denied port of everywhere, of both families.
	{"", "0.0.0.0/0:25 [::/0]:25", "8.8.8.8", 25, "denied: in 0.0.0.0/0:25, peers.deny"},
	{"", "0.0.0.0/0:25 [::/0]:25", "8.8.8.8", 26, "allowed: a public address"},
	{"", "0.0.0.0/0:25 [::/0]:25", "2001:4860::1", 25, "denied: in [::/0]:25, peers.deny"},
	{"", "0.0.0.0/0:25 [::/0]:25", "::ffff:8.8.8.8", 25, "denied: in 0.0.0.0/0:25, peers.deny"},
	{"", "0.0.0.0/0:25 [::/0]:25", "8.8.8.8", 0,
		"allowed on some ports: rules with ports, such as 0.0.0.0/0:25, peers.deny"},
	// Not opened by a wide rule with ports.
	{"0.0.0.0/0:443", "0.0.0.0/0", "127.0.0.1", 0,
		"denied: in 127.0.0.0/8, loopback (RFC 1122); nothing opens it"},
	{"0.0.0.0/0:443", "0.0.0.0/0", "127.0.0.1", 443,
		"denied: in 127.0.0.0/8, loopback (RFC 1122); nothing opens it"},
	{"[f000::/4]:443", "", "ff02::1", 443,
		"denied: in ff00::/8, multicast (RFC 4291); nothing opens it"},
	// Opened on some ports.
	{"10.0.0.0/8:5000-6000", "", "10.1.1.1", 5000,
		"allowed: in 10.0.0.0/8:5000-6000, peers.allow"},
	{"10.0.0.0/8:5000-6000", "", "10.1.1.1", 6000,
		"allowed: in 10.0.0.0/8:5000-6000, peers.allow"},
	{"10.0.0.0/8:5000-6000", "", "10.1.1.1", 4999,
		"denied: in 10.0.0.0/8, private (RFC 1918); peers.allow opens it"},
	{"10.0.0.0/8:5000-6000", "", "10.1.1.1", 6001,
		"denied: in 10.0.0.0/8, private (RFC 1918); peers.allow opens it"},
	{"10.0.0.0/8:5000-6000", "", "10.1.1.1", 0,
		"allowed on some ports: rules with ports, such as 10.0.0.0/8:5000-6000, "
		"peers.allow"},
	{"10.0.0.0/8:5000-6000", "", "11.1.1.1", 0, "allowed: a public address"},
	// Ports before none, then deny before allow; the longer prefix before both.
	{"10.0.0.0/8:80", "10.0.0.0/8", "10.1.1.1", 80, "allowed: in 10.0.0.0/8:80, peers.allow"},
	{"10.0.0.0/8", "10.0.0.0/8:80", "10.1.1.1", 80, "denied: in 10.0.0.0/8:80, peers.deny"},
	{"10.0.0.0/8:80", "10.0.0.0/8:70-90", "10.1.1.1", 80,
		"denied: in 10.0.0.0/8:70-90, peers.deny"},
	{"10.1.0.0/16", "10.0.0.0/8:80", "10.1.1.1", 80, "allowed: in 10.1.0.0/16, peers.allow"},
	{"10.1.0.0/16:80", "10.0.0.0/8", "10.1.1.1", 81, "denied: in 10.0.0.0/8, peers.deny"},
	// Nothing opens these on any port.
	{"127.0.0.0/8:80", "", "127.0.0.1", 80,
		"denied: in 127.0.0.0/8, loopback (RFC 1122); nothing opens it"},
	{"5.5.5.5:80", "", "5.5.5.5", 80, "own: in 5.5.5.5/32, this relay"},
	{"169.254.0.0/16:80", "", "169.254.169.254", 80,
		"denied: in 169.254.169.254/32, a cloud's metadata or host service; "
		"peers.allow opens it"},
	// All and none by parts.
	{"10.0.0.0/8:1-9 10.0.0.0/8:10-65535", "", "10.1.1.1", 0,
		"allowed: in 10.0.0.0/8:1-9, peers.allow"},
	{"", "9.0.0.0/8:1-9 9.0.0.0/8:10-65535", "9.1.1.1", 0,
		"denied: in 9.0.0.0/8:1-9, peers.deny"},
	{"", "9.0.0.0/8:1-65535", "9.1.1.1", 0, "denied: in 9.0.0.0/8, peers.deny"},
	// A rule with all ports is one without.
	{"9.0.0.0/8:1-65535", "9.0.0.0/8", "9.1.1.1", 80, "denied: in 9.0.0.0/8, peers.deny"},
	{"10.0.0.0/8:80", "10.0.0.0/8:80", "10.1.1.1", 0,
		"denied: in 10.0.0.0/8, private (RFC 1918); peers.allow opens it"},
	// An IPv4 address inside has ports as well.
	{"64:ff9b::/96", "8.8.8.0/24:53", "64:ff9b::8.8.8.8", 53,
		"denied: holds an address of 8.8.8.0/24:53, peers.deny"},
	{"64:ff9b::/96", "8.8.8.0/24:53", "64:ff9b::8.8.8.8", 54,
		"allowed: in 64:ff9b::/96, peers.allow"},
	{"[64:ff9b::/96]:443 10.0.0.0/8:80", "", "64:ff9b::10.0.0.1", 443,
		"denied: holds an address of 10.0.0.0/8, private (RFC 1918); peers.allow opens it"},
	{"[64:ff9b::/96]:443 10.0.0.0/8:80", "", "64:ff9b::10.0.0.1", 0,
		"denied: in 64:ff9b::/96, NAT64 (RFC 6052); peers.allow opens it"},
	{"[64:ff9b::/96]:443 10.0.0.0/8:443-444", "", "64:ff9b::10.0.0.1", 0,
		"allowed on some ports: rules with ports, such as [64:ff9b::/96]:443, peers.allow"},
	{"64:ff9b::/96", "0.0.0.0/0:25", "64:ff9b::8.8.8.8", 0,
		"allowed on some ports: rules with ports, such as 64:ff9b::/96, peers.allow"},
	// Each rule says where the address inside stands.
	{"64:ff9b:1::/48 [64:ff9b:1:808::/64]:443", "", "64:ff9b:1:808:a:808:800::", 0,
		"allowed on some ports: rules with ports, such as [64:ff9b:1:808::/64]:443, "
		"peers.allow"},
	{"[64:ff9b:1::/56]:443 64:ff9b:1::/50", "", "64:ff9b:1:8:8:808::", 0,
		"allowed on some ports: rules with ports, such as [64:ff9b:1::/56]:443, "
		"peers.allow"},
};

static void ports_decide(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct policy *p = support_policy(rows[i].allow, rows[i].deny, "5.5.5.5");
		struct tp_addr peer = support_peer(rows[i].peer);
		struct policy_decision d;
		char text[POLICY_TEXT_SIZE];

		peer.port_be = tp_htons(rows[i].port);
		policy_judge(p, &peer, &d);
		assert_string_equal(policy_decision_format(&d, text, sizeof(text)), rows[i].text);
		policy_destroy(p);
	}
}

static void extents(void **state)
{
	struct policy *p = support_policy("10.0.0.0/8:5000-6000", "0.0.0.0/0:25", "5.5.5.5");
	struct policy *plain = support_policy("10.0.0.0/8", "9.0.0.0/8", "");
	struct tp_addr private = support_peer("10.1.1.1"), public = support_peer("8.8.8.8");
	struct tp_addr denied = support_peer("192.168.1.1"), own = support_peer("5.5.5.5");
	struct tp_addr nine = support_peer("9.9.9.9"), six = support_peer("2001:4860::1");
	struct tp_port_set set;

	(void)state;
	assert_int_equal(policy_ports(p, &private, &set), POLICY_PORTS_SOME);
	assert_false(tp_port_set_has(&set, 4999));
	assert_true(tp_port_set_has(&set, 5000));
	assert_true(tp_port_set_has(&set, 6000));
	assert_false(tp_port_set_has(&set, 6001));
	assert_int_equal(policy_ports(p, &public, &set), POLICY_PORTS_SOME);
	assert_false(tp_port_set_has(&set, 0));
	assert_false(tp_port_set_has(&set, 25));
	assert_true(tp_port_set_has(&set, 65535));
	assert_int_equal(policy_ports(p, &denied, &set), POLICY_PORTS_NONE);
	assert_int_equal(policy_ports(p, &own, &set), POLICY_PORTS_NONE);
	assert_int_equal(policy_ports(p, &six, &set), POLICY_PORTS_ALL);
	assert_int_equal(policy_ports(plain, &private, &set), POLICY_PORTS_ALL);
	assert_int_equal(policy_ports(plain, &nine, &set), POLICY_PORTS_NONE);
	policy_destroy(p);
	policy_destroy(plain);
}

// ---- random rules: the set and the judge agree about each port ----------------------------------

#define RULES 6u

// Rules begin and end at these, so all ports between two are decided alike.
static const uint16_t ends[] = {1, 2, 31, 32, 33, 63, 64, 443, 32767, 40000, 65503, 65504, 65535};

static struct text_scope scope_random(void)
{
	static const char *const prefixes[] = {"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16",
		"10.1.1.1/32", "64:ff9b::/96", "64:ff9b:1::/48", "64:ff9b:1:a01::/64", "::/0",
		"8.0.0.0/8"};
	struct text_scope s = {.port_max = 0};

	assert_int_equal(
		text_cidr_parse(prefixes[random() % (long)TP_ARRAY_LEN(prefixes)], &s.cidr), 0);
	if (random() % 4 != 0) {
		size_t low = (size_t)random() % TP_ARRAY_LEN(ends);

		s.port_min = ends[low];
		s.port_max = ends[low + (size_t)random() % (TP_ARRAY_LEN(ends) - low)];
	}
	return s;
}

// Of each end, the port before it and the one behind.
static enum policy_extent extent_by_judge(
	const struct policy *p, struct tp_addr peer, const struct tp_port_set *set)
{
	unsigned n = 0, allowed = 0;

	for (size_t i = 0; i < 3 * TP_ARRAY_LEN(ends); i++) {
		uint16_t port = (uint16_t)(ends[i / 3] + i % 3 - 1);
		bool is_allowed;

		if (port == 0)
			continue;
		peer.port_be = tp_htons(port);
		is_allowed = policy_judge(p, &peer, NULL) == POLICY_ALLOWED;
		n++;
		allowed += is_allowed;
		if (set != NULL)
			assert_int_equal(tp_port_set_has(set, port), is_allowed);
	}
	if (allowed == 0)
		return POLICY_PORTS_NONE;
	return allowed == n ? POLICY_PORTS_ALL : POLICY_PORTS_SOME;
}

static void set_agrees(const struct policy *p, const char *text)
{
	struct tp_addr peer = support_peer(text);
	struct tp_port_set set;
	enum policy_extent extent = policy_ports(p, &peer, &set);
	struct policy_decision d;

	assert_int_equal(
		extent_by_judge(p, peer, extent == POLICY_PORTS_SOME ? &set : NULL), extent);
	peer.port_be = 0;
	assert_int_equal(policy_judge(p, &peer, &d) == POLICY_ALLOWED, extent != POLICY_PORTS_NONE);
	assert_int_equal(d.some_ports, extent == POLICY_PORTS_SOME);
	if (extent == POLICY_PORTS_SOME)
		assert_false(tp_port_set_has(&set, 0));
}

static void random_sets_agree_with_judge(void **state)
{
	static const char *const peers[] = {"10.1.1.1", "10.1.2.3", "10.9.9.9", "8.8.8.8",
		"9.9.9.9", "64:ff9b::10.1.1.1", "64:ff9b::8.8.8.8",
		"64:ff9b:1:a01:1:100::", "2001:4860::1", "127.0.0.1", "224.0.0.1", "ff02::1"};
	unsigned seed = 20261129;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 1000; round++) {
		struct text_scope allow[RULES], deny[RULES];
		struct policy_config config = {
			.allow = allow, .n_allow = RULES, .deny = deny, .n_deny = RULES};
		struct policy *p;

		for (unsigned i = 0; i < RULES; i++) {
			allow[i] = scope_random();
			deny[i] = scope_random();
		}
		p = policy_create(&config);
		assert_non_null(p);
		for (size_t i = 0; i < TP_ARRAY_LEN(peers); i++)
			set_agrees(p, peers[i]);
		policy_destroy(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_decide),
		cmocka_unit_test(extents),
		cmocka_unit_test(random_sets_agree_with_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
