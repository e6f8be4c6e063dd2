// SPDX-License-Identifier: BSD-3-Clause
// A hash table of nodes embedded in their objects. It grows by one bucket per insertion (linear
// hashing), so that no insertion pauses the server to rehash a million nodes, and its hash is
// keyed, because clients choose the addresses and names that are hashed.
#pragma once

#include <turnpike/base.h>

#define DS_MAP_BASE	256u // buckets of the first segment
#define DS_MAP_SEGMENTS 24u

struct ds_map_node {
	struct ds_map_node *next;
	uint64_t hash;
};

struct ds_map {
	// Segment 0 has BASE buckets, segment k BASE << (k - 1): each doubles the size.
	struct ds_map_node **segment[DS_MAP_SEGMENTS];
	uint32_t level; // BASE << level buckets at the start of this round of splits
	uint32_t split; // next bucket to split
	size_t n;
	uint8_t key[16];
};

// 0 or -ENOMEM.
int ds_map_init(struct ds_map *m, const uint8_t key[16]);
// Nodes are the caller's: it takes them out, or forgets them, before.
void ds_map_fini(struct ds_map *m);

// Room for `n` nodes before they come, where it can be had; of an empty map only.
void ds_map_reserve(struct ds_map *m, size_t n);

uint64_t ds_map_hash(const struct ds_map *m, const void *data, size_t len);
void ds_map_add(struct ds_map *m, struct ds_map_node *node, uint64_t hash);
void ds_map_del(struct ds_map *m, struct ds_map_node *node);

// All nodes of one hash; the caller compares keys.
struct ds_map_node *ds_map_first(const struct ds_map *m, uint64_t hash);
struct ds_map_node *ds_map_next(const struct ds_map_node *node);
