// SPDX-License-Identifier: BSD-3-Clause
// Tombstones: the 5-tuple and transaction id of allocations that ended, kept for as long as a
// client retransmits (RFC 8489 6.3.1: 40 s), so that a late duplicate of an Allocate request makes
// no allocation that nobody knows of.
#pragma once

#include <turn/server.h>

#include <ds/list.h>
#include <ds/map.h>
#include <ds/pool.h>

#define TURN_TOMBSTONE_S   40u
// When there are more, the oldest go early: a bound on the memory that one client can claim by
// opening and closing allocations.
#define TURN_TOMBSTONE_MAX 262144u

struct turn_tombstone {
	struct ds_map_node node;
	struct ds_list link;
	struct turn_tuple client;
	uint8_t txid[12];
	uint32_t expires_s;
	uint32_t index;
};

struct turn_tombstones {
	struct ds_map map;
	struct ds_pool pool;
	struct ds_list queue; // oldest first
};

int turn_tombstones_init(struct turn_tombstones *t, const uint8_t key[16]);
void turn_tombstones_fini(struct turn_tombstones *t);
void turn_tombstones_add(struct turn_tombstones *t, uint64_t now_ns,
	const struct turn_tuple *client, const uint8_t txid[12]);
// The same, with the second when it is over; not before that of the one added last.
void turn_tombstones_add_until(struct turn_tombstones *t, uint32_t until_s,
	const struct turn_tuple *client, const uint8_t txid[12]);
bool turn_tombstones_have(const struct turn_tombstones *t, uint32_t now_s,
	const struct turn_tuple *client, const uint8_t txid[12]);
// Drops expired ones, at most *budget of them.
void turn_tombstones_advance(struct turn_tombstones *t, uint32_t now_s, unsigned *budget);
// The second when the next one ends; UINT32_MAX: none.
uint32_t turn_tombstones_next_s(const struct turn_tombstones *t);
