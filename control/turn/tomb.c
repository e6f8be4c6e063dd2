// SPDX-License-Identifier: BSD-3-Clause
#include "tomb.h"

#include "tuple.h"

int turn_tombs_init(struct turn_tombs *t, const uint8_t key[16])
{
	turn_pool_init(&t->pool, sizeof(struct turn_tomb));
	turn_list_init(&t->queue);
	return turn_map_init(&t->map, key);
}

void turn_tombs_fini(struct turn_tombs *t)
{
	turn_map_fini(&t->map);
	turn_pool_fini(&t->pool);
}

static struct turn_tomb *oldest(const struct turn_tombs *t)
{
	return turn_list_is_empty(&t->queue)
		       ? NULL
		       : TURN_CONTAINER(t->queue.next, struct turn_tomb, link);
}

static void tomb_drop(struct turn_tombs *t, struct turn_tomb *tomb)
{
	turn_map_del(&t->map, &tomb->node);
	turn_list_del(&tomb->link);
	turn_pool_return(&t->pool, tomb->index);
}

void turn_tombs_add(struct turn_tombs *t, uint64_t now_ns, const struct turn_tuple *client,
	const uint8_t txid[12])
{
	turn_tombs_add_until(t, tp_expiry_s(now_ns, TURN_TOMB_S), client, txid);
}

void turn_tombs_add_until(struct turn_tombs *t, uint32_t until_s, const struct turn_tuple *client,
	const uint8_t txid[12])
{
	struct turn_tomb *tomb;
	uint32_t index;

	if (t->pool.n_taken >= TURN_TOMB_MAX)
		tomb_drop(t, oldest(t));
	tomb = turn_pool_take(&t->pool, &index);
	if (tomb == NULL)
		return;
	tomb->client = *client;
	tomb->expires_s = until_s;
	tomb->index = index;
	memcpy(tomb->txid, txid, sizeof(tomb->txid));
	turn_list_add(&t->queue, &tomb->link);
	turn_map_add(&t->map, &tomb->node, turn_tuple_hash(&t->map, client, txid));
}

bool turn_tombs_have(const struct turn_tombs *t, uint32_t now_s, const struct turn_tuple *client,
	const uint8_t txid[12])
{
	struct turn_map_node *n;

	if (t->map.n == 0)
		return false;
	n = turn_map_first(&t->map, turn_tuple_hash(&t->map, client, txid));
	for (; n != NULL; n = turn_map_next(n)) {
		const struct turn_tomb *tomb = TURN_CONTAINER(n, struct turn_tomb, node);

		if (tomb->expires_s > now_s && turn_tuple_equal(&tomb->client, client) &&
			memcmp(tomb->txid, txid, sizeof(tomb->txid)) == 0)
			return true;
	}
	return false;
}

void turn_tombs_advance(struct turn_tombs *t, uint32_t now_s, unsigned *budget)
{
	struct turn_tomb *tomb;

	for (; *budget > 0; --*budget) {
		tomb = oldest(t);
		if (tomb == NULL || tomb->expires_s > now_s)
			return;
		tomb_drop(t, tomb);
	}
}

uint32_t turn_tombs_next_s(const struct turn_tombs *t)
{
	const struct turn_tomb *tomb = oldest(t);

	return tomb != NULL ? tomb->expires_s : UINT32_MAX;
}
