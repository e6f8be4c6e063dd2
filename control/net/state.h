// SPDX-License-Identifier: BSD-3-Clause
// The mirror's own state, shared by the files of this folder: mirror.c keeps dumps and answers
// questions, objects.c keeps links, addresses and neighbours.
#pragma once

#include <linux/netlink.h>

#include <net/mirror.h>

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

struct nexthop_node {
	struct net_map_node node;
	struct net_nexthop_record record;
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
	struct net_map nexthops;
	struct net_routes routes;
	struct net_routes locals; // prefixes that this host takes packets to itself
	uint32_t rounds[NET_KINDS];
	bool stale[NET_KINDS]; // wants a dump
	bool seen[NET_KINDS];  // dumped at least once
	bool dumping;
	bool interrupted; // the kernel's list changed while it was dumped
	enum net_kind dump_kind;
	uint32_t dump_seq;
};

// Tells the owner, if there is one. `addr` may be NULL.
void net_mirror_notify(const struct net_mirror *m, enum net_kind kind, uint32_t ifindex,
	const struct tp_addr *addr);
uint64_t net_mirror_hash(const struct net_mirror *m, const struct tp_addr *addr, uint32_t ifindex);

// Apply one message: 0 or a negative errno.
int net_link_apply(struct net_mirror *m, const struct nlmsghdr *nlh);
int net_address_apply(struct net_mirror *m, const struct nlmsghdr *nlh);
int net_nexthop_apply(struct net_mirror *m, const struct nlmsghdr *nlh);
int net_neighbour_apply(struct net_mirror *m, const struct nlmsghdr *nlh);

// NULL: none.
// The hops of an object, those of a group's members included: their number, at most NET_HOPS_MAX;
// *forbidden: packets are thrown away.
unsigned net_nexthop_hops(const struct net_mirror *m, uint32_t id,
	struct net_hop_record hops[NET_HOPS_MAX], bool *forbidden);
struct link_node *net_link_find(const struct net_mirror *m, uint32_t ifindex);
struct neighbour_node *net_neighbour_find(
	const struct net_mirror *m, const struct tp_addr *addr, uint32_t ifindex, uint64_t hash);

// Removes the objects that the dump of this kind did not contain.
void net_objects_sweep(struct net_mirror *m, enum net_kind kind);
