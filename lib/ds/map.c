// SPDX-License-Identifier: BSD-3-Clause
#include <ds/map.h>

#include <turnpike/siphash.h>

#include <errno.h>
#include <stdlib.h>

int ds_map_init(struct ds_map *m, const uint8_t key[16])
{
	memset(m, 0, sizeof(*m));
	memcpy(m->key, key, sizeof(m->key));
	m->segment[0] = calloc(DS_MAP_BASE, sizeof(*m->segment[0]));
	return m->segment[0] != NULL ? 0 : -ENOMEM;
}

void ds_map_fini(struct ds_map *m)
{
	for (unsigned i = 0; i < DS_MAP_SEGMENTS; i++)
		free(m->segment[i]);
	memset(m, 0, sizeof(*m));
}

void ds_map_reserve(struct ds_map *m, size_t n)
{
	if (m->n != 0 || m->split != 0)
		return;
	while (((size_t)DS_MAP_BASE << m->level) < n && m->level + 1 < DS_MAP_SEGMENTS) {
		size_t buckets = (size_t)DS_MAP_BASE << m->level;
		struct ds_map_node ***segment = &m->segment[m->level + 1];

		if (*segment == NULL)
			*segment = calloc(buckets, sizeof(**segment));
		if (*segment == NULL)
			return;
		m->level++;
	}
}

uint64_t ds_map_hash(const struct ds_map *m, const void *data, size_t len)
{
	return tp_siphash13(m->key, data, len);
}

static uint32_t round_buckets(const struct ds_map *m)
{
	return DS_MAP_BASE << m->level;
}

static struct ds_map_node **bucket_at(const struct ds_map *m, uint32_t i)
{
	unsigned k;

	if (i < DS_MAP_BASE)
		return &m->segment[0][i];
	k = 32 - (unsigned)__builtin_clz(i / DS_MAP_BASE);
	return &m->segment[k][i - (DS_MAP_BASE << (k - 1))];
}

static struct ds_map_node **bucket_of(const struct ds_map *m, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & (round_buckets(m) - 1);

	// Buckets before `split` have been split in this round: one more bit tells.
	if (i < m->split)
		i = (uint32_t)hash & (2 * round_buckets(m) - 1);
	return bucket_at(m, i);
}

static void push(struct ds_map_node **bucket, struct ds_map_node *node)
{
	node->next = *bucket;
	*bucket = node;
}

// Adds one bucket. Without memory for it the chains only get longer.
static void grow(struct ds_map *m)
{
	unsigned k = m->level + 1;
	struct ds_map_node **low, **high, *node, *next;

	if (k >= DS_MAP_SEGMENTS)
		return;
	if (m->segment[k] == NULL) {
		m->segment[k] = calloc(round_buckets(m), sizeof(*m->segment[k]));
		if (m->segment[k] == NULL)
			return;
	}
	low = bucket_at(m, m->split);
	high = bucket_at(m, round_buckets(m) + m->split);
	node = *low;
	*low = NULL;
	for (; node != NULL; node = next) {
		next = node->next;
		push(((uint32_t)node->hash & round_buckets(m)) != 0 ? high : low, node);
	}
	if (++m->split == round_buckets(m)) {
		m->split = 0;
		m->level++;
	}
}

void ds_map_add(struct ds_map *m, struct ds_map_node *node, uint64_t hash)
{
	if (m->n >= round_buckets(m) + m->split)
		grow(m);
	node->hash = hash;
	push(bucket_of(m, hash), node);
	m->n++;
}

void ds_map_del(struct ds_map *m, struct ds_map_node *node)
{
	struct ds_map_node **at = bucket_of(m, node->hash);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	node->next = NULL;
	m->n--;
}

static struct ds_map_node *skip_others(struct ds_map_node *node, uint64_t hash)
{
	while (node != NULL && node->hash != hash)
		node = node->next;
	return node;
}

struct ds_map_node *ds_map_first(const struct ds_map *m, uint64_t hash)
{
	return skip_others(*bucket_of(m, hash), hash);
}

struct ds_map_node *ds_map_next(const struct ds_map_node *node)
{
	return skip_others(node->next, node->hash);
}
