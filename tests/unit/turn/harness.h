// SPDX-License-Identifier: BSD-3-Clause
// A server on a fake store at a virtual time, and clients that talk to it.
#pragma once

#include <fake_store.h>
#include <stdio.h>
#include <stun_client.h>
#include <turn/server.h>
#include <turnpike/stun.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND	       TP_NS_PER_S
#define REALM	       "example.org"
#define USER	       "alice"
#define PASSWORD       "wonder:land"
#define LISTENER_ID    7
#define LISTENER6_ID   8
#define RELAY_ID       21
#define RELAY6_ID      22
#define TXID_LEN       12u

#define HARNESS_REALMS 3u

#define HARNESS_ORDERS 32u

struct harness {
	struct fake_store store;
	struct turn_listener listeners[2];
	struct turn_relay_address relays[2];
	struct turn_user users[2];
	struct turn_secret secrets[2];
	struct turn_realm_conf realms[HARNESS_REALMS]; // conf.n_realms of them; one at first
	struct turn_conf conf;
	struct turn_env env;
	struct tp_addr own[8];
	struct policy *policy;
	struct turn_server *s;
	uint64_t random;
	uint64_t now_ns;
	uint64_t wall_s;
	// of the last input
	uint8_t reply[2048];
	size_t reply_len;  // 0: no answer
	bool many_replies; // one input may bring several
	unsigned n_opened;
	unsigned n_closed;
	enum turn_close_reason reason; // of the last CLOSED
	uint32_t closed_ref;
	struct turn_allocation_record record; // of the last OPENED or CLOSED
	struct turn_tuple to;		      // of the last answer
	unsigned n_replies;		      // ever
	unsigned n_lookups;		      // ever
	struct turn_lookup lookup;	      // the last; its key is in lookup_key
	char lookup_key[TURN_USERNAME_MAX + 1];
	struct turn_refusal refusal;			// of the last input; cause 0: none
	struct tp_session_order orders[HARNESS_ORDERS]; // since n_orders was set to 0
	unsigned n_orders;
};

struct client {
	struct turn_tuple tuple;
	const char *user;
	const char *realm;
	uint8_t key[16];
	char nonce[256];
	uint8_t txid[TXID_LEN];
	struct tp_addr relayed;
	bool fingerprint;
	bool sha256;
};

// Fills in a configuration; change it, then start.
void harness_init(struct harness *h);
// The users have keys of SHA-256, too, and the realm offers them.
void harness_offer_sha256(struct harness *h);
void harness_start(struct harness *h);
// Ends, even with objects left in the store.
void harness_stop(struct harness *h);
// Another server process on the same store.
void harness_restart(struct harness *h);
// Moves time on, telling the server at each of its deadlines.
void harness_sleep(struct harness *h, uint64_t ns);
// Takes all outputs.
void harness_drain(struct harness *h);

// A client of the IPv4 listener with the credentials of USER.
void client_init(struct client *c, uint32_t ip, uint16_t port);
void client_user(struct client *c, const char *user, const char *password);
// Becomes `name` by a time-limited credential under that secret.
void client_rest_user(struct client *c, const char *secret, uint64_t expiry_s, const char *name);
void client_start(struct client *c, struct msg *m, uint16_t type); // with the next txid
// Sends as it is. The code of the answer: 0 success, 1 none at all.
unsigned client_send(struct harness *h, struct client *c, const struct msg *m);
// Adds USERNAME, REALM, NONCE and the integrity, sends.
unsigned client_finish(struct harness *h, struct client *c, struct msg *m);
void client_auth(struct client *c, struct msg *m);
// As client_auth for the harness' own user, with PASSWORD-ALGORITHM of SHA-256. Leaves the key
// there.
void client_auth_sha256(struct client *c, struct msg *m, uint8_t key[32]);
// A 401 for a nonce.
void client_challenge(struct harness *h, struct client *c);
// Challenge and Allocate with a LIFETIME (0: none named).
unsigned client_allocate(struct harness *h, struct client *c, uint32_t lifetime_s);
// The same for a TCP allocation, without a challenge.
unsigned client_allocate_tcp(struct harness *h, struct client *c);
unsigned client_refresh(struct harness *h, struct client *c, uint32_t lifetime_s);
unsigned client_permit(struct harness *h, struct client *c, const struct tp_addr *peer);
unsigned client_bind(
	struct harness *h, struct client *c, uint16_t number, const struct tp_addr *peer);
// The client's allocation in the store.
const struct fake_allocation *client_allocation(const struct harness *h, const struct client *c);

// One server and one client, as nearly every test needs them.
struct fixture {
	struct harness h;
	struct client c;
	uint32_t ref; // of the client's allocation, after fixture_allocate
};

// Starts the server that harness_init has configured, and makes the client.
void fixture_start(struct fixture *f);
// The same with the harness's own configuration,
void fixture_init(struct fixture *f);
// and with a nonce for the client.
void fixture_challenge(struct fixture *f);
// Starts, and allocates for an hour.
void fixture_allocate(struct fixture *f);
// The same with the harness's own configuration, but nonces of an hour.
void fixture_hold(struct fixture *f);

bool reply_has(const struct harness *h, uint16_t type);
uint32_t reply_u32(const struct harness *h, uint16_t type);

// The allocations that count for the first realm. A user's own count is gone with the user.
uint32_t realm_held(const struct harness *h);
