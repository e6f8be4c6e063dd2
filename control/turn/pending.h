// SPDX-License-Identifier: BSD-3-Clause
// Requests that wait for the directory: copies in a bounded pool, keyed by 5-tuple and transaction
// id, each under the look-up of its user's name. All requests of one name wait for one look-up.
//
// A retransmission joins the request that waits already. A look-up ends with its answer or at its
// deadline, and its requests become ready; turn_next takes them up one by one. No client and no
// prefix gets more than its share of the pool; a request that finds no room is dropped and counted,
// and the client's retransmission tries again.
#pragma once

#include <turn/server.h>

#include <ds/list.h>
#include <ds/map.h>
#include <ds/pool.h>
#include <ds/wheel.h>

#include "realm.h"

#define TURN_PENDING_MAX	1024u // requests
#define TURN_PENDING_CLIENT_MAX 4u    // of one 5-tuple
#define TURN_PENDING_PREFIX_MAX 128u  // of one IPv4 /24 or IPv6 /56
#define TURN_PENDING_LEN_MAX	1536u // bytes of a request
#define TURN_LOOKUP_S		5u    // until a look-up has failed

struct turn_pending_prefix {
	struct ds_map_node node;
	struct tp_addr addr; // port 0, host bits 0
	uint32_t n;
	uint32_t index;
};

struct turn_lookup_state {
	struct ds_map_node by_name;
	struct ds_list requests;
	struct ds_timer timer;
	struct turn_realm *realm;
	uint32_t index;
	uint32_t generation; // 0: free
	bool forgotten;	     // its answer may be out of date: it is not cached
	uint16_t name_len;
	char name[TURN_USERNAME_MAX];
};

struct turn_pending_request {
	struct ds_map_node by_client;
	struct ds_list link; // of its look-up, or of the ready ones
	struct turn_pending_prefix *prefix;
	struct turn_tuple from;
	struct turn_answer answer; // of a ready one
	uint32_t index;
	uint16_t len;
	uint8_t octets[TURN_PENDING_LEN_MAX];
};

struct turn_pending {
	struct ds_map by_client;
	struct ds_map by_name;
	struct ds_map prefixes;
	struct ds_pool requests;
	struct ds_pool lookups;
	struct ds_pool prefix_pool;
	struct ds_list ready;
	struct ds_wheel *wheel;
	uint32_t generation; // of the look-up made last
};

enum turn_pending_result {
	TURN_PENDING_ASK,    // waits; its look-up is new
	TURN_PENDING_WAITS,  // waits for a look-up under way
	TURN_PENDING_JOINED, // a retransmission of one that waits
	TURN_PENDING_FULL,   // no room
	TURN_PENDING_SHARE,  // its client or prefix has its share already
};

// 0 or -ENOMEM. Generations begin at random, so that no ticket of a server before is taken.
int turn_pending_init(struct turn_pending *p, const uint8_t map_key[16], struct ds_wheel *wheel,
	uint32_t generation);
void turn_pending_fini(struct turn_pending *p);

// Whether the request, or an earlier copy of it, waits or is ready.
bool turn_pending_has(
	const struct turn_pending *p, const struct turn_tuple *from, const uint8_t *txid);
// Copies a request that waits for a user's key until `expires_s`. `lookup` is its look-up where
// the result is ASK.
enum turn_pending_result turn_pending_add(struct turn_pending *p, const struct turn_tuple *from,
	const struct stun_message *m, struct turn_realm *realm, struct stun_text name,
	uint32_t expires_s, struct turn_lookup_state **lookup);
uint64_t turn_pending_ticket(const struct turn_lookup_state *lookup);
// The look-up of a ticket; NULL: it has ended, or never was.
struct turn_lookup_state *turn_pending_lookup(const struct turn_pending *p, uint64_t ticket);
// Ends a look-up: its requests become ready with this answer.
void turn_pending_end(
	struct turn_pending *p, struct turn_lookup_state *lookup, const struct turn_answer *answer);
// The answer to a look-up of the name, where one is under way, must not be cached.
void turn_pending_forget(
	struct turn_pending *p, const struct turn_realm *realm, struct stun_text name);
// Takes the next ready request into the caller's room; false: none.
bool turn_pending_take(struct turn_pending *p, struct turn_pending_request *request);
// Drops all requests of a client; returns how many.
unsigned turn_pending_drop(struct turn_pending *p, const struct turn_tuple *from);
