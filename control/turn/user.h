// SPDX-License-Identifier: BSD-3-Clause
// Who uses the relay: the configured users by name, the identities that live allocations belong to
// (a name and the key the allocation was made with, interned, because one user may have a hundred
// thousand allocations), and how many allocations each quota name has.
#pragma once

#include <stun/integrity.h>
#include <turn/server.h>

#include "map.h"

struct turn_static_user {
	struct turn_map_node node;
	const struct turn_user *user;
};

struct turn_quota {
	struct turn_map_node node;
	uint32_t n_allocations;
	uint16_t name_len;
	char name[];
};

struct turn_identity {
	struct turn_map_node node;
	uint32_t refs;
	uint16_t name_len;
	uint8_t key[STUN_KEY_MD5_LEN];
	char name[];
};

struct turn_users {
	struct turn_map statics;
	struct turn_static_user *static_users;
	struct turn_map identities;
	struct turn_map quotas;
};

int turn_users_init(struct turn_users *u, const uint8_t key[16], const struct turn_conf *conf);
// All identities and quotas must have been returned.
void turn_users_fini(struct turn_users *u);

// The configured user of that name, NULL when there is none.
const struct turn_user *turn_users_find(const struct turn_users *u, struct stun_text name);
// The name that quotas count: behind the expiry for a time-limited credential, else all of it.
struct stun_text turn_users_quota_name(const struct turn_users *u, struct stun_text name);
// How many allocations the quota name of this user has.
uint32_t turn_users_allocations(const struct turn_users *u, struct stun_text name);

// One allocation more for the quota name of this user; NULL without memory.
struct turn_quota *turn_quota_take(struct turn_users *u, struct stun_text name);
void turn_quota_return(struct turn_users *u, struct turn_quota *q);

// The identity, with one more reference; NULL without memory.
struct turn_identity *turn_identity_take(
	struct turn_users *u, struct stun_text name, const uint8_t key[STUN_KEY_MD5_LEN]);
void turn_identity_return(struct turn_users *u, struct turn_identity *id);

static inline bool turn_text_equal(struct stun_text a, struct stun_text b)
{
	return a.len == b.len && memcmp(a.chars, b.chars, a.len) == 0;
}

static inline struct stun_text turn_identity_name(const struct turn_identity *id)
{
	return (struct stun_text){id->name, id->name_len};
}
