// SPDX-License-Identifier: BSD-3-Clause
// Every special range in every spelling, and the rules that open it.
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void public_addresses_are_allowed(void **state)
{
	static const char *const peers[] = {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0",
		"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255",
		"169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0",
		"192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
		"198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255",
		"203.0.114.0", "223.255.255.255", "168.63.129.15", "168.63.129.17",
		"::ffff:8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1",
		"2001:db9::1", "2003::1", "2000::1", "2606:4700:4700::1111", "3ffe::1",
		"3ffe:ffff::1", "3fff:1000::1"};
	struct policy *p = support_policy("", "", "");
	struct policy_decision d;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(peers); i++) {
		assert_int_equal(support_judge(p, peers[i], &d), POLICY_ALLOWED);
		assert_int_equal(d.origin, POLICY_BY_PUBLIC);
		assert_int_equal(d.rule.prefix_len, 0);
	}
	policy_destroy(p);
}

// First and last address of each range, and the forms that walked around other relays' lists:
// CVE-2020-26262 (0.0.0.0, ::1, ::), CVE-2026-27624 and CVE-2026-53450 (mapped), CVE-2026-73212
// (NAT64, 6to4, IPv4-compatible).
static const struct {
	const char *peer;
	const char *rule;
	bool never;
} denied[] = {
	{"0.0.0.0", "0.0.0.0/8", true},
	{"0.255.255.255", "0.0.0.0/8", true},
	{"127.0.0.1", "127.0.0.0/8", true},
	{"127.255.255.255", "127.0.0.0/8", true},
	{"224.0.0.0", "224.0.0.0/4", true},
	{"239.255.255.255", "224.0.0.0/4", true},
	{"255.255.255.255", "255.255.255.255/32", true},
	{"::", "::/128", true},
	{"::1", "::1/128", true},
	{"::2", "::/96", true},
	{"::7f00:1", "::/96", true},
	{"::8.8.8.8", "::/96", true},
	{"::255.255.255.255", "::/96", true},
	{"ff00::", "ff00::/8", true},
	{"ff02::1", "ff00::/8", true},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::/8", true},
	{"::ffff:127.0.0.1", "127.0.0.0/8", true},
	{"::ffff:0.0.0.0", "0.0.0.0/8", true},
	{"::ffff:10.0.0.1", "10.0.0.0/8", false},
	{"::ffff:169.254.169.254", "169.254.169.254/32", false},
	{"0:0:0:0:0:ffff:a9fe:a9fe", "169.254.169.254/32", false},
	{"10.0.0.0", "10.0.0.0/8", false},
	{"10.255.255.255", "10.0.0.0/8", false},
	{"100.64.0.0", "100.64.0.0/10", false},
	{"100.127.255.255", "100.64.0.0/10", false},
	{"100.100.100.200", "100.100.100.200/32", false},
	{"168.63.129.16", "168.63.129.16/32", false},
	{"169.254.0.0", "169.254.0.0/16", false},
	{"169.254.255.255", "169.254.0.0/16", false},
	{"169.254.169.254", "169.254.169.254/32", false},
	{"169.254.170.2", "169.254.170.2/32", false},
	{"169.254.170.23", "169.254.170.23/32", false},
	{"169.254.42.42", "169.254.42.42/32", false},
	{"169.254.169.123", "169.254.169.123/32", false},
	{"169.254.169.253", "169.254.169.253/32", false},
	{"172.16.0.0", "172.16.0.0/12", false},
	{"172.31.255.255", "172.16.0.0/12", false},
	{"192.0.0.0", "192.0.0.0/24", false},
	{"192.0.0.192", "192.0.0.192/32", false},
	{"192.0.0.255", "192.0.0.0/24", false},
	{"192.0.2.0", "192.0.2.0/24", false},
	{"192.0.2.255", "192.0.2.0/24", false},
	{"192.88.99.1", "192.88.99.0/24", false},
	{"192.168.0.0", "192.168.0.0/16", false},
	{"192.168.255.255", "192.168.0.0/16", false},
	{"198.18.0.0", "198.18.0.0/15", false},
	{"198.19.255.255", "198.18.0.0/15", false},
	{"198.51.100.1", "198.51.100.0/24", false},
	{"203.0.113.1", "203.0.113.0/24", false},
	{"240.0.0.0", "240.0.0.0/4", false},
	{"255.255.255.254", "240.0.0.0/4", false},
	{"::1:0:0:0", "::/3", false},
	{"1fff:ffff::1", "::/3", false},
	{"4000::1", "4000::/2", false},
	{"7fff::1", "4000::/2", false},
	{"8000::1", "8000::/1", false},
	{"fbff::1", "8000::/1", false},
	{"::ffff:0:8.8.8.8", "::ffff:0:0:0/96", false},
	{"::ffff:0:127.0.0.1", "::ffff:0:0:0/96", false},
	{"64:ff9b::7f00:1", "64:ff9b::/96", false},
	{"64:ff9b::8.8.8.8", "64:ff9b::/96", false},
	{"64:ff9b:1::10.0.0.1", "64:ff9b:1::/48", false},
	{"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:1::/48", false},
	{"64:ff9b:2::1", "::/3", false},
	{"100::1", "100::/64", false},
	{"2001::1", "2001::/32", false},
	{"2001:0:7f00:1::1", "2001::/32", false},
	{"2001:10::1", "2001:10::/28", false},
	{"2001:2f:ffff::1", "2001:20::/28", false},
	{"2001:1ff:ffff::1", "2001::/23", false},
	{"2001:db8::1", "2001:db8::/32", false},
	{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::/32", false},
	{"2002:7f00:1::1", "2002::/16", false},
	{"2002:808:808::1", "2002::/16", false},
	{"3fff::1", "3fff::/20", false},
	{"3fff:fff:ffff::1", "3fff::/20", false},
	{"5f00::1", "5f00::/16", false},
	{"fc00::1", "fc00::/7", false},
	{"fdff:ffff::1", "fc00::/7", false},
	{"fd00:ec2::254", "fd00:ec2::254/128", false},
	{"fd00:ec2::253", "fd00:ec2::253/128", false},
	{"fd00:ec2::123", "fd00:ec2::123/128", false},
	{"fd00:ec2::23", "fd00:ec2::23/128", false},
	{"fd00:42::42", "fd00:42::42/128", false},
	{"fd20:ce::254", "fd20:ce::254/128", false},
	{"fe80::1", "fe80::/10", false},
	{"febf:ffff::1", "fe80::/10", false},
	{"fe80::a9fe:a9fe", "fe80::a9fe:a9fe/128", false},
	{"fec0::1", "fec0::/10", false},
	{"feff:ffff::1", "fec0::/10", false},
};

static void special_addresses_are_denied(void **state)
{
	struct policy *p = support_policy("", "", "");
	struct policy_decision d;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(denied); i++) {
		char cidr[TEXT_ADDR_SIZE];

		assert_int_equal(support_judge(p, denied[i].peer, &d), POLICY_DENIED);
		assert_string_equal(text_cidr_format(&d.rule, cidr), denied[i].rule);
		assert_int_equal(d.origin, denied[i].never ? POLICY_BY_NEVER : POLICY_BY_BUILTIN);
		assert_false(d.embedded);
	}
	policy_destroy(p);
}

