// SPDX-License-Identifier: BSD-3-Clause
#include "map.h"

#include <errno.h>
#include <stdlib.h>

#define MAP_FIRST 64u

void net_map_fini(struct net_map *map)
{
	free(map->buckets);
	*map = (struct net_map){0};
}

static struct net_map_node **bucket_of(const struct net_map *map, uint64_t hash)
{
	return &map->buckets[hash & (map->n_buckets - 1)];
}

static int map_grow(struct net_map *map)
{
	struct net_map larger = {.n_buckets = map->n_buckets == 0 ? MAP_FIRST : map->n_buckets * 2};

	larger.buckets = calloc(larger.n_buckets, sizeof(struct net_map_node *));
	if (larger.buckets == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < map->n_buckets; i++) {
		struct net_map_node *node = map->buckets[i];

		while (node != NULL) {
			struct net_map_node *next = node->next;
			struct net_map_node **bucket = bucket_of(&larger, node->hash);

			node->next = *bucket;
			*bucket = node;
			node = next;
		}
	}
	free(map->buckets);
	map->buckets = larger.buckets;
	map->n_buckets = larger.n_buckets;
	return 0;
}

int net_map_add(struct net_map *map, struct net_map_node *node, uint64_t hash)
{
	struct net_map_node **bucket;

	if (map->len >= map->n_buckets && map_grow(map) < 0)
		return -ENOMEM;
	bucket = bucket_of(map, hash);
	node->hash = hash;
	node->next = *bucket;
	*bucket = node;
	map->len++;
	return 0;
}

void net_map_del(struct net_map *map, struct net_map_node *node)
{
	struct net_map_node **link = bucket_of(map, node->hash);

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	map->len--;
}

struct net_map_node *net_map_find(
	const struct net_map *map, uint64_t hash, const struct net_map_node *after)
{
	struct net_map_node *node;

	if (map->len == 0)
		return NULL;
	node = after == NULL ? *bucket_of(map, hash) : after->next;
	while (node != NULL && node->hash != hash)
		node = node->next;
	return node;
}

void net_map_filter(struct net_map *map, net_map_visit_fn keep, void *ctx)
{
	for (size_t i = 0; i < map->n_buckets; i++) {
		struct net_map_node **link = &map->buckets[i];

		while (*link != NULL) {
			struct net_map_node *node = *link;

			// Taken out before the call: the callback may free it.
			*link = node->next;
			map->len--;
			if (!keep(ctx, node))
				continue;
			node->next = *link;
			*link = node;
			map->len++;
			link = &node->next;
		}
	}
}
