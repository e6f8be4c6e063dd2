// SPDX-License-Identifier: BSD-3-Clause
// Hashing and comparing 5-tuples: `struct turn_tuple` ends in padding that must not count.
#pragma once

#include <turn/store.h>

#include <ds/list.h>
#include <ds/map.h>

struct turn_tuple_key {
	struct tp_addr remote;
	uint32_t listener_id;
	uint8_t txid[12];
};
TP_ASSERT_SIZE(struct turn_tuple_key, 36);

static inline bool turn_tuple_equal(const struct turn_tuple *a, const struct turn_tuple *b)
{
	return a->listener_id == b->listener_id && tp_addr_equal(&a->remote, &b->remote);
}

// Without a transaction id (NULL) or with it.
static inline uint64_t turn_tuple_hash(
	const struct ds_map *m, const struct turn_tuple *t, const uint8_t *txid)
{
	struct turn_tuple_key key = {.remote = t->remote, .listener_id = t->listener_id};

	if (txid == NULL)
		return ds_map_hash(m, &key, offsetof(struct turn_tuple_key, txid));
	memcpy(key.txid, txid, sizeof(key.txid));
	return ds_map_hash(m, &key, sizeof(key));
}
