// SPDX-License-Identifier: BSD-3-Clause
#include "realm.h"

#include <turnpike/nonce.h>

#include <errno.h>
#include <stdlib.h>

uint32_t turn_realm_features(const struct turn_realm_conf *realm)
{
	uint32_t features = realm->features;

	if (realm->directory)
		return 0;
	if (realm->n_secrets > 0 || realm->token_server != NULL)
		features &= ~TP_FEATURE_USERHASH;
	for (size_t i = 0; i < realm->n_users; i++) {
		if (realm->users[i].key_sha256.algorithm != TURN_KEY_SHA256)
			features &= ~TP_FEATURE_PASSWORD_ALGORITHMS;
	}
	return features;
}

static int hash_add(struct turn_realm *realm, struct stun_crypto *x, struct turn_static_user *u)
{
	if ((realm->nonce.features & TP_FEATURE_USERHASH) == 0)
		return 0;
	if (stun_userhash(x, turn_text(u->user->name), realm->name, u->hash) != 0)
		return -EIO;
	ds_map_add(&realm->by_hash, &u->by_hash,
		ds_map_hash(&realm->by_hash, u->hash, sizeof(u->hash)));
	return 0;
}

static int statics_init(struct turn_realm *realm, const uint8_t key[16], struct stun_crypto *x)
{
	size_t n = realm->conf.n_users;

	if (ds_map_init(&realm->statics, key) != 0 || ds_map_init(&realm->by_hash, key) != 0)
		return -ENOMEM;
	if (n == 0)
		return 0;
	realm->static_users = calloc(n, sizeof(*realm->static_users));
	if (realm->static_users == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *name = realm->conf.users[i].name;

		realm->static_users[i].user = &realm->conf.users[i];
		ds_map_add(&realm->statics, &realm->static_users[i].node,
			ds_map_hash(&realm->statics, name, strlen(name)));
		if (hash_add(realm, x, &realm->static_users[i]) != 0)
			return -EIO;
	}
	return 0;
}

static int policy_user_compare(const void *a, const void *b)
{
	const struct turn_policy_user *x = a, *y = b;
	int c = x->name.len < y->name.len ? -1 : x->name.len > y->name.len;

	return c != 0 ? c : memcmp(x->name.chars, y->name.chars, x->name.len);
}

static int policy_users_init(struct turn_realm *realm)
{
	const struct turn_realm_conf *c = &realm->conf;
	size_t n = 0;

	for (size_t i = 0; i < c->n_policies; i++)
		n += c->policies[i].n_users;
	if (n == 0)
		return 0;
	realm->policy_users = calloc(n, sizeof(*realm->policy_users));
	if (realm->policy_users == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_policies; i++) {
		for (size_t k = 0; k < c->policies[i].n_users; k++)
			realm->policy_users[realm->n_policy_users++] = (struct turn_policy_user){
				.name = turn_text(c->policies[i].users[k]),
				.policy = &c->policies[i]};
	}
	qsort(realm->policy_users, n, sizeof(*realm->policy_users), policy_user_compare);
	return 0;
}

const struct turn_user_policy *turn_realm_policy(
	const struct turn_realm *realm, struct stun_text name)
{
	const struct turn_policy_user key = {.name = name};
	const struct turn_policy_user *found;

	if (realm->n_policy_users == 0)
		return NULL;
	found = bsearch(
		&key, realm->policy_users, realm->n_policy_users, sizeof(key), policy_user_compare);
	return found == NULL ? NULL : found->policy;
}

static bool realm_is_new(const struct turn_realms *rs, const struct turn_realm_conf *conf)
{
	for (size_t i = 0; i < rs->n; i++) {
		if (rs->items[i].conf.id == conf->id ||
			strcmp(rs->items[i].conf.name, conf->name) == 0)
			return false;
	}
	return true;
}

