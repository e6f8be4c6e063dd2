// SPDX-License-Identifier: BSD-3-Clause
// The server's surroundings in the simulation: a clock of events, a network, clients.
#pragma once

#include <fake_store.h>
#include <policy/policy.h>

#include "model.h"

#define WORLD_USERS	      7u
#define WORLD_USER_QUOTA      12u
#define WORLD_MAX_ALLOCATIONS 40u
#define WORLD_PORTS	      24u // per family
#define WORLD_WALL_START_S    1800000000u
#define WORLD_REALM	      "sim.example"
#define WORLD_EVENTS	      8192u

enum event_kind {
	EVENT_TO_SERVER,
	EVENT_TO_CLIENT,
	EVENT_CLIENT_TIMER,
	EVENT_OPERATOR,
	EVENT_RESTART,
};

struct datagram {
	unsigned client;
	uint32_t server_s; // a reply: when the server wrote it
	struct model_request request;
	struct {
		uint8_t octets[1536];
		size_t len;
	} msg;
};

struct event {
	uint64_t at_ns;
	uint64_t order; // of equal times: as sent
	enum event_kind kind;
	unsigned client;
	struct datagram *datagram; // owned by the event; NULL
};

struct world_user {
	char name[64];
	const char *quota_name;
	uint64_t expires_wall_s;
	uint8_t key[16];
};

struct world_client {
	struct turn_tuple tuple;
	unsigned user;
	char nonce[64];
	uint32_t nonce_at_s;
	bool has_nonce;
	bool believes_allocated;
	uint32_t txid;
	// the transaction that waits for its answer
	struct datagram *pending;
	unsigned sent;	// times
	uint64_t timer; // the order of its next timer; others are void
};

struct world {
	uint64_t seed;
	uint64_t random;
	struct event events[WORLD_EVENTS]; // heap
	size_t n_events;
	uint64_t order;
	struct fake_store store;
	struct turn_listener listeners[2];
	struct turn_relay_address relays[2];
	struct turn_user static_users[2];
	struct turn_secret secret;
	struct policy *policy;
	struct turn_realm_conf realm;
	struct turn_conf conf;
	struct turn_server *server;
	struct world_user users[WORLD_USERS];
	struct world_client clients[MODEL_CLIENTS];
};

void world_init(struct world *w, uint64_t seed, uint64_t now_ns);
void world_fini(struct world *w);
uint32_t world_below(struct world *w, uint32_t n);

bool world_event_next(struct world *w, struct event *e);
// An event at random within the next seconds. Its order.
uint64_t world_later(
	struct world *w, uint64_t now_ns, enum event_kind kind, unsigned client, uint32_t within_s);
// Puts a copy on the network: it comes once, twice or never.
void world_send(struct world *w, uint64_t now_ns, const struct datagram *d, enum event_kind kind);

void world_server_restart(struct world *w, uint64_t now_ns);
// The message the server just sent; false: none. Skips events.
bool world_reply_take(struct world *w, struct datagram *reply);
void world_outputs_skip(struct world *w);

// The client's timer.
void world_client_act(struct world *w, uint64_t now_ns, const struct event *e);
void world_reply_handle(struct world *w, uint64_t now_ns, const struct datagram *d);

// The simulation's own knowledge of its few peers.
bool world_peer_denied(const struct tp_addr *peer, bool with_port);
struct tp_addr world_peer_canonical(const struct tp_addr *peer);
