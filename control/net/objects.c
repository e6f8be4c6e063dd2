// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include <turnpike/siphash.h>

void net_mirror_notify(const struct net_mirror *m, enum net_kind kind, uint32_t ifindex,
	const struct tp_addr *addr)
{
	struct net_change change = {.kind = kind, .ifindex = ifindex};

	if (addr != NULL)
		change.addr = *addr;
	if (m->changed != NULL)
		m->changed(m->ctx, &change);
}

uint64_t net_mirror_hash(const struct net_mirror *m, const struct tp_addr *addr, uint32_t ifindex)
{
	struct {
		struct tp_addr addr;
		uint32_t ifindex;
	} key = {*addr, ifindex};

	return tp_siphash13(m->key, &key, sizeof(key));
}

// ---- links ------------------------------------------------------------------------------------

struct link_node *net_link_find(const struct net_mirror *m, uint32_t ifindex)
{
	struct net_map_node *node = NULL;

	while ((node = net_map_find(&m->links, ifindex, node)) != NULL) {
		struct link_node *l = (struct link_node *)node;

		if (l->link.ifindex == ifindex)
			return l;
	}
	return NULL;
}

int net_link_apply(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	struct net_link link;
	struct link_node *l;
	int rc = net_parse_link(nlh, &link);

	if (rc <= 0)
		return rc;
	l = net_link_find(m, link.ifindex);
	if (nlh->nlmsg_type == RTM_DELLINK) {
		if (l == NULL)
			return 0;
		net_map_del(&m->links, &l->node);
		free(l);
		m->stale[NET_ROUTE] = true;
		net_mirror_notify(m, NET_LINK, link.ifindex, NULL);
		return 0;
	}
	if (l == NULL) {
		l = calloc(1, sizeof(*l));
		if (l == NULL || net_map_add(&m->links, &l->node, link.ifindex) < 0) {
			free(l);
			return -ENOMEM;
		}
	}
	l->round = m->rounds[NET_LINK];
	if (memcmp(&l->link, &link, sizeof(link)) == 0)
		return 0;
	// The kernel takes IPv4 routes and next-hop objects away with a link, and says nothing.
	if (l->link.up != link.up)
		m->stale[NET_ROUTE] = m->stale[NET_NEXTHOP] = true;
	l->link = link;
	net_mirror_notify(m, NET_LINK, link.ifindex, NULL);
	return 0;
}

static bool link_sweep(void *ctx, struct net_map_node *node)
{
	struct net_mirror *m = ctx;
	struct link_node *l = (struct link_node *)node;
	uint32_t ifindex = l->link.ifindex;

	if (l->round == m->rounds[NET_LINK])
		return true;
	free(l);
	m->stale[NET_ROUTE] = true;
	net_mirror_notify(m, NET_LINK, ifindex, NULL);
	return false;
}

// ---- addresses --------------------------------------------------------------------------------

static struct address_node *address_find(
	const struct net_mirror *m, const struct net_address_record *r, uint64_t hash)
{
	struct net_map_node *node = NULL;

	while ((node = net_map_find(&m->addresses, hash, node)) != NULL) {
		struct address_node *a = (struct address_node *)node;

		if (a->record.ifindex == r->ifindex && a->record.prefix_len == r->prefix_len &&
			tp_addr_equal(&a->record.addr, &r->addr))
			return a;
	}
	return NULL;
}

int net_address_apply(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	struct net_address_record r;
	struct address_node *a;
	uint64_t hash;
	int rc = net_parse_address(nlh, &r);

	if (rc <= 0)
		return rc;
	hash = net_mirror_hash(m, &r.addr, 0);
	a = address_find(m, &r, hash);
	if (nlh->nlmsg_type == RTM_DELADDR) {
		if (a == NULL)
			return 0;
		net_map_del(&m->addresses, &a->node);
		free(a);
		// Routes that prefer this source go with it, silently.
		m->stale[NET_ROUTE] = true;
		net_mirror_notify(m, NET_ADDRESS, r.ifindex, &r.addr);
		return 0;
	}
	if (a != NULL) {
		a->round = m->rounds[NET_ADDRESS];
		return 0;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL || net_map_add(&m->addresses, &a->node, hash) < 0) {
		free(a);
		return -ENOMEM;
	}
	a->record = r;
	a->round = m->rounds[NET_ADDRESS];
	net_mirror_notify(m, NET_ADDRESS, r.ifindex, &r.addr);
	return 0;
}

static bool address_sweep(void *ctx, struct net_map_node *node)
{
	struct net_mirror *m = ctx;
	struct address_node *a = (struct address_node *)node;
	struct net_address_record r = a->record;

	if (a->round == m->rounds[NET_ADDRESS])
		return true;
	free(a);
	net_mirror_notify(m, NET_ADDRESS, r.ifindex, &r.addr);
	return false;
}

// ---- next-hop objects -------------------------------------------------------------------------

static struct nexthop_node *nexthop_find(const struct net_mirror *m, uint32_t id)
{
	struct net_map_node *node = NULL;

	while ((node = net_map_find(&m->nexthops, id, node)) != NULL) {
		struct nexthop_node *n = (struct nexthop_node *)node;

		if (n->record.id == id)
			return n;
	}
	return NULL;
}

