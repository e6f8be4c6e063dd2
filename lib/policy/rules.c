// SPDX-License-Identifier: BSD-3-Clause
#include "rules.h"

#include <errno.h>
#include <stdlib.h>

#include "builtin.h"

static unsigned family_index(uint8_t family)
{
	return family == TP_FAMILY_IPV6;
}

static int rule_compare(const void *a, const void *b)
{
	const struct rule *x = a, *y = b;
	int c = (int)x->cidr.ip.family - (int)y->cidr.ip.family;

	if (c == 0)
		c = (int)x->cidr.prefix_len - (int)y->cidr.prefix_len;
	if (c == 0)
		c = memcmp(x->cidr.ip.ip, y->cidr.ip.ip, sizeof(x->cidr.ip.ip));
	if (c == 0)
		c = (x->port_max == 0) - (y->port_max == 0);
	return c != 0 ? c : (int)x->kind - (int)y->kind;
}

struct text_cidr rules_cidr_of(const char *text)
{
	struct text_cidr c;

	if (text_cidr_parse(text, &c) < 0)
		abort();
	return c;
}

static void rules_add(struct rules *r, const struct text_scope *list, size_t n, enum rule_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		struct rule *rule = &r->items[r->n++];

		*rule = (struct rule){.cidr = list[i].cidr, .kind = kind};
		if (!text_scope_has_ports(&list[i]))
			continue;
		rule->port_min = list[i].port_min;
		rule->port_max = list[i].port_max;
		r->has_ports = true;
	}
}

int rules_init(struct rules *r, const struct policy_config *config)
{
	const struct builtin_range *b = policy_builtin_denied;
	size_t n = config->n_deny + config->n_allow;

	*r = (struct rules){0};
	while (b->cidr != NULL)
		b++;
	r->items = calloc(n + (size_t)(b - policy_builtin_denied), sizeof(*r->items));
	if (r->items == NULL)
		return -ENOMEM;
	rules_add(r, config->deny, config->n_deny, KIND_DENY);
	rules_add(r, config->allow, config->n_allow, KIND_ALLOW);
	for (b = policy_builtin_denied; b->cidr != NULL; b++)
		r->items[r->n++] = (struct rule){
			.cidr = rules_cidr_of(b->cidr), .kind = KIND_BUILTIN, .reason = b->reason};
	qsort(r->items, r->n, sizeof(*r->items), rule_compare);
	for (size_t i = 0; i < r->n; i++) {
		const struct text_cidr *c = &r->items[i].cidr;
		struct rule_group *g = &r->groups[family_index(c->ip.family)][c->prefix_len];

		if (g->n++ == 0)
			g->first = i;
	}
	return 0;
}

void rules_fini(struct rules *r)
{
	free(r->items);
	r->items = NULL;
}

// The strongest rule of exactly this prefix length that holds the address.
static const struct rule *group_find(const struct rules *r, const struct rule_group *g,
	const struct tp_addr *ip, uint8_t prefix_len)
{
	const struct text_cidr want = text_cidr_make(ip, prefix_len);
	const struct rule *low = r->items + g->first, *end = low + g->n;
	size_t n = g->n;

	while (n > 0) {
		size_t half = n / 2;

		if (memcmp(low[half].cidr.ip.ip, want.ip.ip, sizeof(want.ip.ip)) < 0) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	if (low == end || memcmp(low->cidr.ip.ip, want.ip.ip, sizeof(want.ip.ip)) != 0)
		return NULL;
	return low;
}

const struct rule *rules_next(
	const struct rules *r, const struct tp_addr *ip, const struct rule *before)
{
	const struct rule_group *groups = r->groups[family_index(ip->family)];
	int len = (int)tp_family_ip_len(ip->family) * 8;

	if (before != NULL) {
		const struct rule *beside = before + 1;

		len = before->cidr.prefix_len;
		if (beside < r->items + r->n && beside->cidr.prefix_len == len &&
			tp_addr_same_ip(&beside->cidr.ip, &before->cidr.ip))
			return beside;
		len--;
	}
	for (; len >= 0; len--) {
		const struct rule *rule;

		if (groups[len].n == 0)
			continue;
		rule = group_find(r, &groups[len], ip, (uint8_t)len);
		if (rule != NULL)
			return rule;
	}
	return NULL;
}
