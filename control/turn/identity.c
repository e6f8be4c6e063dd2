// SPDX-License-Identifier: BSD-3-Clause
#include "identity.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static bool key_equal(const struct turn_key *a, const struct turn_key *b)
{
	return a->algorithm == b->algorithm && a->len == b->len &&
	       CRYPTO_memcmp(a->octets, b->octets, a->len) == 0;
}

bool turn_identity_is(const struct turn_identity *id, const struct turn_principal *principal)
{
	return id->realm == principal->realm && id->kind == principal->kind &&
	       (id->kind != TURN_IDENTITY_TOKEN || id->secret_id == principal->secret_id) &&
	       turn_text_equal(principal->name, (struct stun_text){id->name, id->name_len});
}

struct turn_identity *turn_identity_take(struct ds_map *identities,
	const struct turn_principal *principal, const struct turn_key *key)
{
	struct stun_text name = principal->name;
	uint64_t hash = turn_name_hash(identities, principal->realm, principal->kind, name);
	struct turn_identity *id;

	for (struct ds_map_node *n = ds_map_first(identities, hash); n != NULL;
		n = ds_map_next(n)) {
		id = DS_CONTAINER(n, struct turn_identity, node);
		if (turn_identity_is(id, principal) && id->secret_id == principal->secret_id &&
			id->expires_s == principal->expires_s && key_equal(&id->key, key)) {
			id->refs++;
			return id;
		}
	}
	id = calloc(1, sizeof(*id) + name.len);
	if (id == NULL)
		return NULL;
	id->realm = principal->realm;
	id->refs = 1;
	id->secret_id = principal->secret_id;
	id->kind = principal->kind;
	id->expires_s = principal->expires_s;
	id->key = *key;
	id->name_len = (uint16_t)name.len;
	memcpy(id->name, name.chars, name.len);
	ds_map_add(identities, &id->node, hash);
	return id;
}

void turn_identity_return(struct ds_map *identities, struct turn_identity *id)
{
	if (--id->refs > 0)
		return;
	ds_map_del(identities, &id->node);
	OPENSSL_cleanse(&id->key, sizeof(id->key));
	free(id);
}
