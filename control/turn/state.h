// SPDX-License-Identifier: BSD-3-Clause
// The server's state: allocations, their permissions and channels, and everything that finds,
// bounds or ends them.
//
// A permission lives here for as long as it is in the store (`in_store`) or a channel needs it: a
// channel outlives the permission for its peer (600 s against 300 s), and the next CreatePermission
// must reach the channel again.
#pragma once

#include <stun/integrity.h>
#include <turn/server.h>

#include "account.h"
#include "ban.h"
#include "budget.h"
#include "connection.h"
#include "identity.h"
#include "key_cache.h"
#include "level.h"
#include <ds/list.h>
#include <ds/map.h>
#include "nonce.h"
#include "out.h"
#include "local.h"
#include "path_mtu.h"
#include <ds/pool.h>
#include "pending.h"
#include "port.h"
#include "random.h"
#include "realm.h"
#include "timer.h"
#include "tombstone.h"
#include <ds/wheel.h>

// Bounds on the objects of one allocation: the rest of the tables belongs to others.
#define TURN_PERMISSIONS_MAX 1024u
#define TURN_CHANNELS_MAX    1024u

// With more permissions or channels than this they are found by hash, not by going through them:
// nearly every allocation has one or two, and each map costs a cache miss or three.
#define TURN_WALK_MAX	     4u

struct turn_data;
struct turn_move;

struct turn_slot {
	uint32_t expires_s; // 0: unused
	uint16_t relay;	    // index into conf.relays
	uint16_t port;
};

struct turn_allocation {
	struct ds_map_node by_tuple;
	struct ds_map_node by_ref;
	struct ds_map_node by_local;  // of TCP allocations
	struct ds_map_node by_ticket; // of those with one
	struct turn_tuple client;
	struct turn_identity *user;   // until the event of its end has been handed out
	struct turn_account *account; // until it is closed
	struct turn_move *move;	      // to another 5-tuple; NULL
	uint64_t ticket;	      // number of its last mobility ticket; 0: it has none
	struct turn_slot slot[TURN_RELAY_SLOTS];
	struct ds_timer timer;
	struct ds_list permissions;
	struct ds_list data; // connections of a TCP allocation
	uint64_t created_ns;
	uint64_t next_move_ns; // when it has used up nothing of the rate of moves
	uint64_t next_peer_ns; // likewise of new peers
	uint32_t lifetime_s;   // of the Allocate success response
	uint32_t ref;
	uint32_t index;		// in the pool
	uint32_t n_permissions; // in the list, those out of the store too
	uint32_t n_channels;
	uint32_t n_data;
	uint32_t limit;	     // of the store; 0: no cap concerns it
	struct turn_leg leg; // to the client
	uint8_t txid[12];    // of the Allocate request, or the last Refresh with a ticket
	uint8_t requested_family;
	uint8_t flags;	   // TURN_RECORD_*
	uint8_t n_counted; // relayed addresses that the account counts
	bool live;	   // false: closed, kept until the event of it has been handed out
	bool is_tcp;	   // relays TCP (RFC 6062)
	bool held;	   // its connection is gone, its client may come back with a ticket
	bool hashed;	   // its permissions and channels are in the server's maps
	bool capped;	   // its user's budget is spent
};

struct turn_permission {
	struct ds_map_node node; // where the allocation is hashed
	struct ds_list link;	 // of the allocation
	struct ds_list channels;
	struct ds_timer timer;
	struct turn_allocation *allocation;
	struct tp_addr peer; // port 0
	struct turn_leg leg;
	uint32_t expires_s;
	uint32_t ref;
	uint32_t index;
	bool in_store;
	bool has_ports; // the store may know it with ports
};

struct turn_channel {
	struct ds_map_node by_number; // where the allocation is hashed
	struct ds_map_node by_peer;
	struct ds_list link; // of the permission
	struct ds_timer timer;
	struct turn_permission *permission;
	struct tp_addr peer;
	uint32_t expires_s;
	uint32_t ref;
	uint32_t index;
	uint16_t number;
};

// Looks at every allocation once after a change of the configuration.
struct turn_sweep {
	bool under_way;
	uint32_t next; // index in the pool
};

