// SPDX-License-Identifier: BSD-3-Clause
// The operator's rules, addresses inside addresses, own addresses; against a naive judge too.
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct case_row {
	const char *allow, *deny, *peer;
	enum policy_verdict verdict;
	enum policy_origin origin;
	const char *rule;
};

static const struct case_row cases[] = {
	// The lab: private ranges of both families are opened, the rest stays.
	{"10.77.0.0/16 fd77::/16", "", "10.77.2.2", POLICY_ALLOWED, POLICY_BY_ALLOW,
		"10.77.0.0/16"},
	{"10.77.0.0/16 fd77::/16", "", "::ffff:10.77.2.2", POLICY_ALLOWED, POLICY_BY_ALLOW,
		"10.77.0.0/16"},
	{"10.77.0.0/16 fd77::/16", "", "fd77:2::2", POLICY_ALLOWED, POLICY_BY_ALLOW, "fd77::/16"},
	{"10.77.0.0/16 fd77::/16", "", "10.78.0.1", POLICY_DENIED, POLICY_BY_BUILTIN, "10.0.0.0/8"},
	{"10.77.0.0/16 fd77::/16", "", "fd78::1", POLICY_DENIED, POLICY_BY_BUILTIN, "fc00::/7"},
	// The most specific wins, deny where equal.
	{"10.0.0.0/8", "10.0.0.0/8", "10.1.1.1", POLICY_DENIED, POLICY_BY_DENY, "10.0.0.0/8"},
	{"10.0.0.0/8", "10.1.0.0/16", "10.1.1.1", POLICY_DENIED, POLICY_BY_DENY, "10.1.0.0/16"},
	{"10.0.0.0/8", "10.1.0.0/16", "10.2.1.1", POLICY_ALLOWED, POLICY_BY_ALLOW, "10.0.0.0/8"},
	{"10.1.0.0/16", "10.0.0.0/8", "10.1.1.1", POLICY_ALLOWED, POLICY_BY_ALLOW, "10.1.0.0/16"},
	{"10.1.0.0/16", "10.0.0.0/8", "10.2.1.1", POLICY_DENIED, POLICY_BY_DENY, "10.0.0.0/8"},
	{"10.1.0.0/16 10.1.2.3", "10.1.2.0/24", "10.1.2.3", POLICY_ALLOWED, POLICY_BY_ALLOW,
		"10.1.2.3/32"},
	{"10.1.0.0/16 10.1.2.3", "10.1.2.0/24", "10.1.2.4", POLICY_DENIED, POLICY_BY_DENY,
		"10.1.2.0/24"},
	// A deny of everything makes a list of exceptions.
	{"198.17.0.0/16 2001:200::/32", "0.0.0.0/0 ::/0", "198.17.0.1", POLICY_ALLOWED,
		POLICY_BY_ALLOW, "198.17.0.0/16"},
	{"198.17.0.0/16 2001:200::/32", "0.0.0.0/0 ::/0", "8.8.8.8", POLICY_DENIED, POLICY_BY_DENY,
		"0.0.0.0/0"},
	{"198.17.0.0/16 2001:200::/32", "0.0.0.0/0 ::/0", "2001:200::1", POLICY_ALLOWED,
		POLICY_BY_ALLOW, "2001:200::/32"},
	{"198.17.0.0/16 2001:200::/32", "0.0.0.0/0 ::/0", "2001:4860::1", POLICY_DENIED,
		POLICY_BY_DENY, "::/0"},
	// One family's deny says nothing about the other.
	{"", "0.0.0.0/0", "2001:4860::1", POLICY_ALLOWED, POLICY_BY_PUBLIC, "::/0"},
	// Ranges that end inside a byte (compared byte by byte they would leak).
	{"", "8.8.0.0/13", "8.15.255.255", POLICY_DENIED, POLICY_BY_DENY, "8.8.0.0/13"},
	{"", "8.8.0.0/13", "8.16.0.0", POLICY_ALLOWED, POLICY_BY_PUBLIC, "0.0.0.0/0"},
	{"", "2a00:1450:8000::/33", "2a00:1450:ffff:0:1::", POLICY_DENIED, POLICY_BY_DENY,
		"2a00:1450:8000::/33"},
	{"", "2a00:1450:8000::/33", "2a00:1450:7fff:ffff::", POLICY_ALLOWED, POLICY_BY_PUBLIC,
		"::/0"},
	// A cloud's metadata service stays shut when the range around it is opened.
	{"169.254.0.0/16", "", "169.254.1.1", POLICY_ALLOWED, POLICY_BY_ALLOW, "169.254.0.0/16"},
	{"169.254.0.0/16", "", "169.254.169.254", POLICY_DENIED, POLICY_BY_BUILTIN,
		"169.254.169.254/32"},
	{"100.64.0.0/10", "", "100.100.100.200", POLICY_DENIED, POLICY_BY_BUILTIN,
		"100.100.100.200/32"},
	{"fc00::/7 fd00::/8 fd00:ec2::/32", "", "fd00:ec2::254", POLICY_DENIED, POLICY_BY_BUILTIN,
		"fd00:ec2::254/128"},
	{"fe80::/10", "", "fe80::a9fe:a9fe", POLICY_DENIED, POLICY_BY_BUILTIN,
		"fe80::a9fe:a9fe/128"},
	// Never.
	{"127.0.0.1 ::1 ff02::1 224.0.0.1 255.255.255.255 0.0.0.0", "", "127.0.0.1", POLICY_DENIED,
		POLICY_BY_NEVER, "127.0.0.0/8"},
	{"240.0.0.0/4", "", "255.255.255.255", POLICY_DENIED, POLICY_BY_NEVER,
		"255.255.255.255/32"},
	{"240.0.0.0/4", "", "250.0.0.1", POLICY_ALLOWED, POLICY_BY_ALLOW, "240.0.0.0/4"},
};

