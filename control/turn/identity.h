// SPDX-License-Identifier: BSD-3-Clause
// Identities: the realm, kind, name and key that an allocation was made under. Interned, because
// one user may have a hundred thousand allocations.
#pragma once

#include <turn/server.h>

#include <ds/list.h>
#include <ds/map.h>

#include "realm.h"

// A user as a request names it, not kept by anybody.
struct turn_principal {
	struct turn_realm *realm;
	struct stun_text name;
	// As in the allocation's record: id of the REST secret that made the password; number of
	// the token, whose name is that of a key and shared; 0: none.
	uint32_t secret_id;
	enum turn_identity_kind kind;
	uint64_t expires_s; // of the credential, wall clock; 0: it has no end
};

struct turn_identity {
	struct ds_map_node node;
	struct turn_realm *realm;
	uint32_t refs;
	uint32_t secret_id;
	enum turn_identity_kind kind;
	uint64_t expires_s;
	struct turn_key key;
	uint16_t name_len;
	char name[];
};

// Returns the identity with one more reference; NULL without memory.
struct turn_identity *turn_identity_take(struct ds_map *identities,
	const struct turn_principal *principal, const struct turn_key *key);
// Wipes the key with the last reference.
void turn_identity_return(struct ds_map *identities, struct turn_identity *id);

// Whether both are the same user (RFC 8656 5, code 441). Keys do not count: a password may change.
bool turn_identity_is(const struct turn_identity *id, const struct turn_principal *principal);

// Whether the user's calls end with the credential: always with a token (RFC 7635 4).
static inline bool turn_principal_ends(const struct turn_principal *p)
{
	return p->kind == TURN_IDENTITY_TOKEN ||
	       (p->expires_s != 0 && p->realm->conf.end_with_credential);
}

static inline struct turn_principal turn_identity_principal(const struct turn_identity *id)
{
	return (struct turn_principal){
		.realm = id->realm,
		.name = {id->name, id->name_len},
		.secret_id = id->secret_id,
		.kind = id->kind,
		.expires_s = id->expires_s,
	};
}

// The hash of a name in one of the server's maps, apart for each realm and kind.
static inline uint64_t turn_name_hash(const struct ds_map *m, const struct turn_realm *realm,
	enum turn_identity_kind kind, struct stun_text name)
{
	return ds_map_hash(m, name.chars, name.len) ^ (uint64_t)realm->conf.id << 8 ^ kind;
}
