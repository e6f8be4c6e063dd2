// SPDX-License-Identifier: BSD-3-Clause
// rtnetlink messages as plain records. Pure functions: bytes in, record out.
//
// Each answers 1 with *out filled, 0 for a message of no interest here (another family, table or
// type of route), or -EBADMSG.
#pragma once

#include <linux/netlink.h>

#include <net/mirror.h>

#define NET_HOPS_MAX 32u // next hops of one route that are kept

struct net_address_record {
	uint32_t ifindex;
	struct tp_addr addr;
	uint8_t prefix_len;
};

struct net_hop_record {
	struct tp_addr gateway; // no family: on-link
	uint32_t ifindex;
	bool dead;
};

struct net_route_record {
	struct tp_addr prefix;
	uint8_t prefix_len;
	bool forbidden; // blackhole, unreachable, prohibit
	bool is_local;	// of the local table: this host takes packets to the prefix itself
	uint32_t metric;
	uint32_t nexthop; // id of the next-hop object that replaces the hops; 0: none
	unsigned n_hops;
	struct net_hop_record hops[NET_HOPS_MAX];
};

// A next-hop object: one hop, or a group of other objects.
struct net_nexthop_record {
	uint32_t id;
	bool forbidden; // blackhole
	struct net_hop_record hop;
	unsigned n_members; // 0: no group
	uint32_t members[NET_HOPS_MAX];
};

struct net_neighbour_record {
	uint32_t ifindex;
	struct tp_addr addr;
	struct net_neighbour neighbour;
};

int net_parse_link(const struct nlmsghdr *nlh, struct net_link *out);
int net_parse_address(const struct nlmsghdr *nlh, struct net_address_record *out);
int net_parse_route(const struct nlmsghdr *nlh, struct net_route_record *out);
int net_parse_nexthop(const struct nlmsghdr *nlh, struct net_nexthop_record *out);
int net_parse_neighbour(const struct nlmsghdr *nlh, struct net_neighbour_record *out);
