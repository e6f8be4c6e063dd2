// SPDX-License-Identifier: BSD-3-Clause
#include <policy/policy.h>

#include "builtin.h"
#include "parts.h"
#include "ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int addr_compare(const void *a, const void *b)
{
	const struct tp_addr *x = a, *y = b;
	int c = (int)x->family - (int)y->family;

	return c != 0 ? c : memcmp(x->ip, y->ip, sizeof(x->ip));
}

static void never_fill(struct policy *p)
{
	for (const struct builtin_range *r = policy_builtin_never; r->cidr != NULL; r++)
		p->never[p->n_never++] =
			(struct rule){.cidr = rules_cidr_of(r->cidr), .reason = r->reason};
}

static size_t ranges_count(const struct builtin_range *r)
{
	size_t n = 0;

	while (r[n].cidr != NULL)
		n++;
	return n;
}

struct policy *policy_create(const struct policy_config *config)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->never = calloc(ranges_count(policy_builtin_never), sizeof(*p->never));
	p->own = calloc(config->n_own + 1, sizeof(*p->own));
	if (p->never == NULL || p->own == NULL || rules_init(&p->rules, config) < 0) {
		policy_destroy(p);
		errno = ENOMEM;
		return NULL;
	}
	for (size_t i = 0; i < config->n_own; i++)
		p->own[p->n_own++] = config->own[i];
	qsort(p->own, p->n_own, sizeof(*p->own), addr_compare);
	never_fill(p);
	return p;
}

void policy_destroy(struct policy *p)
{
	if (p == NULL)
		return;
	free(p->never);
	rules_fini(&p->rules);
	free(p->own);
	free(p);
}

static const struct rule *never_find(const struct policy *p, const struct tp_addr *ip)
{
	for (size_t i = 0; i < p->n_never; i++) {
		if (text_cidr_contains(&p->never[i].cidr, ip))
			return &p->never[i];
	}
	return NULL;
}

const char *policy_never_opens(const struct text_cidr *allow)
{
	for (const struct builtin_range *r = policy_builtin_never; r->cidr != NULL; r++) {
		struct text_cidr range = rules_cidr_of(r->cidr);

		if (range.prefix_len <= allow->prefix_len && text_cidr_contains(&range, &allow->ip))
			return r->reason;
	}
	return NULL;
}

int policy_embedded_find(const struct tp_addr *ip, uint8_t prefix_len, struct tp_addr out[2])
{
	const struct builtin_embed *e = policy_builtin_embeds;
	const uint8_t *o = ip->ip;

	for (; e->cidr != NULL; e++) {
		struct text_cidr range = rules_cidr_of(e->cidr);

		if (text_cidr_contains(&range, ip))
			break;
	}
	if (e->cidr == NULL)
		return 0;
	if (e->embedding == BUILTIN_6TO4) {
		out[0] = tp_addr_ipv4(tp_load_be32(o + 2), 0);
		return 1;
	}
	if (e->embedding == BUILTIN_TEREDO) {
		out[0] = tp_addr_ipv4(tp_load_be32(o + 4), 0);
		out[1] = tp_addr_ipv4(~tp_load_be32(o + 12), 0);
		return 2;
	}
	if (e->embedding == BUILTIN_LAST || prefix_len == 96)
		out[0] = tp_addr_ipv4(tp_load_be32(o + 12), 0);
	else if (prefix_len == 48)
		out[0] = tp_addr_ipv4((uint32_t)tp_load_be16(o + 6) << 16 | tp_load_be16(o + 9), 0);
	else if (prefix_len == 56)
		out[0] = tp_addr_ipv4((uint32_t)o[7] << 24 | (tp_load_be32(o + 8) & 0xffffff), 0);
	else if (prefix_len == 64)
		out[0] = tp_addr_ipv4(tp_load_be32(o + 9), 0);
	else
		return -EINVAL;
	return 1;
}

static void decide(struct policy_decision *d, enum policy_verdict verdict,
	enum policy_origin origin, const struct text_cidr *rule, const char *reason)
{
	*d = (struct policy_decision){
		.verdict = verdict, .origin = origin, .rule = *rule, .reason = reason};
}

