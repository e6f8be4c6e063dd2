// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/random.h>

#include <libmnl/libmnl.h>

struct net_mirror *net_mirror_create(net_change_fn changed, void *ctx)
{
	struct net_mirror *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->changed = changed;
	m->ctx = ctx;
	// Strangers on a link choose addresses of the neighbour table.
	if (getrandom(m->key, sizeof(m->key), 0) != (ssize_t)sizeof(m->key)) {
		free(m);
		return NULL;
	}
	net_routes_init(&m->routes, m->key);
	net_routes_init(&m->locals, m->key);
	net_mirror_lost(m);
	return m;
}

static bool node_drop(void *ctx, struct net_map_node *node)
{
	(void)ctx;
	free(node);
	return false;
}

void net_mirror_destroy(struct net_mirror *m)
{
	struct net_map *maps[] = {&m->links, &m->addresses, &m->neighbours, &m->nexthops};

	for (size_t i = 0; i < TP_ARRAY_LEN(maps); i++) {
		net_map_filter(maps[i], node_drop, NULL);
		net_map_fini(maps[i]);
	}
	net_routes_fini(&m->routes);
	net_routes_fini(&m->locals);
	free(m);
}

// ---- routes -----------------------------------------------------------------------------------

static int route_apply(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	struct net_route_record r;
	struct net_routes *routes;
	int rc = net_parse_route(nlh, &r);

	if (rc <= 0)
		return rc;
	routes = r.is_local ? &m->locals : &m->routes;
	rc = nlh->nlmsg_type == RTM_DELROUTE ? net_routes_del(routes, &r)
					     : net_routes_add(routes, &r);
	if (rc < 0)
		return rc;
	// A dump is complete, even where two routes share prefix and metric.
	if (rc == 1 && !(m->dumping && nlh->nlmsg_seq == m->dump_seq))
		m->stale[NET_ROUTE] = true;
	if (!r.is_local && !(m->dumping && m->dump_kind == NET_ROUTE) && m->changed != NULL)
		m->changed(m->ctx,
			&(struct net_change){
				.kind = NET_ROUTE, .addr = r.prefix, .prefix_len = r.prefix_len});
	return 0;
}

// ---- dumps ------------------------------------------------------------------------------------

void net_mirror_lost(struct net_mirror *m)
{
	m->dumping = false;
	for (unsigned i = 0; i < NET_KINDS; i++)
		m->stale[i] = true;
}

bool net_mirror_wants_dump(const struct net_mirror *m, enum net_kind *kind)
{
	if (m->dumping)
		return false;
	for (unsigned i = 0; i < NET_KINDS; i++) {
		if (m->stale[i]) {
			*kind = (enum net_kind)i;
			return true;
		}
	}
	return false;
}

void net_mirror_dump_begin(struct net_mirror *m, enum net_kind kind, uint32_t seq)
{
	m->stale[kind] = false;
	m->dumping = true;
	m->interrupted = false;
	m->dump_kind = kind;
	m->dump_seq = seq;
	m->rounds[kind]++;
	if (kind == NET_ROUTE) {
		net_routes_dump_begin(&m->routes);
		net_routes_dump_begin(&m->locals);
	}
}

static void dump_end(struct net_mirror *m)
{
	m->dumping = false;
	if (m->interrupted) {
		m->stale[m->dump_kind] = true;
		return;
	}
	m->seen[m->dump_kind] = true;
	if (m->dump_kind == NET_ROUTE) {
		net_routes_dump_end(&m->routes);
		net_routes_dump_end(&m->locals);
		net_mirror_notify(m, NET_ROUTE, 0, NULL);
	} else {
		net_objects_sweep(m, m->dump_kind);
	}
}

bool net_mirror_complete(const struct net_mirror *m)
{
	for (unsigned i = 0; i < NET_KINDS; i++) {
		if (!m->seen[i])
			return false;
	}
	return true;
}

static int error_apply(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(err->error))
		return -EBADMSG;
	if (err->error == 0 || !m->dumping || nlh->nlmsg_seq != m->dump_seq)
		return 0;
	m->dumping = false;
	// A kernel before 5.3 has no next-hop objects.
	if (m->dump_kind == NET_NEXTHOP && err->error == -EOPNOTSUPP) {
		m->seen[NET_NEXTHOP] = true;
		return 0;
	}
	m->stale[m->dump_kind] = true;
	// EBUSY: a dump that was given up is still running out.
	return err->error == -EBUSY ? 0 : err->error < 0 ? err->error : -EBADMSG;
}