static void operator_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(cases); i++) {
		const struct case_row *c = &cases[i];
		struct policy *p = support_policy(c->allow, c->deny, "");
		struct policy_decision d;
		char cidr[TEXT_ADDR_SIZE];

		assert_int_equal(support_judge(p, c->peer, &d), c->verdict);
		assert_int_equal(d.origin, c->origin);
		assert_string_equal(text_cidr_format(&d.rule, cidr), c->rule);
		policy_destroy(p);
	}
}

// The verdict on the IPv4 address inside, once the IPv6 range around it is opened.
static const struct {
	const char *allow, *peer, *rule; // rule NULL: allowed
} embeds[] = {
	{"64:ff9b::/96", "64:ff9b::8.8.8.8", NULL},
	{"64:ff9b::/96", "64:ff9b::10.0.0.1", "10.0.0.0/8"},
	{"64:ff9b::/96", "64:ff9b::127.0.0.1", "127.0.0.0/8"},
	{"64:ff9b::/96", "64:ff9b::169.254.169.254", "169.254.169.254/32"},
	{"64:ff9b::/96", "64:ff9b::9.9.9.9", "9.9.9.0/24"},
	{"64:ff9b::/96", "64:ff9b::5.5.5.5", "5.5.5.5/32"},
	{"64:ff9b::/96 10.1.0.0/16", "64:ff9b::10.1.0.1", NULL},
	{"::ffff:0:0:0/96", "::ffff:0:8.8.8.8", NULL},
	{"::ffff:0:0:0/96", "::ffff:0:127.0.0.1", "127.0.0.0/8"},
	{"2002::/16", "2002:808:808::1", NULL},
	{"2002::/16", "2002:7f00:1::1", "127.0.0.0/8"},
	{"2002::/16", "2002:a00:1::1", "10.0.0.0/8"},
	{"2002:a00:1::/48", "2002:a00:1::1", "10.0.0.0/8"},
	// Teredo: server 8.8.8.8 or 10.0.0.1, client 8.8.4.4 or 127.0.0.1 inverted.
	{"2001::/32", "2001:0:808:808:0:0:f7f7:fbfb", NULL},
	{"2001::/32", "2001:0:a00:1:0:0:f7f7:fbfb", "10.0.0.0/8"},
	{"2001::/32", "2001:0:808:808:0:0:80ff:fffe", "127.0.0.0/8"},
	// RFC 6052 2.2 and 2.4, with 8.8.4.4 and 10.0.0.1 at each place.
	{"64:ff9b:1::/48", "64:ff9b:1:808:4:400::", NULL},
	{"64:ff9b:1::/48", "64:ff9b:1:a00:0:100::", "10.0.0.0/8"},
	{"64:ff9b:1:a00::/56", "64:ff9b:1:a08:8:404::", NULL},
	{"64:ff9b:1:a00::/56", "64:ff9b:1:a0a:0:1::", "10.0.0.0/8"},
	{"64:ff9b:1:1::/64", "64:ff9b:1:1:8:804:400::", NULL},
	{"64:ff9b:1:1::/64", "64:ff9b:1:1:a:0:100::", "10.0.0.0/8"},
	{"64:ff9b:1:1::/96", "64:ff9b:1:1::8.8.4.4", NULL},
	{"64:ff9b:1:1::/96", "64:ff9b:1:1::10.0.0.1", "10.0.0.0/8"},
	// Nobody knows where it stands.
	{"64:ff9b:1::/50", "64:ff9b:1:808:4:400::", "64:ff9b:1::/50"},
	{"64:ff9b:1::/128", "64:ff9b:1::", "64:ff9b:1::/128"},
};