int turn_realms_init(struct turn_realms *rs, const uint8_t key[16], struct stun_crypto *x,
	const struct turn_conf *conf)
{
	*rs = (struct turn_realms){0};
	rs->items = calloc(conf->n_realms, sizeof(*rs->items));
	if (rs->items == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conf->n_realms; i++) {
		const struct turn_realm_conf *c = &conf->realms[i];
		struct turn_realm *realm = &rs->items[rs->n];
		int err;

		if (c->name == NULL || c->policy == NULL || !realm_is_new(rs, c))
			return -EINVAL;
		rs->n++;
		realm->conf = *c;
		realm->name = turn_text(c->name);
		realm->nonce.hash = tp_nonce_realm_hash(conf->nonce_key, c->name, strlen(c->name));
		realm->nonce.features = turn_realm_features(c);
		err = statics_init(realm, key, x);
		if (err == 0)
			err = policy_users_init(realm);
		if (err == 0)
			err = turn_secret_uses_make(realm, NULL);
		if (err != 0)
			return err;
	}
	return 0;
}

void turn_realms_fini(struct turn_realms *rs)
{
	for (size_t i = 0; i < rs->n; i++) {
		ds_map_fini(&rs->items[i].statics);
		ds_map_fini(&rs->items[i].by_hash);
		free(rs->items[i].static_users);
		free(rs->items[i].policy_users);
		turn_secret_uses_fini(&rs->items[i]);
		turn_keyring_fini(&rs->items[i]);
	}
	free(rs->items);
	*rs = (struct turn_realms){0};
}

bool turn_realms_are_same(const struct turn_realms *a, const struct turn_realms *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		if (a->items[i].conf.id != b->items[i].conf.id)
			return false;
	}
	return a->n == b->n;
}

void turn_realms_replace(struct turn_realms *rs, struct turn_realms *fresh)
{
	for (size_t i = 0; i < rs->n; i++) {
		struct turn_realm old = rs->items[i];

		rs->items[i] = fresh->items[i];
		rs->items[i].counters = old.counters;
		rs->items[i].n_allocations = old.n_allocations;
		rs->items[i].n_held = old.n_held;
		rs->items[i].n_data = old.n_data;
		rs->items[i].level = old.level;
		fresh->items[i] = old;
	}
	turn_realms_fini(fresh);
}

struct turn_realm *turn_realm_by_id(const struct turn_realms *rs, uint16_t id)
{
	for (size_t i = 0; i < rs->n; i++) {
		if (rs->items[i].conf.id == id)
			return &rs->items[i];
	}
	return NULL;
}

static bool origin_matches(const struct turn_realm *realm, struct stun_text origin)
{
	for (size_t i = 0; i < realm->conf.n_origins; i++) {
		if (turn_text_equal(origin, turn_text(realm->conf.origins[i])))
			return true;
	}
	return false;
}

struct turn_realm *turn_realm_choose(
	const struct turn_realms *rs, struct turn_realm *own, const struct stun_message *m)
{
	struct stun_text name = turn_text_of(m, STUN_REALM);
	struct stun_text origin = turn_text_of(m, STUN_ORIGIN);
	struct turn_realm *chosen = own;

	if (rs->n == 1 || (stun_has(m, STUN_REALM) && turn_text_equal(name, own->name)))
		return own;
	for (size_t i = 0; i < rs->n; i++) {
		struct turn_realm *realm = &rs->items[i];

		if (realm->conf.n_origins == 0)
			continue;
		if (stun_has(m, STUN_REALM) && turn_text_equal(name, realm->name))
			return realm;
		if (stun_has(m, STUN_ORIGIN) && origin_matches(realm, origin))
			chosen = realm;
	}
	return chosen;
}

const struct turn_user *turn_realm_user(const struct turn_realm *realm, struct stun_text name)
{
	struct ds_map_node *n =
		ds_map_first(&realm->statics, ds_map_hash(&realm->statics, name.chars, name.len));

	for (; n != NULL; n = ds_map_next(n)) {
		const struct turn_user *user = DS_CONTAINER(n, struct turn_static_user, node)->user;

		if (turn_text_equal(name, turn_text(user->name)))
			return user;
	}
	return NULL;
}

const struct turn_user *turn_realm_user_by_hash(
	const struct turn_realm *realm, const uint8_t hash[STUN_USERHASH_LEN])
{
	struct ds_map_node *n = ds_map_first(
		&realm->by_hash, ds_map_hash(&realm->by_hash, hash, STUN_USERHASH_LEN));

	for (; n != NULL; n = ds_map_next(n)) {
		const struct turn_static_user *u =
			DS_CONTAINER(n, struct turn_static_user, by_hash);

		if (memcmp(u->hash, hash, STUN_USERHASH_LEN) == 0)
			return u->user;
	}
	return NULL;
}
