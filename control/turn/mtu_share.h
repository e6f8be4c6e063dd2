// SPDX-License-Identifier: BSD-3-Clause
// Whose the learnt path MTUs are: the client's IPv4 address, or the site (/48) of its IPv6 address,
// whose holder has as many subnets as he likes. Nobody keeps the memory from others, neither by
// many allocations nor by ICMP errors of his own making.
#pragma once

#include <ds/list.h>
#include <ds/map.h>
#include <ds/pool.h>
#include <turnpike/addr.h>

// Path MTUs remembered, of all and of one owner.
#define TURN_MTU_MAX   65536u
#define TURN_MTU_SHARE (TURN_MTU_MAX / 16)

struct turn_mtu_owner {
	struct ds_map_node node;
	struct ds_list link; // of those that own as many
	struct ds_list owns; // the oldest first
	struct tp_addr prefix;
	uint32_t n;
	uint32_t index; // in the pool
};

struct turn_mtu_shares {
	struct ds_map by_prefix;
	struct ds_pool pool;
	struct ds_list with[TURN_MTU_SHARE + 1]; // owners by what they own
	uint32_t most;				 // that one of them owns
};

// 0 or -ENOMEM.
int turn_mtu_shares_init(struct turn_mtu_shares *s, const uint8_t key[16]);
void turn_mtu_shares_fini(struct turn_mtu_shares *s);

// NULL: the client owns none.
struct turn_mtu_owner *turn_mtu_owner_of(
	const struct turn_mtu_shares *s, const struct tp_addr *client);
// Gives the client one, which must be below its share; the owner, NULL without memory.
struct turn_mtu_owner *turn_mtu_give(
	struct turn_mtu_shares *s, const struct tp_addr *client, struct ds_list *one);
// Takes it away again; the owner of none is gone.
void turn_mtu_take(struct turn_mtu_shares *s, struct turn_mtu_owner *owner, struct ds_list *one);
// The one that must give way where all memory is taken: the oldest of an owner of most.
struct ds_list *turn_mtu_of_most(const struct turn_mtu_shares *s);
