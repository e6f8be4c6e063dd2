// SPDX-License-Identifier: BSD-3-Clause
#include "kept.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "user.h"

int turn_kept_init(struct turn_kept *k, const uint8_t key[16])
{
	turn_list_init(&k->used);
	turn_list_init(&k->free);
	k->n_fresh = 0;
	k->keys = calloc(TURN_KEPT_MAX, sizeof(*k->keys));
	if (k->keys == NULL)
		return -ENOMEM;
	return turn_map_init(&k->map, key);
}

void turn_kept_clear(struct turn_kept *k, struct turn_wheel *w)
{
	if (k->keys == NULL)
		return;
	while (!turn_list_is_empty(&k->used))
		turn_kept_drop(k, w, TURN_CONTAINER(k->used.next, struct turn_kept_key, link));
}

void turn_kept_fini(struct turn_kept *k)
{
	turn_map_fini(&k->map);
	free(k->keys);
	k->keys = NULL;
}

struct turn_kept_key *turn_kept_find(const struct turn_kept *k, struct stun_text name)
{
	struct turn_map_node *n =
		turn_map_first(&k->map, turn_map_hash(&k->map, name.chars, name.len));

	for (; n != NULL; n = turn_map_next(n)) {
		struct turn_kept_key *key = TURN_CONTAINER(n, struct turn_kept_key, node);

		if (turn_text_equal(name, (struct stun_text){key->name, key->name_len}))
			return key;
	}
	return NULL;
}

void turn_kept_touch(struct turn_kept *k, struct turn_kept_key *key)
{
	turn_list_del(&key->link);
	turn_list_add(&k->used, &key->link);
}

void turn_kept_drop(struct turn_kept *k, struct turn_wheel *w, struct turn_kept_key *key)
{
	turn_map_del(&k->map, &key->node);
	turn_wheel_stop(w, &key->timer);
	turn_list_del(&key->link);
	OPENSSL_cleanse(key, sizeof(*key));
	turn_list_init(&key->link);
	turn_list_add(&k->free, &key->link);
}

static struct turn_kept_key *room_take(struct turn_kept *k, struct turn_wheel *w)
{
	struct turn_kept_key *key;

	if (turn_list_is_empty(&k->free) && k->n_fresh < TURN_KEPT_MAX) {
		key = &k->keys[k->n_fresh++];
		turn_list_init(&key->link);
		return key;
	}
	if (turn_list_is_empty(&k->free))
		turn_kept_drop(k, w, TURN_CONTAINER(k->used.next, struct turn_kept_key, link));
	key = TURN_CONTAINER(k->free.next, struct turn_kept_key, link);
	turn_list_del(&key->link);
	return key;
}

void turn_kept_add(struct turn_kept *k, struct turn_wheel *w, struct stun_text name,
	uint32_t secret, const uint8_t key[STUN_KEY_MD5_LEN], uint32_t expires_s)
{
	struct turn_kept_key *kept;

	if (name.len > TURN_KEPT_NAME_MAX)
		return;
	kept = room_take(k, w);
	kept->secret = secret;
	kept->name_len = (uint16_t)name.len;
	memcpy(kept->key, key, sizeof(kept->key));
	memcpy(kept->name, name.chars, name.len);
	turn_list_add(&k->used, &kept->link);
	turn_map_add(&k->map, &kept->node, turn_map_hash(&k->map, name.chars, name.len));
	turn_timer_init(&kept->timer, TURN_TIMER_KEPT_KEY);
	turn_wheel_set(w, &kept->timer, expires_s);
}
