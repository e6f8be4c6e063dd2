// SPDX-License-Identifier: BSD-3-Clause
#include "key_cache.h"

#include <openssl/crypto.h>

#include "timer.h"

int turn_key_cache_init(struct turn_key_cache *c, const uint8_t map_key[16], struct ds_wheel *wheel)
{
	ds_list_init(&c->used);
	ds_pool_init(&c->pool, sizeof(struct turn_cached_key));
	c->wheel = wheel;
	return ds_map_init(&c->map, map_key);
}

void turn_key_cache_clear(struct turn_key_cache *c)
{
	while (!ds_list_is_empty(&c->used))
		turn_key_cache_drop(DS_CONTAINER(c->used.next, struct turn_cached_key, link));
}

void turn_key_cache_fini(struct turn_key_cache *c)
{
	// A server that never came so far has no list.
	if (c->wheel == NULL)
		return;
	turn_key_cache_clear(c);
	ds_map_fini(&c->map);
	ds_pool_fini(&c->pool);
	c->wheel = NULL;
}

// The map's hash of a name; kinds have caches of their own.
static uint64_t name_hash(
	const struct turn_key_cache *c, const struct turn_realm *realm, struct stun_text name)
{
	return turn_name_hash(&c->map, realm, 0, name);
}

struct turn_cached_key *turn_key_cache_find(
	const struct turn_key_cache *c, const struct turn_realm *realm, struct stun_text name)
{
	struct ds_map_node *n = ds_map_first(&c->map, name_hash(c, realm, name));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_cached_key *k = DS_CONTAINER(n, struct turn_cached_key, node);

		if (k->realm == realm &&
			turn_text_equal(name, (struct stun_text){k->name, k->name_len}))
			return k;
	}
	return NULL;
}

void turn_key_cache_touch(struct turn_cached_key *k)
{
	ds_list_del(&k->link);
	ds_list_add(&k->cache->used, &k->link);
}

void turn_key_cache_drop(struct turn_cached_key *k)
{
	struct turn_key_cache *c = k->cache;

	ds_map_del(&c->map, &k->node);
	ds_wheel_stop(c->wheel, &k->timer);
	ds_list_del(&k->link);
	OPENSSL_cleanse(&k->key, sizeof(k->key));
	ds_pool_return(&c->pool, k->index);
}

void turn_key_cache_add(struct turn_key_cache *c, const struct turn_realm *realm,
	struct stun_text name, const struct turn_key *key, uint32_t secret, uint32_t expires_s)
{
	struct turn_cached_key *k = turn_key_cache_find(c, realm, name);
	uint32_t index;

	if (k != NULL)
		turn_key_cache_drop(k);
	if (name.len > TURN_KEY_CACHE_NAME_MAX)
		return;
	if (c->pool.n_taken >= TURN_KEY_CACHE_MAX)
		turn_key_cache_drop(DS_CONTAINER(c->used.next, struct turn_cached_key, link));
	k = ds_pool_take(&c->pool, &index);
	if (k == NULL)
		return;
	k->cache = c;
	k->realm = realm;
	k->index = index;
	k->secret = secret;
	k->name_len = (uint16_t)name.len;
	k->key = *key;
	memcpy(k->name, name.chars, name.len);
	ds_list_init(&k->link);
	ds_list_add(&c->used, &k->link);
	ds_map_add(&c->map, &k->node, name_hash(c, realm, name));
	ds_timer_init(&k->timer, TURN_TIMER_CACHED_KEY);
	ds_wheel_set(c->wheel, &k->timer, expires_s);
}