// `rule` NULL: none holds the address.
static void decide_by_rule(
	struct policy_decision *d, const struct rule *rule, const struct tp_addr *ip)
{
	struct text_cidr all = text_cidr_make(ip, 0);

	if (rule == NULL) {
		decide(d, POLICY_ALLOWED, POLICY_BY_PUBLIC, &all, "public");
		return;
	}
	if (rule->kind == KIND_ALLOW)
		decide(d, POLICY_ALLOWED, POLICY_BY_ALLOW, &rule->cidr, "peers.allow");
	else if (rule->kind == KIND_DENY)
		decide(d, POLICY_DENIED, POLICY_BY_DENY, &rule->cidr, "peers.deny");
	else
		decide(d, POLICY_DENIED, POLICY_BY_BUILTIN, &rule->cidr, rule->reason);
	d->port_min = rule->port_min;
	d->port_max = rule->port_max;
}

bool policy_judge_fixed(const struct policy *p, const struct tp_addr *ip, struct policy_decision *d)
{
	const struct rule *rule;
	struct text_cidr range;

	if (bsearch(ip, p->own, p->n_own, sizeof(*p->own), addr_compare) != NULL) {
		range = text_cidr_make(ip, (uint8_t)(tp_family_ip_len(ip->family) * 8));
		decide(d, POLICY_OWN, POLICY_BY_OWN, &range, "this relay");
		return true;
	}
	rule = never_find(p, ip);
	if (rule != NULL)
		decide(d, POLICY_DENIED, POLICY_BY_NEVER, &rule->cidr, rule->reason);
	return rule != NULL;
}

// All rules except those about an IPv4 address inside an IPv6 one. Port 0: rules with ports decide
// nothing.
static void judge_plain(
	const struct policy *p, const struct tp_addr *ip, uint16_t port, struct policy_decision *d)
{
	const struct rule *rule = NULL;

	if (policy_judge_fixed(p, ip, d))
		return;
	do {
		rule = rules_next(&p->rules, ip, rule);
	} while (rule != NULL && !rule_has_port(rule, port));
	decide_by_rule(d, rule, ip);
}

static void judge_embedded(
	const struct policy *p, const struct tp_addr *ip, uint16_t port, struct policy_decision *d)
{
	struct tp_addr inside[2];
	int n = policy_embedded_find(ip, d->rule.prefix_len, inside);

	if (n < 0)
		decide(d, POLICY_DENIED, POLICY_BY_NEVER, &d->rule,
			"NAT64 that is allowed by a prefix of no length of RFC 6052");
	for (int i = 0; i < n && d->verdict == POLICY_ALLOWED; i++) {
		struct policy_decision inner;

		judge_plain(p, &inside[i], port, &inner);
		if (inner.verdict == POLICY_ALLOWED)
			continue;
		*d = inner;
		d->verdict = POLICY_DENIED;
		d->embedded = true;
	}
}

// ---- judging ------------------------------------------------------------------------------------

static void judge(
	const struct policy *p, const struct tp_addr *ip, uint16_t port, struct policy_decision *d)
{
	judge_plain(p, ip, port, d);
	if (d->origin == POLICY_BY_ALLOW && ip->family == TP_FAMILY_IPV6)
		judge_embedded(p, ip, port, d);
}

// By the address, where rules name ports.
static void judge_ip(const struct policy *p, const struct tp_addr *ip, struct policy_decision *d)
{
	struct tp_port_set set;
	enum policy_extent extent;

	judge(p, ip, 0, d);
	if (d->verdict == POLICY_OWN)
		return;
	if (!ports_extent_by_rules(p, ip, d, &extent))
		extent = ports_set_make(p, ip, &set);
	if ((extent == POLICY_PORTS_ALL && d->verdict == POLICY_ALLOWED) ||
		(extent == POLICY_PORTS_NONE && d->verdict == POLICY_DENIED))
		return;
	// Ranges of ports that are none or all together, too.
	decide_by_rule(d, rules_next(&p->rules, ip, NULL), ip);
	d->verdict = extent == POLICY_PORTS_NONE ? POLICY_DENIED : POLICY_ALLOWED;
	d->some_ports = extent == POLICY_PORTS_SOME;
}