// Allowing everything opens no special range.
static void wide_allow_opens_nothing_special(void **state)
{
	struct policy *p = support_policy("0.0.0.0/0 ::/0 128.0.0.0/1", "", "");
	struct policy_decision d;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(denied); i++)
		assert_int_equal(support_judge(p, denied[i].peer, &d), POLICY_DENIED);
	policy_destroy(p);
}

// Naming each range opens all but "never"; naming the address does too, and never the others.
static void exact_allow_opens_all_but_never(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(denied); i++) {
		struct tp_addr ip = support_peer(denied[i].peer);
		struct policy_decision d;
		struct policy *p;
		bool embeds;

		p = support_policy(denied[i].rule, "", "");
		support_judge(p, denied[i].peer, &d);
		embeds = ip.family == TP_FAMILY_IPV6 && d.embedded;
		if (denied[i].never) {
			assert_int_equal(d.verdict, POLICY_DENIED);
			assert_int_equal(d.origin, POLICY_BY_NEVER);
		} else if (!embeds) {
			assert_int_equal(d.verdict, POLICY_ALLOWED);
			assert_int_equal(d.origin, POLICY_BY_ALLOW);
		}
		policy_destroy(p);
		p = support_policy(denied[i].peer, "", "");
		assert_int_equal(support_judge(p, denied[i].peer, &d) == POLICY_ALLOWED,
			!denied[i].never && !embeds &&
				strncmp(denied[i].peer, "64:ff9b:1:", 10) != 0);
		policy_destroy(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_addresses_are_allowed),
		cmocka_unit_test(special_addresses_are_denied),
		cmocka_unit_test(wide_allow_opens_nothing_special),
		cmocka_unit_test(exact_allow_opens_all_but_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
