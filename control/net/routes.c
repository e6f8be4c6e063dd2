// SPDX-License-Identifier: BSD-3-Clause
#include "routes.h"

#include <errno.h>
#include <stdlib.h>

#include <turnpike/siphash.h>

struct route {
	struct route *next; // higher metric, or younger
	uint32_t metric;
	uint32_t round;
	bool forbidden;
	uint32_t nexthop; // id of an object instead of hops; 0: none
	unsigned n_hops;
	struct net_hop_record hops[];
};

struct prefix {
	struct net_map_node node; // first: a node is its prefix
	struct tp_addr ip;
	uint8_t len;
	struct route *routes; // never empty
};

static unsigned family_index(const struct tp_addr *a)
{
	return a->family == TP_FAMILY_IPV6 ? 1 : 0;
}

static struct tp_addr ip_masked(const struct tp_addr *a, unsigned len)
{
	struct tp_addr m = *a;

	m.port_be = 0;
	for (unsigned i = 0; i < sizeof(m.ip); i++) {
		unsigned kept = len >= 8 * (i + 1) ? 8 : len > 8 * i ? len - 8 * i : 0;

		m.ip[i] &= (uint8_t)(0xff00u >> kept);
	}
	return m;
}

static struct prefix *prefix_find(
	const struct net_routes *t, const struct tp_addr *ip, uint8_t len, uint64_t *hash)
{
	struct tp_addr key = ip_masked(ip, len);
	struct net_map_node *node = NULL;

	key.reserved = len;
	*hash = tp_siphash24(t->key, &key, sizeof(key));
	key.reserved = 0;
	while ((node = net_map_find(&t->prefixes, *hash, node)) != NULL) {
		struct prefix *p = (struct prefix *)node;

		if (p->len == len && tp_addr_equal(&p->ip, &key))
			return p;
	}
	return NULL;
}

static void routes_free(struct route *r)
{
	while (r != NULL) {
		struct route *next = r->next;

		free(r);
		r = next;
	}
}

static bool prefix_drop(void *ctx, struct net_map_node *node)
{
	struct prefix *p = (struct prefix *)node;

	(void)ctx;
	routes_free(p->routes);
	free(p);
	return false;
}

void net_routes_init(struct net_routes *t, const uint8_t key[16])
{
	*t = (struct net_routes){0};
	memcpy(t->key, key, sizeof(t->key));
}

void net_routes_fini(struct net_routes *t)
{
	net_map_filter(&t->prefixes, prefix_drop, NULL);
	net_map_fini(&t->prefixes);
}

static bool hops_lead_alike(const struct route *a, const struct net_route_record *b)
{
	if (a->forbidden != b->forbidden || a->nexthop != b->nexthop || a->n_hops != b->n_hops)
		return false;
	for (unsigned i = 0; i < a->n_hops; i++) {
		if (a->hops[i].ifindex != b->hops[i].ifindex ||
			!tp_addr_equal(&a->hops[i].gateway, &b->hops[i].gateway))
			return false;
	}
	return true;
}

static struct prefix *prefix_make(
	struct net_routes *t, const struct net_route_record *r, uint64_t hash)
{
	struct prefix *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->ip = ip_masked(&r->prefix, r->prefix_len);
	p->len = r->prefix_len;
	if (net_map_add(&t->prefixes, &p->node, hash) < 0) {
		free(p);
		return NULL;
	}
	t->lengths[family_index(&p->ip)][p->len]++;
	return p;
}

static struct route *route_make(const struct net_route_record *r, uint32_t round)
{
	struct route *new = malloc(sizeof(*new) + r->n_hops * sizeof(r->hops[0]));

	if (new == NULL)
		return NULL;
	*new = (struct route){.metric = r->metric,
		.round = round,
		.forbidden = r->forbidden,
		.nexthop = r->nexthop,
		.n_hops = r->n_hops};
	memcpy(new->hops, r->hops, r->n_hops * sizeof(r->hops[0]));
	return new;
}

int net_routes_add(struct net_routes *t, const struct net_route_record *r)
{
	uint64_t hash;
	struct prefix *p = prefix_find(t, &r->prefix, r->prefix_len, &hash);
	struct route *new = NULL;
	struct route **link;
	int rc = 0;

	for (struct route *old = p == NULL ? NULL : p->routes; old != NULL; old = old->next) {
		if (old->metric != r->metric)
			continue;
		if (hops_lead_alike(old, r)) {
			old->round = t->round;
			memcpy(old->hops, r->hops, r->n_hops * sizeof(r->hops[0]));
			return 0;
		}
		rc = 1;
	}
	new = route_make(r, t->round);
	if (new == NULL)
		return -ENOMEM;
	if (p == NULL)
		p = prefix_make(t, r, hash);
	if (p == NULL) {
		free(new);
		return -ENOMEM;
	}
	// In front of those of its metric: until the dump says more, the newest word counts.
	link = &p->routes;
	while (*link != NULL && (*link)->metric < new->metric)
		link = &(*link)->next;
	new->next = *link;
	*link = new;
	return rc;
}

