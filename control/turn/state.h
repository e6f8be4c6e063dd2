// SPDX-License-Identifier: BSD-3-Clause
// What the server keeps: allocations, their permissions and channels, and everything that finds,
// bounds or ends them.
//
// A permission lives here for as long as it is in the store (`in_store`) or a channel needs it: a
// channel outlives the permission for its peer (600 s against 300 s), and the next CreatePermission
// must reach the channel again.
#pragma once

#include <stun/integrity.h>
#include <turn/server.h>

#include "kept.h"
#include "list.h"
#include "map.h"
#include "nonce.h"
#include "out.h"
#include "own.h"
#include "pool.h"
#include "port.h"
#include "random.h"
#include "tomb.h"
#include "user.h"
#include "wheel.h"

// Bounds on what one allocation can hold: the rest of the tables belongs to others.
#define TURN_PERMISSIONS_MAX 1024u
#define TURN_CHANNELS_MAX    1024u

// With more permissions or channels than this they are found by hash, not by going through them:
// nearly every allocation has one or two, and each map costs a cache miss or three.
#define TURN_WALK_MAX	     4u

struct turn_slot {
	uint32_t expires_s; // 0: unused
	uint16_t relay;	    // index into conf.relays
	uint16_t port;
};

struct turn_allocation {
	struct turn_map_node by_tuple;
	struct turn_map_node by_ref;
	struct turn_tuple client;
	struct turn_identity *user; // until the event of its end has been handed out
	struct turn_quota *quota;   // until it is closed; NULL where users have no limit
	struct turn_slot slot[TURN_RELAY_SLOTS];
	struct turn_timer timer;
	struct turn_list permissions;
	uint64_t created_ns;
	uint32_t lifetime_s; // of the Allocate success response
	uint32_t ref;
	uint32_t index;		// in the pool
	uint32_t n_permissions; // in the list, those out of the store too
	uint32_t n_channels;
	uint8_t txid[12];
	uint8_t requested_family;
	bool live;   // false: closed, kept until the event of it has been handed out
	bool hashed; // its permissions and channels are in the server's maps
};

struct turn_permission {
	struct turn_map_node node; // where the allocation is hashed
	struct turn_list link;	   // of the allocation
	struct turn_list channels;
	struct turn_timer timer;
	struct turn_allocation *allocation;
	struct tp_addr peer; // port 0
	uint32_t expires_s;
	uint32_t ref;
	uint32_t index;
	bool in_store;
};

struct turn_channel {
	struct turn_map_node by_number; // where the allocation is hashed
	struct turn_map_node by_peer;
	struct turn_list link; // of the permission
	struct turn_timer timer;
	struct turn_permission *permission;
	struct tp_addr peer;
	uint32_t expires_s;
	uint32_t ref;
	uint32_t index;
	uint16_t number;
};

struct turn_server {
	struct turn_conf conf;
	struct turn_store store;
	struct turn_random random;
	struct stun_crypto *crypto;
	struct turn_nonces nonces;
	struct turn_users users;
	struct turn_kept kept;
	struct turn_own own;
	struct turn_ports ports;
	struct turn_tombs tombs;
	struct turn_wheel wheel;
	struct turn_map by_tuple;
	struct turn_map by_ref;
	struct turn_map permissions;
	struct turn_map channels_by_number;
	struct turn_map channels_by_peer;
	struct turn_pool allocation_pool;
	struct turn_pool permission_pool;
	struct turn_pool channel_pool;
	struct turn_outs outs;
	struct turn_counters counters;
	size_t n_allocations;
	struct turn_allocation *restored;    // the last one; allocations never move
	uint8_t dummy_key[STUN_KEY_MD5_LEN]; // for the HMAC of users nobody knows
	bool draining;
};

static inline uint32_t turn_seconds(uint64_t now_ns)
{
	return (uint32_t)(now_ns / TP_NS_PER_S);
}
