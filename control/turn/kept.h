// SPDX-License-Identifier: BSD-3-Clause
// Keys of time-limited credentials that have verified a message lately: a client asks for several
// allocations under one user name, and deriving its key costs more than the message's own MAC.
//
// A name gets in only when a message verified under its key, so that invented names neither fill
// the room nor drive others out. There is room for TURN_KEPT_MAX; the one unused for longest goes.
// A key goes when its credential's time is over, or an hour, by a timer; all of them go with the
// server: a reload of users, secrets or realm makes another one. Keys that went are wiped.
#pragma once

#include <stun/integrity.h>

#include "list.h"
#include "map.h"
#include "wheel.h"

#define TURN_KEPT_MAX	   8192u
#define TURN_KEPT_NAME_MAX 128u	 // longer names are derived each time
#define TURN_KEPT_S	   3600u // at most, whatever the credential says

struct turn_kept_key {
	struct turn_map_node node;
	struct turn_list link; // of those in use, or of the free ones
	struct turn_timer timer;
	uint32_t secret; // index into conf.secrets
	uint16_t name_len;
	uint8_t key[STUN_KEY_MD5_LEN];
	char name[TURN_KEPT_NAME_MAX];
};

struct turn_kept {
	struct turn_map map;
	struct turn_list used; // the one unused for longest first
	struct turn_list free;
	struct turn_kept_key *keys; // [TURN_KEPT_MAX]
	uint32_t n_fresh;	    // of them, from the start, were in use at some time
};

// 0 or -ENOMEM.
int turn_kept_init(struct turn_kept *k, const uint8_t key[16]);
// Forgets all keys; their timers are stopped.
void turn_kept_clear(struct turn_kept *k, struct turn_wheel *w);
// After turn_kept_clear, or without a key.
void turn_kept_fini(struct turn_kept *k);

// NULL: none.
struct turn_kept_key *turn_kept_find(const struct turn_kept *k, struct stun_text name);
// It was of use: the others go first.
void turn_kept_touch(struct turn_kept *k, struct turn_kept_key *key);
// After a message verified under the key, which goes at this second. The name has none: an older
// one was dropped.
void turn_kept_add(struct turn_kept *k, struct turn_wheel *w, struct stun_text name,
	uint32_t secret, const uint8_t key[STUN_KEY_MD5_LEN], uint32_t expires_s);
void turn_kept_drop(struct turn_kept *k, struct turn_wheel *w, struct turn_kept_key *key);
