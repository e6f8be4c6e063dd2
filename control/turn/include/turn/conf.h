// SPDX-License-Identifier: BSD-3-Clause
// The configuration of the TURN server, as the caller hands it to turn_create and turn_reconfigure:
// listeners, relay addresses, realms with their users, secrets and keys of tokens.
#pragma once

#include <policy/policy.h>
#include <turn/store.h>
#include <turnpike/nonce.h>
#include <turnpike/segment.h>
#include <turnpike/stun.h>

// RFC 8489 18.5.
enum turn_key_algorithm {
	TURN_KEY_NONE,
	TURN_KEY_MD5,	 // MD5(name ":" realm ":" password), 16 bytes
	TURN_KEY_SHA256, // SHA-256 of the same, 32 bytes
	TURN_KEY_MAC,	 // the MAC key of a token (RFC 7635), 16 to 32 bytes
};

struct turn_key {
	enum turn_key_algorithm algorithm;
	uint8_t len;
	uint8_t octets[TURN_KEY_MAX];
};

static inline struct turn_key turn_key_md5(const uint8_t octets[16])
{
	struct turn_key key = {.algorithm = TURN_KEY_MD5, .len = 16};

	memcpy(key.octets, octets, 16);
	return key;
}

static inline struct turn_key turn_key_sha256(const uint8_t octets[32])
{
	struct turn_key key = {.algorithm = TURN_KEY_SHA256, .len = 32};

	memcpy(key.octets, octets, 32);
	return key;
}

struct turn_user {
	const char *name; // UTF-8, prepared
	struct turn_key key;
	struct turn_key key_sha256; // TURN_KEY_NONE: there is none
};

// How passwords are made from a secret.
enum turn_hmac {
	TURN_HMAC_SHA1,
	TURN_HMAC_SHA256,
	TURN_HMAC_ANY, // either
};

// A shared secret of the time-limited ("REST") credentials.
struct turn_secret {
	const char *id; // shown in logs and counted; the octets never are
	const uint8_t *octets;
	size_t len;
	enum turn_hmac hmac;
	uint64_t not_before_s; // wall clock, both inclusive
	uint64_t not_after_s;  // 0: for ever
};

#define TURN_TOKEN_KEY_ID_MAX 128u // bytes

// RFC 7635 9: how tokens are encrypted.
enum turn_token_algorithm {
	TURN_TOKEN_A256GCM,
	TURN_TOKEN_A128GCM,
};

// A key shared with an authorization server.
struct turn_token_key {
	const char *id; // the USERNAME of clients with a token under it
	enum turn_token_algorithm algorithm;
	uint8_t octets[32];    // of A128GCM the first 16
	uint64_t not_before_s; // wall clock, both inclusive
	uint64_t not_after_s;  // 0: for ever
};

// A realm's secrets and keys of tokens from a database.
struct turn_keys {
	const struct turn_secret *secrets; // of up to 256 bytes; their ids are made up
	size_t n_secrets;		   // at most 64, as the keys
	const struct turn_token_key *token_keys;
	size_t n_token_keys;
};

struct turn_listener {
	struct tp_addr local;
	struct tp_addr advertised; // the external address where one is mapped, else local
	uint16_t id;		   // in the segment's address table
	uint16_t realm;		   // index into turn_conf.realms
	uint8_t transport;	   // TP_TRANSPORT_*; 0: UDP
};

// Whether messages to it come over connections that open and close.
static inline bool turn_listener_is_stream(const struct turn_listener *l)
{
	return l->transport > TP_TRANSPORT_UDP;
}

struct turn_relay_address {
	struct tp_addr local;	   // port 0
	struct tp_addr advertised; // port 0
	uint16_t id;
};

// Ports of a peer on one of this host's own addresses, which the packet path hands to the kernel.
struct turn_local_peer {
	struct tp_addr ip; // port 0, as `local` above
	uint16_t port_min; // inclusive
	uint16_t port_max;
};
#define TURN_LOCAL_PEERS_MAX 32u
#define TURN_ALTERNATES_MAX  32u
#define TURN_TICKET_KEY_LEN  32u // AES-256

enum turn_budget_period {
	TURN_BUDGET_MONTH,
	TURN_BUDGET_DAY,
};

// The bytes that each user of a realm may have relayed in a period of UTC.
struct turn_budget_conf {
	uint64_t octets; // both ways; 0: no budget
	enum turn_budget_period period;
	uint32_t start;	     // of a month the day, 0 and 1 its first; of a day the hour
	struct turn_cap cap; // of a user's calls when it is spent; not set: they end
};

// A policy for some users of a realm, instead of its own.
struct turn_user_policy {
	const char *name;
	const char *const *users; // by account: the name behind the time of a time-limited one
	size_t n_users;
	const struct policy *policy;
	const struct policy *trial; // NULL: none
};

