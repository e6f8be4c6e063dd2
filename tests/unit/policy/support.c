// SPDX-License-Identifier: BSD-3-Clause
#include "support.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define LIST_MAX 16u

struct lists {
	struct text_scope scopes[LIST_MAX];
	size_t n;
};

// "10.0.0.0/8:5000-6000", "[fd77::/16]:443", "fd77::/16"
static struct text_scope scope_of(char *text)
{
	struct text_scope s = {.port_max = 0};
	char *ports = strstr(text, "]:");

	if (text[0] == '[') {
		assert_non_null(ports);
		*ports++ = '\0';
		text++;
	} else if (strchr(text, ':') == strrchr(text, ':')) {
		ports = strchr(text, ':');
	}
	if (ports != NULL) {
		*ports++ = '\0';
		assert_int_equal(text_ports_parse(ports, &s.port_min, &s.port_max), 0);
	}
	assert_int_equal(text_cidr_parse(text, &s.cidr), 0);
	return s;
}

// Scopes, separated by blanks.
static struct lists lists_of(const char *text)
{
	struct lists l = {.n = 0};
	char copy[512], *word, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strtok_r(rest, " ", &rest)) != NULL) {
		assert_true(l.n < LIST_MAX);
		l.scopes[l.n++] = scope_of(word);
	}
	return l;
}

struct policy *support_policy(const char *allow, const char *deny, const char *own)
{
	struct lists a = lists_of(allow), d = lists_of(deny), o = lists_of(own);
	struct tp_addr ips[LIST_MAX];
	struct policy_config config = {
		.own = ips,
		.n_own = o.n,
		.allow = a.scopes,
		.n_allow = a.n,
		.deny = d.scopes,
		.n_deny = d.n,
	};
	struct policy *p;

	for (size_t i = 0; i < o.n; i++) {
		ips[i] = o.scopes[i].cidr.ip;
		ips[i].port_be = tp_htons(3478);
	}
	p = policy_create(&config);
	assert_non_null(p);
	return p;
}

struct tp_addr support_peer(const char *text)
{
	struct tp_addr a = {.port_be = tp_htons(4000), .family = TP_FAMILY_IPV6};

	if (inet_pton(AF_INET, text, a.ip) == 1) {
		a.family = TP_FAMILY_IPV4;
		memset(a.ip + 4, 0, 12);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, a.ip), 1);
	}
	return a;
}

enum policy_verdict support_judge(
	const struct policy *p, const char *peer, struct policy_decision *d)
{
	struct tp_addr a = support_peer(peer);
	char text[POLICY_TEXT_SIZE];
	enum policy_verdict v = policy_judge(p, &a, d);

	print_message("%s %s\n", peer, policy_decision_format(d, text, sizeof(text)));
	assert_int_equal(v, d->verdict);
	assert_int_equal(policy_judge(p, &a, NULL), v);
	return v;
}