static void prefix_remove(struct net_routes *t, struct prefix *p)
{
	t->lengths[family_index(&p->ip)][p->len]--;
	net_map_del(&t->prefixes, &p->node);
	free(p);
}

int net_routes_del(struct net_routes *t, const struct net_route_record *r)
{
	uint64_t hash;
	struct prefix *p = prefix_find(t, &r->prefix, r->prefix_len, &hash);
	struct route **found = NULL;
	struct route *old;
	unsigned n = 0;

	if (p == NULL)
		return 1;
	for (struct route **link = &p->routes; *link != NULL; link = &(*link)->next) {
		if ((*link)->metric != r->metric)
			continue;
		n++;
		if (hops_lead_alike(*link, r))
			found = link;
	}
	if (found == NULL)
		return 1;
	old = *found;
	*found = old->next;
	free(old);
	if (p->routes == NULL)
		prefix_remove(t, p);
	return n > 1 ? 1 : 0;
}

void net_routes_dump_begin(struct net_routes *t)
{
	t->round++;
}

static bool prefix_sweep(void *ctx, struct net_map_node *node)
{
	struct net_routes *t = ctx;
	struct prefix *p = (struct prefix *)node;
	struct route **link = &p->routes;

	while (*link != NULL) {
		struct route *old = *link;

		if (old->round == t->round) {
			link = &old->next;
			continue;
		}
		*link = old->next;
		free(old);
	}
	if (p->routes != NULL)
		return true;
	t->lengths[family_index(&p->ip)][p->len]--;
	free(p);
	return false;
}

void net_routes_dump_end(struct net_routes *t)
{
	net_map_filter(&t->prefixes, prefix_sweep, t);
}

// The hop of this route for the destination; NULL if none of them is usable. The destination
// selects one of several usable hops, always the same one while they exist.
static const struct net_hop_record *hop_choose(const struct net_routes *t,
	const struct net_hop_record *hops, unsigned n_hops, const struct tp_addr *destination,
	const struct net_routes_env *env)
{
	const struct net_hop_record *good[NET_HOPS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < n_hops; i++) {
		if (!hops[i].dead && env->usable(env->ctx, hops[i].ifindex))
			good[n++] = &hops[i];
	}
	if (n < 2)
		return n == 0 ? NULL : good[0];
	return good[tp_siphash24(t->key, destination->ip, sizeof(destination->ip)) % n];
}

// 0 with *out filled; -ENETUNREACH: the route forbids; -EAGAIN: a worse route decides.
static int route_take(const struct net_routes *t, const struct route *r,
	const struct tp_addr *destination, const struct net_routes_env *env,
	struct net_next_hop *out)
{
	struct net_hop_record of_object[NET_HOPS_MAX];
	const struct net_hop_record *hops = r->hops, *hop;
	unsigned n_hops = r->n_hops;
	bool forbidden = r->forbidden;

	if (r->nexthop != 0 && !forbidden) {
		hops = of_object;
		n_hops = env->hops(env->ctx, r->nexthop, of_object, &forbidden);
	}
	if (forbidden)
		return -ENETUNREACH;
	hop = hop_choose(t, hops, n_hops, destination, env);
	if (hop == NULL)
		return -EAGAIN;
	out->ifindex = hop->ifindex;
	out->addr = hop->gateway.family != TP_FAMILY_NONE ? hop->gateway : *destination;
	out->addr.port_be = 0;
	return 0;
}

int net_routes_find(const struct net_routes *t, const struct tp_addr *destination,
	const struct net_routes_env *env, struct net_next_hop *out)
{
	const uint32_t *lengths = t->lengths[family_index(destination)];

	for (int len = (int)tp_family_ip_len(destination->family) * 8; len >= 0; len--) {
		uint64_t hash;
		const struct prefix *p;

		if (lengths[len] == 0)
			continue;
		p = prefix_find(t, destination, (uint8_t)len, &hash);
		for (const struct route *r = p == NULL ? NULL : p->routes; r != NULL; r = r->next) {
			int rc = route_take(t, r, destination, env, out);

			if (rc != -EAGAIN)
				return rc;
		}
	}
	return -ENETUNREACH;
}
