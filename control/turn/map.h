// SPDX-License-Identifier: BSD-3-Clause
// A hash table of nodes embedded in their objects. It grows by one bucket per insertion (linear
// hashing), so that no insertion pauses the server to rehash a million nodes, and its hash is
// keyed, because clients choose the addresses and names that are hashed.
#pragma once

#include <turnpike/base.h>

#define TURN_MAP_BASE	  256u // buckets of the first segment
#define TURN_MAP_SEGMENTS 24u

struct turn_map_node {
	struct turn_map_node *next;
	uint64_t hash;
};

struct turn_map {
	// Segment 0 has BASE buckets, segment k BASE << (k - 1): each doubles what is there.
	struct turn_map_node **segment[TURN_MAP_SEGMENTS];
	uint32_t level; // BASE << level buckets at the start of this round of splits
	uint32_t split; // next bucket to split
	size_t n;
	uint8_t key[16];
};

// 0 or -ENOMEM.
int turn_map_init(struct turn_map *m, const uint8_t key[16]);
// Nodes are the caller's: it takes them out, or forgets them, before.
void turn_map_fini(struct turn_map *m);

// Room for `n` nodes before they come, where it can be had; of an empty map only.
void turn_map_reserve(struct turn_map *m, size_t n);

uint64_t turn_map_hash(const struct turn_map *m, const void *data, size_t len);
void turn_map_add(struct turn_map *m, struct turn_map_node *node, uint64_t hash);
void turn_map_del(struct turn_map *m, struct turn_map_node *node);

// All nodes of one hash; the caller compares keys.
struct turn_map_node *turn_map_first(const struct turn_map *m, uint64_t hash);
struct turn_map_node *turn_map_next(const struct turn_map_node *node);
