// SPDX-License-Identifier: BSD-3-Clause
#include "user.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "credential.h"
#include "list.h"

int turn_users_init(struct turn_users *u, const uint8_t key[16], const struct turn_conf *conf)
{
	memset(u, 0, sizeof(*u));
	if (turn_map_init(&u->statics, key) != 0 || turn_map_init(&u->identities, key) != 0 ||
		turn_map_init(&u->quotas, key) != 0)
		goto no_memory;
	if (conf->n_users == 0)
		return 0;
	u->static_users = calloc(conf->n_users, sizeof(*u->static_users));
	if (u->static_users == NULL)
		goto no_memory;
	for (size_t i = 0; i < conf->n_users; i++) {
		const char *name = conf->users[i].name;

		u->static_users[i].user = &conf->users[i];
		turn_map_add(&u->statics, &u->static_users[i].node,
			turn_map_hash(&u->statics, name, strlen(name)));
	}
	return 0;
no_memory:
	turn_users_fini(u);
	return -ENOMEM;
}

void turn_users_fini(struct turn_users *u)
{
	turn_map_fini(&u->statics);
	turn_map_fini(&u->identities);
	turn_map_fini(&u->quotas);
	free(u->static_users);
	u->static_users = NULL;
}

const struct turn_user *turn_users_find(const struct turn_users *u, struct stun_text name)
{
	struct turn_map_node *n =
		turn_map_first(&u->statics, turn_map_hash(&u->statics, name.chars, name.len));

	for (; n != NULL; n = turn_map_next(n)) {
		const struct turn_user *user =
			TURN_CONTAINER(n, struct turn_static_user, node)->user;

		if (turn_text_equal(name, (struct stun_text){user->name, strlen(user->name)}))
			return user;
	}
	return NULL;
}

struct stun_text turn_users_quota_name(const struct turn_users *u, struct stun_text name)
{
	struct stun_text rest_name;
	uint64_t expiry_s;

	if (turn_users_find(u, name) == NULL &&
		turn_credential_parse(name, &expiry_s, &rest_name) && rest_name.len > 0)
		return rest_name;
	return name;
}

static struct turn_quota *quota_find(const struct turn_users *u, struct stun_text name)
{
	struct turn_map_node *n =
		turn_map_first(&u->quotas, turn_map_hash(&u->quotas, name.chars, name.len));

	for (; n != NULL; n = turn_map_next(n)) {
		struct turn_quota *q = TURN_CONTAINER(n, struct turn_quota, node);

		if (turn_text_equal(name, (struct stun_text){q->name, q->name_len}))
			return q;
	}
	return NULL;
}

uint32_t turn_users_allocations(const struct turn_users *u, struct stun_text name)
{
	const struct turn_quota *q = quota_find(u, turn_users_quota_name(u, name));

	return q != NULL ? q->n_allocations : 0;
}

struct turn_quota *turn_quota_take(struct turn_users *u, struct stun_text username)
{
	struct stun_text name = turn_users_quota_name(u, username);
	struct turn_quota *q = quota_find(u, name);

	if (q == NULL) {
		q = calloc(1, sizeof(*q) + name.len);
		if (q == NULL)
			return NULL;
		q->name_len = (uint16_t)name.len;
		memcpy(q->name, name.chars, name.len);
		turn_map_add(&u->quotas, &q->node, turn_map_hash(&u->quotas, name.chars, name.len));
	}
	q->n_allocations++;
	return q;
}

void turn_quota_return(struct turn_users *u, struct turn_quota *q)
{
	if (--q->n_allocations > 0)
		return;
	turn_map_del(&u->quotas, &q->node);
	free(q);
}

static struct turn_identity *identity_find(
	const struct turn_users *u, struct stun_text name, const uint8_t *key)
{
	struct turn_map_node *n =
		turn_map_first(&u->identities, turn_map_hash(&u->identities, name.chars, name.len));

	for (; n != NULL; n = turn_map_next(n)) {
		struct turn_identity *id = TURN_CONTAINER(n, struct turn_identity, node);

		if (turn_text_equal(name, turn_identity_name(id)) &&
			CRYPTO_memcmp(id->key, key, sizeof(id->key)) == 0)
			return id;
	}
	return NULL;
}

struct turn_identity *turn_identity_take(
	struct turn_users *u, struct stun_text name, const uint8_t key[STUN_KEY_MD5_LEN])
{
	struct turn_identity *id = identity_find(u, name, key);

	if (id == NULL) {
		id = calloc(1, sizeof(*id) + name.len);
		if (id == NULL)
			return NULL;
		id->name_len = (uint16_t)name.len;
		memcpy(id->key, key, sizeof(id->key));
		memcpy(id->name, name.chars, name.len);
		turn_map_add(&u->identities, &id->node,
			turn_map_hash(&u->identities, name.chars, name.len));
	}
	id->refs++;
	return id;
}

void turn_identity_return(struct turn_users *u, struct turn_identity *id)
{
	if (--id->refs > 0)
		return;
	turn_map_del(&u->identities, &id->node);
	OPENSSL_cleanse(id->key, sizeof(id->key));
	free(id);
}
