// SPDX-License-Identifier: BSD-3-Clause
// The operator's rules and the built-in denials in one table, by the prefix that they are about.
#pragma once

#include <policy/policy.h>

// The order is the precedence of equal prefixes, both with ports or both without.
enum rule_kind {
	KIND_DENY,
	KIND_ALLOW,
	KIND_BUILTIN,
};

struct rule {
	struct text_cidr cidr;
	uint16_t port_min; // inclusive
	uint16_t port_max; // 0: all ports
	enum rule_kind kind;
	const char *reason; // BUILTIN
};

// Rules of one family and prefix length stand together, sorted by address.
struct rule_group {
	size_t first;
	size_t n;
};

struct rules {
	struct rule *items;
	size_t n;
	bool has_ports;			  // some rule has
	struct rule_group groups[2][129]; // IPv4, IPv6; by prefix length
};

// Copies the rules. 0 or -ENOMEM.
int rules_init(struct rules *r, const struct policy_config *config);
void rules_fini(struct rules *r);

// The strongest rule that holds the address, and is weaker than `before` where that is not NULL:
// the most specific prefix first, of equal ones those with ports. NULL: none.
const struct rule *rules_next(
	const struct rules *r, const struct tp_addr *ip, const struct rule *before);

static inline bool rule_has_port(const struct rule *rule, uint16_t port)
{
	return rule->port_max == 0 || (port >= rule->port_min && port <= rule->port_max);
}

// Of the constant table of built-in ranges, which is tested: ends the process on a text that does
// not parse.
struct text_cidr rules_cidr_of(const char *text);
