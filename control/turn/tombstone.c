// SPDX-License-Identifier: BSD-3-Clause
#include "tombstone.h"

#include "tuple.h"

int turn_tombstones_init(struct turn_tombstones *t, const uint8_t key[16])
{
	ds_pool_init(&t->pool, sizeof(struct turn_tombstone));
	ds_list_init(&t->queue);
	return ds_map_init(&t->map, key);
}

void turn_tombstones_fini(struct turn_tombstones *t)
{
	ds_map_fini(&t->map);
	ds_pool_fini(&t->pool);
}

static struct turn_tombstone *oldest(const struct turn_tombstones *t)
{
	return ds_list_is_empty(&t->queue)
		       ? NULL
		       : DS_CONTAINER(t->queue.next, struct turn_tombstone, link);
}

static void tombstone_drop(struct turn_tombstones *t, struct turn_tombstone *tombstone)
{
	ds_map_del(&t->map, &tombstone->node);
	ds_list_del(&tombstone->link);
	ds_pool_return(&t->pool, tombstone->index);
}

void turn_tombstones_add(struct turn_tombstones *t, uint64_t now_ns,
	const struct turn_tuple *client, const uint8_t txid[12])
{
	turn_tombstones_add_until(t, tp_expiry_s(now_ns, TURN_TOMBSTONE_S), client, txid);
}

void turn_tombstones_add_until(struct turn_tombstones *t, uint32_t until_s,
	const struct turn_tuple *client, const uint8_t txid[12])
{
	struct turn_tombstone *tombstone;
	uint32_t index;

	if (t->pool.n_taken >= TURN_TOMBSTONE_MAX)
		tombstone_drop(t, oldest(t));
	tombstone = ds_pool_take(&t->pool, &index);
	if (tombstone == NULL)
		return;
	tombstone->client = *client;
	tombstone->expires_s = until_s;
	tombstone->index = index;
	memcpy(tombstone->txid, txid, sizeof(tombstone->txid));
	ds_list_add(&t->queue, &tombstone->link);
	ds_map_add(&t->map, &tombstone->node, turn_tuple_hash(&t->map, client, txid));
}

bool turn_tombstones_have(const struct turn_tombstones *t, uint32_t now_s,
	const struct turn_tuple *client, const uint8_t txid[12])
{
	struct ds_map_node *n;

	if (t->map.n == 0)
		return false;
	n = ds_map_first(&t->map, turn_tuple_hash(&t->map, client, txid));
	for (; n != NULL; n = ds_map_next(n)) {
		const struct turn_tombstone *tombstone =
			DS_CONTAINER(n, struct turn_tombstone, node);

		if (tombstone->expires_s > now_s && turn_tuple_equal(&tombstone->client, client) &&
			memcmp(tombstone->txid, txid, sizeof(tombstone->txid)) == 0)
			return true;
	}
	return false;
}

void turn_tombstones_advance(struct turn_tombstones *t, uint32_t now_s, unsigned *budget)
{
	struct turn_tombstone *tombstone;

	for (; *budget > 0; --*budget) {
		tombstone = oldest(t);
		if (tombstone == NULL || tombstone->expires_s > now_s)
			return;
		tombstone_drop(t, tombstone);
	}
}

uint32_t turn_tombstones_next_s(const struct turn_tombstones *t)
{
	const struct turn_tombstone *tombstone = oldest(t);

	return tombstone != NULL ? tombstone->expires_s : UINT32_MAX;
}
