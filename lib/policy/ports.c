// SPDX-License-Identifier: BSD-3-Clause
#include "ports.h"

#include "parts.h"

#include <string.h>

static uint32_t word_between(unsigned word, unsigned min, unsigned max)
{
	unsigned first = 32 * word, last = first + 31;

	if (max < first || min > last)
		return 0;
	return (min > first ? ~0u << (min - first) : ~0u) &
	       (max < last ? ~0u >> (last - max) : ~0u);
}

static void ports_collect(
	const struct policy *p, const struct tp_addr *ip, struct tp_port_set *set);

// Takes out of the set of an IPv6 address that a rule with this prefix opened the ports that the
// IPv4 addresses inside don't have.
static void ports_narrow(const struct policy *p, const struct tp_addr *ip, uint8_t prefix_len,
	struct tp_port_set *set)
{
	struct tp_addr inside[2];
	int n = ip->family == TP_FAMILY_IPV6 ? policy_embedded_find(ip, prefix_len, inside) : 0;
	struct tp_port_set inner;

	if (n < 0)
		memset(set, 0, sizeof(*set));
	for (int i = 0; i < n; i++) {
		ports_collect(p, &inside[i], &inner);
		for (unsigned w = 0; w < TP_PORT_WORDS; w++)
			set->bits[w] &= inner.bits[w];
	}
}

// Each rule decides the ports that no stronger one did.
static void ports_collect(const struct policy *p, const struct tp_addr *ip, struct tp_port_set *set)
{
	struct tp_port_set decided = {.bits = {1}};
	const struct rule *rule = NULL;
	struct policy_decision d;

	memset(set, 0, sizeof(*set));
	if (policy_judge_fixed(p, ip, &d))
		return;
	do {
		unsigned min = 0, max = UINT16_MAX;
		struct tp_port_set by_rule = {0};

		rule = rules_next(&p->rules, ip, rule);
		if (rule != NULL && rule->port_max != 0) {
			min = rule->port_min;
			max = rule->port_max;
		}
		for (unsigned w = min / 32; w <= max / 32; w++)
			by_rule.bits[w] = ~decided.bits[w];
		by_rule.bits[min / 32] &= word_between(min / 32, min, max);
		by_rule.bits[max / 32] &= word_between(max / 32, min, max);
		for (unsigned w = min / 32; w <= max / 32; w++)
			decided.bits[w] |= by_rule.bits[w];
		if (rule != NULL && rule->kind != KIND_ALLOW)
			continue;
		if (rule != NULL)
			ports_narrow(p, ip, rule->cidr.prefix_len, &by_rule);
		for (unsigned w = min / 32; w <= max / 32; w++)
			set->bits[w] |= by_rule.bits[w];
	} while (rule != NULL && rule->port_max != 0);
}

enum policy_extent ports_set_make(
	const struct policy *p, const struct tp_addr *ip, struct tp_port_set *set)
{
	uint32_t any = 0, all = ~0u;

	ports_collect(p, ip, set);
	for (unsigned w = 0; w < TP_PORT_WORDS; w++) {
		any |= set->bits[w];
		all &= set->bits[w] | (w == 0); // no set has port 0
	}
	if (any == 0)
		return POLICY_PORTS_NONE;
	return all == ~0u ? POLICY_PORTS_ALL : POLICY_PORTS_SOME;
}

// The rules with ports that may decide about an address, and about the IPv4 addresses inside.
struct ports_ruled {
	uint64_t n; // ports of all of them, those of two rules twice
	bool allows, denies;
	bool inside; // there are addresses inside that count
};

static void ports_ruled_add(
	const struct policy *p, const struct tp_addr *ip, struct ports_ruled *ruled)
{
	const struct rule *rule = NULL;

	do {
		struct tp_addr inside[2];
		int n = 0;

		rule = rules_next(&p->rules, ip, rule);
		if (rule != NULL && rule->port_max != 0) {
			ruled->n += rule->port_max - rule->port_min + 1u;
			ruled->allows |= rule->kind == KIND_ALLOW;
			ruled->denies |= rule->kind == KIND_DENY;
		}
		if (rule != NULL && rule->kind == KIND_ALLOW && ip->family == TP_FAMILY_IPV6)
			n = policy_embedded_find(ip, rule->cidr.prefix_len, inside);
		ruled->inside |= n != 0;
		for (int i = 0; i < n; i++)
			ports_ruled_add(p, &inside[i], ruled);
	} while (rule != NULL && rule->port_max != 0);
}

bool ports_extent_by_rules(const struct policy *p, const struct tp_addr *ip,
	const struct policy_decision *d, enum policy_extent *extent)
{
	const struct rule *strongest = rules_next(&p->rules, ip, NULL);
	bool is_allowed = d->verdict == POLICY_ALLOWED;
	struct ports_ruled ruled = {0};
	struct policy_decision fixed;

	// No rule opens these.
	if (policy_judge_fixed(p, ip, &fixed)) {
		*extent = POLICY_PORTS_NONE;
		return true;
	}
	ports_ruled_add(p, ip, &ruled);
	if (is_allowed ? !ruled.denies && !ruled.inside : !ruled.allows) {
		*extent = is_allowed ? POLICY_PORTS_ALL : POLICY_PORTS_NONE;
		return true;
	}
	*extent = POLICY_PORTS_SOME;
	return !ruled.inside && ruled.n < UINT16_MAX &&
	       is_allowed != (strongest->kind == KIND_ALLOW);
}
