// SPDX-License-Identifier: BSD-3-Clause
// Realms: each has users, secrets, a policy, limits and counters of its own. A message belongs to
// the realm of its listener, or to one that its REALM or ORIGIN attribute chooses.
#pragma once

#include <stun/integrity.h>
#include <turn/server.h>

#include <ds/list.h>
#include <ds/map.h>

#include "keyring.h"
#include "level.h"
#include "secret.h"

struct turn_static_user {
	struct ds_map_node node;
	struct ds_map_node by_hash; // where the realm has USERHASH
	uint8_t hash[STUN_USERHASH_LEN];
	const struct turn_user *user;
};

struct turn_policy_user {
	struct stun_text name;
	const struct turn_user_policy *policy;
};

struct turn_realm {
	struct turn_realm_conf conf;
	struct turn_policy_user *policy_users; // sorted by name
	size_t n_policy_users;
	struct stun_text name;
	struct tp_nonce_realm nonce;
	struct ds_map statics;
	struct ds_map by_hash;
	struct turn_static_user *static_users;
	struct turn_realm_counters counters;
	size_t n_allocations;
	uint32_t n_held;	 // relayed addresses and reserved ports, as accounts count them
	uint32_t n_data;	 // data connections of TCP allocations
	struct turn_level level; // of its cap
	struct turn_secret_use *uses; // the secrets of `conf` first, in their order
	size_t n_uses;
	struct turn_keyring *ring; // keys of a database, in `conf` too; NULL: none
};

struct turn_realms {
	struct turn_realm *items; // in the configuration's order
	size_t n;
};

// 0, -EINVAL, -ENOMEM or -EIO.
int turn_realms_init(struct turn_realms *rs, const uint8_t key[16], struct stun_crypto *x,
	const struct turn_conf *conf);
void turn_realms_fini(struct turn_realms *rs);

// Both have realms of the same ids in the same order.
bool turn_realms_are_same(const struct turn_realms *a, const struct turn_realms *b);
// Takes over the contents of `fresh`, which are the same realms, and frees the old ones; identities
// and counters stay with their realm.
void turn_realms_replace(struct turn_realms *rs, struct turn_realms *fresh);

// NULL: none has the id.
struct turn_realm *turn_realm_by_id(const struct turn_realms *rs, uint16_t id);
// Returns the realm of a message to a listener whose own realm is `own`. A REALM attribute may name
// that one, or one that has origins; without one of these an ORIGIN attribute may choose.
struct turn_realm *turn_realm_choose(
	const struct turn_realms *rs, struct turn_realm *own, const struct stun_message *m);
// The policy of that user of the realm's; NULL: the realm's own.
const struct turn_user_policy *turn_realm_policy(
	const struct turn_realm *realm, struct stun_text name);
// The configured user of that name; NULL: none.
const struct turn_user *turn_realm_user(const struct turn_realm *realm, struct stun_text name);

// The configured user of that USERHASH; NULL: none.
const struct turn_user *turn_realm_user_by_hash(
	const struct turn_realm *realm, const uint8_t hash[STUN_USERHASH_LEN]);

static inline bool turn_text_equal(struct stun_text a, struct stun_text b)
{
	return a.len == b.len && memcmp(a.chars, b.chars, a.len) == 0;
}

static inline struct stun_text turn_text(const char *s)
{
	return (struct stun_text){s, strlen(s)};
}

// Returns the text of an attribute, empty where the message has none.
static inline struct stun_text turn_text_of(const struct stun_message *m, enum stun_attr id)
{
	return (struct stun_text){(const char *)m->attr[id].octets, m->attr[id].len};
}