static void embedded_ipv4_decides(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(embeds); i++) {
		struct policy *p = support_policy(embeds[i].allow, "9.9.9.0/24", "5.5.5.5");
		struct policy_decision d;
		char cidr[TEXT_ADDR_SIZE];

		support_judge(p, embeds[i].peer, &d);
		assert_int_equal(
			d.verdict, embeds[i].rule == NULL ? POLICY_ALLOWED : POLICY_DENIED);
		if (embeds[i].rule != NULL)
			assert_string_equal(text_cidr_format(&d.rule, cidr), embeds[i].rule);
		policy_destroy(p);
	}
}

static void own_addresses_are_own(void **state)
{
	static const char *const peers[] = {
		"10.77.0.1", "::ffff:10.77.0.1", "fd77::1", "198.51.100.7", "8.8.8.8"};
	struct policy *p = support_policy("10.0.0.0/8 8.8.8.8", "8.8.8.8 10.77.0.1",
		"10.77.0.1 fd77::1 198.51.100.7 8.8.8.8");
	struct policy_decision d;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(peers); i++) {
		assert_int_equal(support_judge(p, peers[i], &d), POLICY_OWN);
		assert_int_equal(d.origin, POLICY_BY_OWN);
	}
	assert_int_equal(support_judge(p, "10.77.0.2", &d), POLICY_ALLOWED);
	policy_destroy(p);
}

static void no_address_is_denied(void **state)
{
	struct tp_addr none = {.family = TP_FAMILY_NONE}, odd = {.family = 9};
	struct policy *p = support_policy("0.0.0.0/0 ::/0", "", "");

	(void)state;
	assert_int_equal(policy_judge(p, &none, NULL), POLICY_DENIED);
	assert_int_equal(policy_judge(p, &odd, NULL), POLICY_DENIED);
	policy_destroy(p);
}

static void decisions_read_well(void **state)
{
	static const struct {
		const char *peer, *text;
	} rows[] = {
		{"8.8.8.8", "allowed: a public address"},
		{"10.0.0.1", "denied: in 10.0.0.0/8, private (RFC 1918); peers.allow opens it"},
		{"127.0.0.1", "denied: in 127.0.0.0/8, loopback (RFC 1122); nothing opens it"},
		{"9.9.9.9", "denied: in 9.9.9.0/24, peers.deny"},
		{"192.168.7.7", "allowed: in 192.168.7.0/24, peers.allow"},
		{"5.5.5.5", "own: in 5.5.5.5/32, this relay"},
		{"64:ff9b::10.0.0.1", "denied: holds an address of 10.0.0.0/8, private (RFC 1918); "
				      "peers.allow opens it"},
		{"64:ff9b::5.5.5.5", "denied: holds an address of 5.5.5.5/32, this relay"},
	};
	struct policy *p = support_policy("192.168.7.0/24 64:ff9b::/96", "9.9.9.0/24", "5.5.5.5");

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct policy_decision d;
		char text[POLICY_TEXT_SIZE];

		support_judge(p, rows[i].peer, &d);
		assert_string_equal(policy_decision_format(&d, text, sizeof(text)), rows[i].text);
	}
	policy_destroy(p);
}

