// SPDX-License-Identifier: BSD-3-Clause
// The main routing tables of IPv4 and IPv6, looked up by longest prefix in memory. One thread at a
// time.
#pragma once

#include "map.h"
#include "parse.h"

struct net_routes {
	struct net_map prefixes;
	// Prefixes of each length: lengths nobody uses are not looked up.
	uint32_t lengths[2][129];
	uint32_t round; // of the dump that marks
	uint8_t key[16];
};

void net_routes_init(struct net_routes *t, const uint8_t key[16]);
void net_routes_fini(struct net_routes *t);

// Adds or updates. 1: it may have replaced or joined another route of the same prefix and metric in
// a way that only the kernel can tell: ask for a dump. 0, or -ENOMEM.
int net_routes_add(struct net_routes *t, const struct net_route_record *r);
// 0, or 1 as above (nothing like it is here, or more than one).
int net_routes_del(struct net_routes *t, const struct net_route_record *r);

// Between begin and end every route the dump brings is added; at the end the others go.
void net_routes_dump_begin(struct net_routes *t);
void net_routes_dump_end(struct net_routes *t);

// Answers about links and next-hop objects.
struct net_routes_env {
	net_usable_fn usable;
	// As net_nexthop_hops.
	unsigned (*hops)(void *ctx, uint32_t nexthop, struct net_hop_record *hops, bool *forbidden);
	void *ctx;
};

// As net_mirror_route.
int net_routes_find(const struct net_routes *t, const struct tp_addr *destination,
	const struct net_routes_env *env, struct net_next_hop *out);
