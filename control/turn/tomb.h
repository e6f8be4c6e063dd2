// SPDX-License-Identifier: BSD-3-Clause
// Tombstones: the 5-tuple and transaction id of allocations that ended, kept for as long as a
// client retransmits (RFC 8489 6.3.1: 40 s), so that a late duplicate of an Allocate request makes
// no allocation that nobody knows of.
#pragma once

#include <turn/server.h>

#include "list.h"
#include "map.h"
#include "pool.h"

#define TURN_TOMB_S   40u
// When there are more, the oldest go early: a bound on what one client can make us keep by opening
// and closing allocations.
#define TURN_TOMB_MAX 262144u

struct turn_tomb {
	struct turn_map_node node;
	struct turn_list link;
	struct turn_tuple client;
	uint8_t txid[12];
	uint32_t expires_s;
	uint32_t index;
};

struct turn_tombs {
	struct turn_map map;
	struct turn_pool pool;
	struct turn_list queue; // oldest first
};

int turn_tombs_init(struct turn_tombs *t, const uint8_t key[16]);
void turn_tombs_fini(struct turn_tombs *t);
void turn_tombs_add(struct turn_tombs *t, uint64_t now_ns, const struct turn_tuple *client,
	const uint8_t txid[12]);
// The same, with the second when it is over; not before that of the one added last.
void turn_tombs_add_until(struct turn_tombs *t, uint32_t until_s, const struct turn_tuple *client,
	const uint8_t txid[12]);
bool turn_tombs_have(const struct turn_tombs *t, uint32_t now_s, const struct turn_tuple *client,
	const uint8_t txid[12]);
// Drops what is over, at most *budget of them.
void turn_tombs_advance(struct turn_tombs *t, uint32_t now_s, unsigned *budget);
// The second when the next one ends; UINT32_MAX: none.
uint32_t turn_tombs_next_s(const struct turn_tombs *t);
