// SPDX-License-Identifier: BSD-3-Clause
// A chained hash map of nodes that live inside their owners' structs. Nodes of equal hash are told
// apart by the caller. One thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_map_node {
	struct net_map_node *next;
	uint64_t hash;
};

struct net_map {
	struct net_map_node **buckets;
	size_t n_buckets; // a power of two, 0 before the first node
	size_t len;
};

// Frees the buckets, not the nodes.
void net_map_fini(struct net_map *map);
// 0 or -ENOMEM.
int net_map_add(struct net_map *map, struct net_map_node *node, uint64_t hash);
void net_map_del(struct net_map *map, struct net_map_node *node);
// Nodes of this hash, one after the other: NULL, then the last one returned.
struct net_map_node *net_map_find(
	const struct net_map *map, uint64_t hash, const struct net_map_node *after);

typedef bool (*net_map_visit_fn)(void *ctx, struct net_map_node *node);
// Calls visit once for each node; a node for which it returns false is taken out first and may
// be freed by the callback.
void net_map_filter(struct net_map *map, net_map_visit_fn keep, void *ctx);
