// SPDX-License-Identifier: BSD-3-Clause
#include <net/mirror.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/random.h>

#include <turnpike/siphash.h>

#include <libmnl/libmnl.h>

#include "map.h"
#include "parse.h"
#include "routes.h"

struct link_node {
	struct net_map_node node; // first: a node is its link
	struct net_link link;
	uint32_t round;
};

struct address_node {
	struct net_map_node node;
	struct net_address_record record;
	uint32_t round;
};

struct neighbour_node {
	struct net_map_node node;
	struct net_neighbour_record record;
	uint32_t round;
};

struct net_mirror {
	net_change_fn changed;
	void *ctx;
	uint8_t key[16];
	struct net_map links;
	struct net_map addresses;
	struct net_map neighbours;
	struct net_routes routes;
	uint32_t rounds[NET_KINDS];
	bool stale[NET_KINDS]; // wants a dump
	bool seen[NET_KINDS];  // dumped at least once
	bool dumping;
	bool interrupted; // the kernel's list changed while it was dumped
	enum net_kind dump_kind;
	uint32_t dump_seq;
};

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
	struct net_map *maps[] = {&m->links, &m->addresses, &m->neighbours};

	for (size_t i = 0; i < TP_ARRAY_LEN(maps); i++) {
		net_map_filter(maps[i], node_drop, NULL);
		net_map_fini(maps[i]);
	}
	net_routes_fini(&m->routes);
	free(m);
}

static void notify(const struct net_mirror *m, enum net_kind kind, uint32_t ifindex,
	const struct tp_addr *addr)
{
	struct net_change change = {.kind = kind, .ifindex = ifindex};

	if (addr != NULL)
		change.addr = *addr;
	if (m->changed != NULL)
		m->changed(m->ctx, &change);
}

static uint64_t hash_of(const struct net_mirror *m, const struct tp_addr *addr, uint32_t ifindex)
{
	struct {
		struct tp_addr addr;
		uint32_t ifindex;
	} key = {*addr, ifindex};

	return tp_siphash13(m->key, &key, sizeof(key));
}

// ---- links ------------------------------------------------------------------------------------

static struct link_node *link_find(const struct net_mirror *m, uint32_t ifindex)
{
	struct net_map_node *node = NULL;

	while ((node = net_map_find(&m->links, ifindex, node)) != NULL) {
		struct link_node *l = (struct link_node *)node;

		if (l->link.ifindex == ifindex)
			return l;
	}
	return NULL;
}