// The sources of a realm's users are tried in this order: users by name, then time-limited
// credentials by their form, then the directory.
struct turn_realm_conf {
	uint16_t id; // stands in records, events and usage; another one for each realm
	const char *name;
	const char *const *origins; // values of ORIGIN that choose the realm on any listener
	size_t n_origins;
	const struct turn_user *users;
	size_t n_users;
	const struct turn_secret *secrets; // tried in turn, newest first
	size_t n_secrets;
	// Third-party authorization: in THIRD-PARTY-AUTHORIZATION and in the tokens; NULL: there is
	// none.
	const char *token_server;
	const struct turn_token_key *token_keys;
	size_t n_token_keys;
	char separator;		  // between time and name of a time-limited credential; 0: ':'
	bool end_with_credential; // an allocation ends when its credential does
	bool directory;		  // other names are looked up: TURN_OUT_LOOKUP
	uint64_t source;	  // another number: kept answers are forgotten
	bool keys_looked_up;	  // turn_keys_set gives it further secrets and keys of tokens
	uint32_t features;	  // TP_FEATURE_* to be offered where all users can have them
	const struct policy *policy;
	const struct policy *trial; // what it denies beyond that one is counted; NULL: none
	const struct turn_user_policy *policies; // of some users; no user is in two
	size_t n_policies;
	// Each relayed address counts as one allocation, and each reserved port.
	uint32_t max_allocations; // of all its users; 0: no limit
	uint32_t max_connections; // of all its users, with peers by TCP; 0: no limit
	uint32_t user_quota;	  // allocations of one user; 0: no limit
	uint32_t user_ports;	  // of one user: in use, reserved, cooling down; 0: no limit
	uint32_t secret_quota;	  // allocations of one secret's nameless credentials; 0: no limit
	uint32_t allocate_rate;	  // Allocate requests of one user per second; 0: no limit
	uint32_t allocate_burst;  // beyond the rate
	struct turn_budget_conf budget; // of each user
	struct turn_cap allocation_cap; // of each allocation
	struct turn_cap user_cap;	// of each user
	struct turn_cap realm_cap;
};

// Other relays, where clients are sent to while this one is draining or full.
struct turn_alternate_servers {
	struct tp_addr items[TURN_ALTERNATES_MAX];
	size_t n;
};

// Everything is borrowed for the life of the server, or until the next turn_reconfigure.
struct turn_conf {
	const char *software; // SOFTWARE in responses; NULL: none
	const struct turn_realm_conf *realms;
	size_t n_realms;
	const struct turn_listener *listeners;
	size_t n_listeners;
	const struct turn_relay_address *relays;
	size_t n_relays;
	uint16_t port_min; // relayed ports, inclusive
	uint16_t port_max;
	struct turn_local_peer local_peers[TURN_LOCAL_PEERS_MAX];
	size_t n_local_peers;
	uint16_t channel_max;		 // TP_CHANNEL_MAX or TP_CHANNEL_MAX_COMPAT
	bool permission_follows_channel; // a channel keeps its permission alive (listed deviation)
	bool secure_stun;		 // Binding needs credentials too
	bool draining;			 // no allocation is made any more
	struct turn_alternate_servers alternates;     // for clients of UDP and TCP
	struct turn_alternate_servers tls_alternates; // of TLS and DTLS
	const char *alternate_domain; // in the certificates of these; NULL: as in this relay's
	bool nat_discovery;	      // RFC 5780, where listeners stand for it
	uint8_t default_family;	  // without a family attribute; TP_FAMILY_NONE: the client's own
	uint32_t max_allocations; // 0: no limit
	uint32_t max_entries;	  // of the tables, of which no user gets the last part; 0: no limit
	bool tcp_relay;		  // TCP allocations are offered (RFC 6062)
	bool mobility;		  // tickets are given to clients that ask (RFC 8016)
	uint32_t data_per_user;	  // data connections of one user; 0: no limit
	uint32_t peer_rate;	  // new peers of one allocation per second; 0: no limit
	uint32_t peer_burst;	  // beyond the rate
	struct turn_cap all_cap;  // of all realms together
	uint32_t default_lifetime_s;
	uint32_t max_lifetime_s;
	uint32_t permission_lifetime_s;
	uint32_t channel_lifetime_s;
	uint32_t nonce_lifetime_s;
	uint32_t credential_lifetime_s; // longest of a time-limited credential; 0: no limit
	// Of the nonce's MAC and source tag, <turnpike/nonce.h>; shared with the packet path. From
	// the private file, they survive restarts.
	uint8_t nonce_key[16];
	uint8_t punt_key[16];
	// Of mobility tickets; from the private file, too.
	uint8_t ticket_key[TURN_TICKET_KEY_LEN];
};