static void useless_allow_is_known(void **state)
{
	static const char *const useless[] = {"127.0.0.0/8", "127.0.0.1", "0.0.0.0/8",
		"224.0.0.0/8", "255.255.255.255", "::1", "::", "::/96", "::8.8.8.8", "ff02::/16",
		"::ffff:127.0.0.1"};
	static const char *const useful[] = {
		"10.0.0.0/8", "0.0.0.0/0", "::/0", "240.0.0.0/4", "fd77::/16", "8.8.8.8", "::/95"};
	struct text_cidr c;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(useless); i++) {
		assert_int_equal(text_cidr_parse(useless[i], &c), 0);
		assert_non_null(policy_never_opens(&c));
	}
	for (size_t i = 0; i < TP_ARRAY_LEN(useful); i++) {
		assert_int_equal(text_cidr_parse(useful[i], &c), 0);
		assert_null(policy_never_opens(&c));
	}
}

// Clauses: 8656 21.4-1
static void tunnel_clients(void **state)
{
	static const struct {
		const char *client;
		bool tunnel;
	} rows[] = {{"2001::1", true}, {"2001:0:ffff::1", true}, {"2002::1", true},
		{"2002:ffff::1", true}, {"2001:1::1", false}, {"2003::1", false},
		{"2001:4860::1", false}, {"32.1.0.0", false}, {"32.2.0.0", false}};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct tp_addr a = support_peer(rows[i].client);

		assert_int_equal(policy_client_is_tunnel(&a), rows[i].tunnel);
	}
}

// Random rules against a judge that looks at all of them.
static enum policy_verdict naive_judge(const struct text_scope *allow, size_t n_allow,
	const struct text_scope *deny, size_t n_deny, const struct tp_addr *ip)
{
	int best_allow = -1, best_deny = -1;

	for (size_t i = 0; i < n_allow; i++) {
		if (text_cidr_contains(&allow[i].cidr, ip) && allow[i].cidr.prefix_len > best_allow)
			best_allow = allow[i].cidr.prefix_len;
	}
	for (size_t i = 0; i < n_deny; i++) {
		if (text_cidr_contains(&deny[i].cidr, ip) && deny[i].cidr.prefix_len > best_deny)
			best_deny = deny[i].cidr.prefix_len;
	}
	return best_deny >= 0 && best_deny >= best_allow ? POLICY_DENIED : POLICY_ALLOWED;
}

#define RANDOM_RULES 2000u

static void random_rules_agree_with_naive(void **state)
{
	static struct text_scope allow[RANDOM_RULES], deny[RANDOM_RULES];
	struct policy_config config = {
		.allow = allow, .n_allow = RANDOM_RULES, .deny = deny, .n_deny = RANDOM_RULES};
	unsigned seed = 20261102, n_denied = 0;
	struct policy *p;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (size_t i = 0; i < 2 * RANDOM_RULES; i++) {
		// In 32.0.0.0/8 and 2a00::/16, which are public.
		uint8_t ip[16] = {0x2a, 0};
		struct tp_addr a;

		for (size_t k = 2; k < 16; k++)
			ip[k] = (uint8_t)(random() % 3 == 0 ? random() : 0);
		a = i % 4 < 2 ? tp_addr_ipv4(0x20000000u | (uint32_t)random() % 0x1000000, 0)
			      : tp_addr_ipv6(ip, 0);
		(i % 2 == 0 ? &allow[i / 2] : &deny[i / 2])->cidr = text_cidr_make(
			&a, (uint8_t)(8 + random() % (a.family == TP_FAMILY_IPV4 ? 25 : 121)));
	}
	p = policy_create(&config);
	assert_non_null(p);
	for (size_t i = 0; i < 20000; i++) {
		struct tp_addr a = i % 2 == 0 ? allow[random() % RANDOM_RULES].cidr.ip
					      : deny[random() % RANDOM_RULES].cidr.ip;
		enum policy_verdict want;

		a.ip[random() % tp_family_ip_len(a.family)] ^= (uint8_t)(1 << random() % 8);
		a.ip[0] = a.family == TP_FAMILY_IPV4 ? 0x20 : 0x2a;
		want = naive_judge(allow, RANDOM_RULES, deny, RANDOM_RULES, &a);
		assert_int_equal(policy_judge(p, &a, NULL), want);
		n_denied += want == POLICY_DENIED;
	}
	assert_in_range(n_denied, 2000, 18000);
	policy_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operator_rules),
		cmocka_unit_test(embedded_ipv4_decides),
		cmocka_unit_test(own_addresses_are_own),
		cmocka_unit_test(no_address_is_denied),
		cmocka_unit_test(decisions_read_well),
		cmocka_unit_test(useless_allow_is_known),
		cmocka_unit_test(tunnel_clients),
		cmocka_unit_test(random_rules_agree_with_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