static int link_apply(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	struct net_link link;
	struct link_node *l;
	int rc = net_parse_link(nlh, &link);

	if (rc <= 0)
		return rc;
	l = link_find(m, link.ifindex);
	if (nlh->nlmsg_type == RTM_DELLINK) {
		if (l == NULL)
			return 0;
		net_map_del(&m->links, &l->node);
		free(l);
		m->stale[NET_ROUTE] = true;
		notify(m, NET_LINK, link.ifindex, NULL);
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
	// The kernel takes IPv4 routes away with a link, and says nothing.
	if (l->link.up != link.up)
		m->stale[NET_ROUTE] = true;
	l->link = link;
	notify(m, NET_LINK, link.ifindex, NULL);
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
	notify(m, NET_LINK, ifindex, NULL);
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

static int address_apply(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	struct net_address_record r;
	struct address_node *a;
	uint64_t hash;
	int rc = net_parse_address(nlh, &r);

	if (rc <= 0)
		return rc;
	hash = hash_of(m, &r.addr, 0);
	a = address_find(m, &r, hash);
	if (nlh->nlmsg_type == RTM_DELADDR) {
		if (a == NULL)
			return 0;
		net_map_del(&m->addresses, &a->node);
		free(a);
		// Routes that prefer this source go with it, silently.
		m->stale[NET_ROUTE] = true;
		notify(m, NET_ADDRESS, r.ifindex, &r.addr);
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
	notify(m, NET_ADDRESS, r.ifindex, &r.addr);
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
	notify(m, NET_ADDRESS, r.ifindex, &r.addr);
	return false;
}

// ---- neighbours -------------------------------------------------------------------------------

static struct neighbour_node *neighbour_find(
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

static int neighbour_apply(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	struct net_neighbour_record r;
	struct neighbour_node *n;
	uint64_t hash;
	int rc = net_parse_neighbour(nlh, &r);

	if (rc <= 0)
		return rc;
	hash = hash_of(m, &r.addr, r.ifindex);
	n = neighbour_find(m, &r.addr, r.ifindex, hash);
	if (nlh->nlmsg_type == RTM_DELNEIGH) {
		if (n == NULL)
			return 0;
		net_map_del(&m->neighbours, &n->node);
		free(n);
		notify(m, NET_NEIGHBOUR, r.ifindex, &r.addr);
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
	notify(m, NET_NEIGHBOUR, r.ifindex, &r.addr);
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
	notify(m, NET_NEIGHBOUR, r.ifindex, &r.addr);
	return false;
}

// ---- routes -----------------------------------------------------------------------------------

static int route_apply(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	struct net_route_record r;
	int rc = net_parse_route(nlh, &r);

	if (rc <= 0)
		return rc;
	rc = nlh->nlmsg_type == RTM_DELROUTE ? net_routes_del(&m->routes, &r)
					     : net_routes_add(&m->routes, &r);
	if (rc < 0)
		return rc;
	// What a dump brings is the whole truth, even where two routes share prefix and metric.
	if (rc == 1 && !(m->dumping && nlh->nlmsg_seq == m->dump_seq))
		m->stale[NET_ROUTE] = true;
	if (!(m->dumping && m->dump_kind == NET_ROUTE))
		notify(m, NET_ROUTE, 0, NULL);
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
	if (kind == NET_ROUTE)
		net_routes_dump_begin(&m->routes);
}

static void dump_end(struct net_mirror *m)
{
	m->dumping = false;
	if (m->interrupted) {
		m->stale[m->dump_kind] = true;
		return;
	}
	m->seen[m->dump_kind] = true;
	switch (m->dump_kind) {
	case NET_LINK:
		net_map_filter(&m->links, link_sweep, m);
		break;
	case NET_ADDRESS:
		net_map_filter(&m->addresses, address_sweep, m);
		break;
	case NET_NEIGHBOUR:
		net_map_filter(&m->neighbours, neighbour_sweep, m);
		break;
	case NET_ROUTE:
		net_routes_dump_end(&m->routes);
		notify(m, NET_ROUTE, 0, NULL);
		break;
	case NET_KINDS:
		break;
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
		return link_apply(m, nlh);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return address_apply(m, nlh);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_apply(m, nlh);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return neighbour_apply(m, nlh);
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
	const struct link_node *l = link_find(u->m, ifindex);

	return l != NULL && l->link.up && (u->usable == NULL || u->usable(u->ctx, ifindex));
}

int net_mirror_route(const struct net_mirror *m, const struct tp_addr *destination,
	net_usable_fn usable, void *ctx, struct net_next_hop *out)
{
	struct usable_links u = {m, usable, ctx};

	if (destination->family == TP_FAMILY_NONE)
		return -ENETUNREACH;
	return net_routes_find(&m->routes, destination, link_is_usable, &u, out);
}

struct net_neighbour net_mirror_neighbour(
	const struct net_mirror *m, const struct tp_addr *addr, uint32_t ifindex)
{
	struct tp_addr key = *addr;
	const struct neighbour_node *n;

	key.port_be = 0;
	n = neighbour_find(m, &key, ifindex, hash_of(m, &key, ifindex));
	return n == NULL ? (struct net_neighbour){.state = NET_NEIGHBOUR_UNKNOWN}
			 : n->record.neighbour;
}

int net_mirror_link(const struct net_mirror *m, uint32_t ifindex, struct net_link *out)
{
	const struct link_node *l = link_find(m, ifindex);

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
	hash = hash_of(m, &key, 0);
	while ((node = net_map_find(&m->addresses, hash, node)) != NULL) {
		const struct address_node *a = (const struct address_node *)node;

		if (tp_addr_equal(&a->record.addr, &key))
			return a->record.ifindex;
	}
	return 0;
}