// As the policy sees it, port 0. False: it is none.
static bool ip_of(const struct tp_addr *peer, struct tp_addr *ip)
{
	*ip = *peer;
	if (ip->family == TP_FAMILY_IPV6)
		*ip = tp_addr_ipv6(peer->ip, 0); // in case the caller has not folded it
	ip->port_be = 0;
	return ip->family == TP_FAMILY_IPV4 || ip->family == TP_FAMILY_IPV6;
}

enum policy_verdict policy_judge(
	const struct policy *p, const struct tp_addr *peer, struct policy_decision *why)
{
	struct policy_decision d;
	struct tp_addr ip;

	if (!ip_of(peer, &ip)) {
		struct text_cidr none = {.ip = {.family = TP_FAMILY_NONE}};

		decide(&d, POLICY_DENIED, POLICY_BY_NEVER, &none, "no address");
	} else if (peer->port_be == 0 && p->rules.has_ports) {
		judge_ip(p, &ip, &d);
	} else {
		judge(p, &ip, tp_addr_port(peer), &d);
	}
	if (why != NULL)
		*why = d;
	return d.verdict;
}

bool policy_has_ports(const struct policy *p)
{
	return p->rules.has_ports;
}

enum policy_extent policy_ports(
	const struct policy *p, const struct tp_addr *peer, struct tp_port_set *set)
{
	enum policy_extent extent;
	struct policy_decision d;
	struct tp_addr ip;

	if (!ip_of(peer, &ip))
		return POLICY_PORTS_NONE;
	judge(p, &ip, 0, &d);
	if (p->rules.has_ports &&
		(!ports_extent_by_rules(p, &ip, &d, &extent) || extent == POLICY_PORTS_SOME))
		return ports_set_make(p, &ip, set);
	return d.verdict == POLICY_ALLOWED ? POLICY_PORTS_ALL : POLICY_PORTS_NONE;
}

static struct policy_decision never(const struct tp_addr *peer, const char *reason)
{
	return (struct policy_decision){
		.verdict = POLICY_DENIED,
		.origin = POLICY_BY_NEVER,
		.rule = text_cidr_make(peer, (uint8_t)(8 * tp_family_ip_len(peer->family))),
		.reason = reason,
	};
}

struct policy_decision policy_broadcast(const struct tp_addr *peer)
{
	return never(peer, "the broadcast address of a network of this host");
}

struct policy_decision policy_host(const struct tp_addr *peer)
{
	return never(peer, "an address of this host");
}

const char *policy_decision_format(const struct policy_decision *d, char *buf, size_t size)
{
	static const char *const verdicts[] = {
		[POLICY_ALLOWED] = "allowed",
		[POLICY_DENIED] = "denied",
		[POLICY_OWN] = "own",
	};
	const struct text_scope rule = {
		.cidr = d->rule, .port_min = d->port_min, .port_max = d->port_max};
	const char *remedy = "";
	char scope[TEXT_ADDR_SIZE];

	text_scope_format(&rule, scope);
	if (d->some_ports) {
		snprintf(buf, size, "allowed on some ports: rules with ports, such as %s, %s",
			scope, d->reason);
		return buf;
	}
	if (d->origin == POLICY_BY_PUBLIC) {
		snprintf(buf, size, "allowed: a public address");
		return buf;
	}
	if (d->origin == POLICY_BY_NEVER)
		remedy = "; nothing opens it";
	else if (d->origin == POLICY_BY_BUILTIN)
		remedy = "; peers.allow opens it";
	snprintf(buf, size, "%s: %s %s, %s%s", verdicts[d->verdict],
		d->embedded ? "holds an address of" : "in", scope, d->reason, remedy);
	return buf;
}

bool policy_client_is_tunnel(const struct tp_addr *client)
{
	static const struct text_cidr teredo = {
		.ip = {.ip = {0x20, 0x01}, .family = TP_FAMILY_IPV6}, .prefix_len = 32};
	static const struct text_cidr six_to_four = {
		.ip = {.ip = {0x20, 0x02}, .family = TP_FAMILY_IPV6}, .prefix_len = 16};

	return text_cidr_contains(&teredo, client) || text_cidr_contains(&six_to_four, client);
}