static int message_apply(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	bool of_dump = m->dumping && nlh->nlmsg_seq == m->dump_seq;

	if (of_dump && (nlh->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
		m->interrupted = true;
	switch (nlh->nlmsg_type) {
	case NLMSG_DONE:
		if (of_dump)
			dump_end(m);
		return 0;
	case NLMSG_ERROR:
		return error_apply(m, nlh);
	case NLMSG_OVERRUN:
		net_mirror_lost(m);
		return 0;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return net_link_apply(m, nlh);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return net_address_apply(m, nlh);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_apply(m, nlh);
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		return net_nexthop_apply(m, nlh);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return net_neighbour_apply(m, nlh);
	default:
		return 0;
	}
}

int net_mirror_feed(struct net_mirror *m, const void *buf, size_t len)
{
	const struct nlmsghdr *nlh = buf;
	int left = (int)len;
	int rc = 0;

	while (rc == 0 && mnl_nlmsg_ok(nlh, left)) {
		rc = message_apply(m, nlh);
		nlh = mnl_nlmsg_next(nlh, &left);
	}
	if (rc == 0 && left > 0)
		rc = -EBADMSG;
	if (rc < 0)
		net_mirror_lost(m);
	return rc;
}

// ---- questions --------------------------------------------------------------------------------

struct usable_links {
	const struct net_mirror *m;
	net_usable_fn usable;
	void *ctx;
};

static bool link_is_usable(void *ctx, uint32_t ifindex)
{
	const struct usable_links *u = ctx;
	const struct link_node *l = net_link_find(u->m, ifindex);

	return l != NULL && l->link.up && (u->usable == NULL || u->usable(u->ctx, ifindex));
}

static unsigned nexthop_hops(void *ctx, uint32_t id, struct net_hop_record *hops, bool *forbidden)
{
	const struct usable_links *u = ctx;

	return net_nexthop_hops(u->m, id, hops, forbidden);
}

int net_mirror_route(const struct net_mirror *m, const struct tp_addr *destination,
	net_usable_fn usable, void *ctx, struct net_next_hop *out)
{
	struct usable_links u = {m, usable, ctx};

	if (destination->family == TP_FAMILY_NONE)
		return -ENETUNREACH;
	return net_routes_find(&m->routes, destination,
		&(struct net_routes_env){link_is_usable, nexthop_hops, &u}, out);
}

struct net_neighbour net_mirror_neighbour(
	const struct net_mirror *m, const struct tp_addr *addr, uint32_t ifindex)
{
	struct tp_addr key = *addr;
	const struct neighbour_node *n;

	key.port_be = 0;
	n = net_neighbour_find(m, &key, ifindex, net_mirror_hash(m, &key, ifindex));
	return n == NULL ? (struct net_neighbour){.state = NET_NEIGHBOUR_UNKNOWN}
			 : n->record.neighbour;
}

int net_mirror_link(const struct net_mirror *m, uint32_t ifindex, struct net_link *out)
{
	const struct link_node *l = net_link_find(m, ifindex);

	if (l == NULL)
		return -ENOENT;
	*out = l->link;
	return 0;
}

uint32_t net_mirror_address_owner(const struct net_mirror *m, const struct tp_addr *addr)
{
	struct tp_addr key = *addr;
	struct net_map_node *node = NULL;
	uint64_t hash;

	key.port_be = 0;
	hash = net_mirror_hash(m, &key, 0);
	while ((node = net_map_find(&m->addresses, hash, node)) != NULL) {
		const struct address_node *a = (const struct address_node *)node;

		if (tp_addr_equal(&a->record.addr, &key))
			return a->record.ifindex;
	}
	return 0;
}

static bool any_link(void *ctx, uint32_t ifindex)
{
	(void)ctx;
	(void)ifindex;
	return true;
}

bool net_mirror_is_local(const struct net_mirror *m, const struct tp_addr *addr)
{
	struct usable_links u = {.m = m};
	struct net_next_hop hop;

	return net_mirror_address_owner(m, addr) != 0 ||
	       (addr->family != TP_FAMILY_NONE &&
		       net_routes_find(&m->locals, addr,
			       &(struct net_routes_env){any_link, nexthop_hops, &u}, &hop) == 0);
}

static bool is_broadcast_of(const struct net_address_record *network, const struct tp_addr *addr)
{
	uint32_t host = network->prefix_len >= 32 ? 0 : UINT32_MAX >> network->prefix_len;
	uint32_t ip = tp_load_be32(addr->ip);

	if (network->addr.family != TP_FAMILY_IPV4 || network->prefix_len > 30)
		return false;
	return ((ip ^ tp_load_be32(network->addr.ip)) & ~host) == 0 &&
	       ((ip & host) == 0 || (ip & host) == host);
}

bool net_mirror_is_broadcast(const struct net_mirror *m, const struct tp_addr *addr)
{
	if (addr->family != TP_FAMILY_IPV4)
		return false;
	for (size_t i = 0; i < m->addresses.n_buckets; i++) {
		for (const struct net_map_node *n = m->addresses.buckets[i]; n != NULL;
			n = n->next) {
			if (is_broadcast_of(&((const struct address_node *)n)->record, addr))
				return true;
		}
	}
	return false;
}