unsigned net_nexthop_hops(const struct net_mirror *m, uint32_t id,
	struct net_hop_record hops[NET_HOPS_MAX], bool *forbidden)
{
	const struct nexthop_node *n = nexthop_find(m, id);
	unsigned n_hops = 0;

	*forbidden = n != NULL && n->record.forbidden;
	if (n == NULL || n->record.forbidden)
		return 0;
	if (n->record.n_members == 0) {
		hops[0] = n->record.hop;
		return 1;
	}
	// The kernel allows no group of groups.
	for (unsigned i = 0; i < n->record.n_members; i++) {
		const struct nexthop_node *member = nexthop_find(m, n->record.members[i]);

		if (member != NULL && member->record.n_members == 0 && !member->record.forbidden)
			hops[n_hops++] = member->record.hop;
	}
	return n_hops;
}

// Routes go with their object, and the kernel says nothing.
static void nexthop_gone(struct net_mirror *m)
{
	m->stale[NET_ROUTE] = true;
	net_mirror_notify(m, NET_ROUTE, 0, NULL);
}

int net_nexthop_apply(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	struct net_nexthop_record r;
	struct nexthop_node *n;
	int rc = net_parse_nexthop(nlh, &r);

	if (rc <= 0)
		return rc;
	n = nexthop_find(m, r.id);
	if (nlh->nlmsg_type == RTM_DELNEXTHOP) {
		if (n == NULL)
			return 0;
		net_map_del(&m->nexthops, &n->node);
		free(n);
		nexthop_gone(m);
		return 0;
	}
	if (n == NULL) {
		n = calloc(1, sizeof(*n));
		if (n == NULL || net_map_add(&m->nexthops, &n->node, r.id) < 0) {
			free(n);
			return -ENOMEM;
		}
	}
	n->round = m->rounds[NET_NEXTHOP];
	if (memcmp(&n->record, &r, sizeof(r)) == 0)
		return 0;
	n->record = r;
	net_mirror_notify(m, NET_ROUTE, 0, NULL);
	return 0;
}

static bool nexthop_sweep(void *ctx, struct net_map_node *node)
{
	struct net_mirror *m = ctx;
	struct nexthop_node *n = (struct nexthop_node *)node;

	if (n->round == m->rounds[NET_NEXTHOP])
		return true;
	free(n);
	nexthop_gone(m);
	return false;
}

// ---- neighbours -------------------------------------------------------------------------------

struct neighbour_node *net_neighbour_find(
	const struct net_mirror *m, const struct tp_addr *addr, uint32_t ifindex, uint64_t hash)
{
	struct net_map_node *node = NULL;

	while ((node = net_map_find(&m->neighbours, hash, node)) != NULL) {
		struct neighbour_node *n = (struct neighbour_node *)node;

		if (n->record.ifindex == ifindex && tp_addr_same_ip(&n->record.addr, addr))
			return n;
	}
	return NULL;
}

int net_neighbour_apply(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	struct net_neighbour_record r;
	struct neighbour_node *n;
	uint64_t hash;
	int rc = net_parse_neighbour(nlh, &r);

	if (rc <= 0)
		return rc;
	hash = net_mirror_hash(m, &r.addr, r.ifindex);
	n = net_neighbour_find(m, &r.addr, r.ifindex, hash);
	if (nlh->nlmsg_type == RTM_DELNEIGH) {
		if (n == NULL)
			return 0;
		net_map_del(&m->neighbours, &n->node);
		free(n);
		net_mirror_notify(m, NET_NEIGHBOUR, r.ifindex, &r.addr);
		return 0;
	}
	if (n == NULL) {
		n = calloc(1, sizeof(*n));
		if (n == NULL || net_map_add(&m->neighbours, &n->node, hash) < 0) {
			free(n);
			return -ENOMEM;
		}
	}
	n->round = m->rounds[NET_NEIGHBOUR];
	if (memcmp(&n->record, &r, sizeof(r)) == 0)
		return 0;
	n->record = r;
	net_mirror_notify(m, NET_NEIGHBOUR, r.ifindex, &r.addr);
	return 0;
}

static bool neighbour_sweep(void *ctx, struct net_map_node *node)
{
	struct net_mirror *m = ctx;
	struct neighbour_node *n = (struct neighbour_node *)node;
	struct net_neighbour_record r = n->record;

	if (n->round == m->rounds[NET_NEIGHBOUR])
		return true;
	free(n);
	net_mirror_notify(m, NET_NEIGHBOUR, r.ifindex, &r.addr);
	return false;
}

void net_objects_sweep(struct net_mirror *m, enum net_kind kind)
{
	if (kind == NET_LINK)
		net_map_filter(&m->links, link_sweep, m);
	else if (kind == NET_ADDRESS)
		net_map_filter(&m->addresses, address_sweep, m);
	else if (kind == NET_NEXTHOP)
		net_map_filter(&m->nexthops, nexthop_sweep, m);
	else if (kind == NET_NEIGHBOUR)
		net_map_filter(&m->neighbours, neighbour_sweep, m);
}