struct turn_server {
	struct turn_conf conf;		   // its relays are the server's own, below
	struct turn_relay_address *relays; // by index; those that left the configuration too
	size_t n_relays;
	struct turn_sweep sweep;
	struct turn_store store;
	struct turn_random random;
	struct stun_crypto *crypto;
	struct turn_nonces nonces;
	struct turn_realms realms;
	struct ds_map identities;
	struct ds_map accounts;
	struct turn_key_cache key_cache; // of time-limited credentials
	struct turn_key_cache answers;	 // of the directory: users
	struct turn_key_cache strangers; // of the directory: names without a user
	struct turn_pending pending;
	struct turn_connections connections;
	struct turn_bans bans;
	struct turn_budgets budgets;
	uint64_t resume_ns;		     // when requests became ready
	uint64_t wall_s;		     // of the last message
	struct turn_lookup lookup;	     // of the question handed out last
	struct turn_pending_request resumed; // that has its answer, taken up last
	struct turn_locals locals;
	struct turn_ports ports;
	struct turn_tombstones tombstones;
	struct turn_mtus mtus;
	struct ds_wheel wheel;
	struct ds_map by_tuple;
	struct ds_map by_ref;
	struct ds_map by_ticket;
	struct ds_map moves_by_tuple;
	struct ds_map permissions;
	struct ds_map channels_by_number;
	struct ds_map channels_by_peer;
	struct ds_map reservations_by_token;
	struct ds_map reservations_by_port;
	struct ds_map tcp_by_local; // TCP allocations
	struct ds_map data_by_key;
	struct ds_map data_by_id;
	struct ds_pool allocation_pool;
	struct ds_pool permission_pool;
	struct ds_pool channel_pool;
	struct ds_pool reservation_pool;
	struct ds_pool data_pool;
	uint32_t data_max; // TURN_DATA_MAX, or the fewer that the edge has sockets for
	struct ds_pool move_pool;
	struct turn_outs outs;
	struct turn_counters counters;
	size_t n_allocations;
	uint32_t n_entries;		  // of the tables
	struct turn_allocation *restored; // the last one; allocations never move
	struct turn_level all_level;	  // of the cap of all realms
	struct turn_levels levels;
	uint32_t next_alternate;   // counts clients sent elsewhere
	struct turn_key dummy_key; // for the HMAC of users nobody knows
};

// response.c: answers the Connect request of a data connection, with 0 for success; and tells the
// client of one that came in.
void turn_connect_answer(struct turn_server *s, const struct turn_data *d, unsigned code);
void turn_attempt_tell(struct turn_server *s, const struct turn_data *d);
// server.c: the configuration can be served.
bool turn_conf_is_usable(const struct turn_conf *conf);
// peer.c: the policies that hold for the clients of an account; `trial` NULL: none is tried.
struct turn_policies {
	const struct policy *policy;
	const struct policy *trial;
};
struct turn_policies turn_policies_of(const struct turn_account *account);
// A permission for the peer's IP address may stay; with a port, the peer's channel or connection.
bool turn_peer_may_stay(const struct turn_server *s, const struct turn_account *account,
	const struct tp_addr *peer);
// The ports of the peer's IP address that the policy allows, and those that the one under trial
// does; NULL: all of them.
struct turn_ports_allowed {
	const struct tp_port_set *allowed;
	const struct tp_port_set *trial;
	struct tp_port_set sets[2];
};
void turn_peer_ports(const struct turn_server *s, const struct turn_allocation *a,
	const struct tp_addr *peer, struct turn_ports_allowed *out);
// reconfigure.c: goes on with the sweep, at most *budget objects of it.
void turn_sweep(struct turn_server *s, uint64_t now_ns, unsigned *budget);

static inline uint32_t turn_seconds(uint64_t now_ns)
{
	return (uint32_t)(now_ns / TP_NS_PER_S);
}

// Entries of the tables for an allocation: what each is made of.
#define TURN_ENTRIES_ALLOCATION 1u
#define TURN_ENTRIES_PERMISSION 1u
#define TURN_ENTRIES_CHANNEL	2u

// Whether a user who holds that many may take `n` more.
static inline bool turn_entries_are_left(
	const struct turn_server *s, const struct turn_account *account, uint32_t n)
{
	uint64_t left = s->conf.max_entries - (uint64_t)s->n_entries;

	if (s->conf.max_entries == 0)
		return true;
	return s->n_entries + (uint64_t)n <= s->conf.max_entries &&
	       account->n_entries <= TURN_ENTRIES_SHARE * (left - n);
}

static inline void turn_entries_count(struct turn_server *s, struct turn_account *account, int n)
{
	s->n_entries += (uint32_t)n;
	account->n_entries += (uint32_t)n;
}

// The same for an allocation: while it is moving it has each of its entries twice.
static inline int turn_entries_times(const struct turn_allocation *a, unsigned n)
{
	return (int)(a->move != NULL ? 2 * n : n);
}
