// SPDX-License-Identifier: BSD-3-Clause
// Keys that need not be made or asked for again: of time-limited credentials that verified a
// message lately, and the directory's answers. Deriving a credential's key costs more than the
// message's own MAC, and a look-up costs a process and its database.
//
// A credential gets in only when a message verified under its key, so that invented names neither
// fill the room nor drive others out. The one unused for longest goes first. A key goes with its
// time, by a timer, and all of them where a reload changes secrets or realms. Keys that went are
// wiped.
#pragma once

#include <ds/list.h>
#include <ds/pool.h>
#include <ds/wheel.h>

#include "identity.h"

#define TURN_KEY_CACHE_MAX	8192u
#define TURN_KEY_CACHE_NAME_MAX 128u  // longer names are not kept
#define TURN_KEY_CACHE_S	3600u // at most, even if the credential lives longer

struct turn_key_cache;

struct turn_cached_key {
	struct ds_map_node node;
	struct ds_list link; // least recently used first
	struct ds_timer timer;
	struct turn_key_cache *cache;
	const struct turn_realm *realm;
	uint32_t index;
	uint32_t secret; // credentials: index into the realm's secrets
	uint16_t name_len;
	struct turn_key key;
	char name[TURN_KEY_CACHE_NAME_MAX];
};

struct turn_key_cache {
	struct ds_map map;
	struct ds_list used; // least recently used first
	struct ds_pool pool;
	struct ds_wheel *wheel;
};

// 0 or -ENOMEM.
int turn_key_cache_init(
	struct turn_key_cache *c, const uint8_t map_key[16], struct ds_wheel *wheel);
// Drops all keys; their timers are stopped.
void turn_key_cache_fini(struct turn_key_cache *c);

void turn_key_cache_clear(struct turn_key_cache *c);

// NULL: none.
struct turn_cached_key *turn_key_cache_find(
	const struct turn_key_cache *c, const struct turn_realm *realm, struct stun_text name);
// Marks the key most recently used.
void turn_key_cache_touch(struct turn_cached_key *k);
// Adds a key until that second, in place of an older one of the name. A name that is too long is
// left out.
void turn_key_cache_add(struct turn_key_cache *c, const struct turn_realm *realm,
	struct stun_text name, const struct turn_key *key, uint32_t secret, uint32_t expires_s);
void turn_key_cache_drop(struct turn_cached_key *k);
