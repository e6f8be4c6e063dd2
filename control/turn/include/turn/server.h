// SPDX-License-Identifier: BSD-3-Clause
// The TURN server (RFC 8656 over RFC 8489), sans-I/O: messages and time go in, messages and events
// come out. It knows no socket, thread, clock or shared memory; the same calls serve the event
// loop, the unit tests, the simulator and the fuzzer.
//
// Threads: one thread at a time per server. Time: `now_ns` is CLOCK_BOOTTIME and never goes back;
// `wall_s` (Unix seconds) is used for the expiry of time-limited credentials only.
#pragma once

#include <policy/policy.h>
#include <turn/store.h>
#include <turnpike/nonce.h>
#include <turnpike/segment.h>
#include <turnpike/session.h>
#include <turnpike/stun.h>

struct turn_server;

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
	uint32_t features;	  // TP_FEATURE_* to be offered where all users can have them
	const struct policy *policy;
	const struct policy *trial; // what it denies beyond that one is counted; NULL: none
	uint32_t max_allocations;   // of all its users; 0: no limit
	uint32_t user_quota;	    // allocations of one user; 0: no limit
	uint32_t secret_quota;	    // allocations of one secret's nameless credentials; 0: no limit
	uint32_t allocate_rate;	    // Allocate requests of one user per second; 0: no limit
	uint32_t allocate_burst;    // beyond the rate
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
	// Of other relays, where clients are sent to while this one is draining or full.
	struct tp_addr alternates[TURN_ALTERNATES_MAX];
	size_t n_alternates;
	bool nat_discovery;	  // RFC 5780, where listeners stand for it
	uint8_t default_family;	  // without a family attribute; TP_FAMILY_NONE: the client's own
	uint32_t max_allocations; // 0: no limit
	uint32_t max_entries;	  // of the tables, of which no user gets the last part; 0: no limit
	bool tcp_relay;		  // TCP allocations are offered (RFC 6062)
	uint32_t data_per_user;	  // data connections of one user; 0: no limit
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
};

struct turn_env {
	void *ctx;
	// Fills buf with `len` octets of a CSPRNG; seeded in tests.
	void (*random)(void *ctx, void *buf, size_t len);
	// Whether packets to the address go to every host of a link: the directed broadcast address
	// of a network that this host is on. NULL: none is known.
	bool (*is_broadcast)(void *ctx, const struct tp_addr *peer);
};

// How the longest packet of a leg is known.
enum turn_mtu_source {
	TURN_MTU_UNKNOWN,    // the port's MTU counts
	TURN_MTU_ICMP,	     // by an ICMP error from the path, or from before a restart
	TURN_MTU_BLACK_HOLE, // long packets were repeated and never arrived
};

// The packet path's report of an ICMP error that quotes a packet of a live allocation.
struct turn_report {
	uint32_t allocation;   // ref
	struct tp_addr remote; // destination of the quoted packet: the client, or a peer
	uint16_t local_id;     // the listener that it left by, or the relay address
	uint16_t port;	       // the relayed port, of a packet to a peer
	uint32_t mtu;	       // longest IP packet that the leg takes; 0: nothing is learnt
	uint32_t value;	       // Error Data, type and code: RFC 8656 18.13
	uint8_t type;	       // or TP_REPORT_BLACK_HOLE
	uint8_t code;
};

enum turn_close_reason {
	TURN_CLOSE_REFRESH, // Refresh with lifetime 0
	TURN_CLOSE_EXPIRED,
	TURN_CLOSE_KILLED, // by the operator
	TURN_CLOSE_SHUTDOWN,
	TURN_CLOSE_CONNECTION, // the client's connection closed
	TURN_CLOSE_CONFIG,     // its listener or relay address left the configuration
	TURN_CLOSE_RELAY,      // nothing can listen at its relayed transport address
	TURN_CLOSE_BANNED,     // by a ban of the operator's
};

enum turn_out_kind {
	TURN_OUT_SEND,		    // a message to a client
	TURN_OUT_ALLOCATION_OPENED, // events: for logs and usage records, nothing needs doing
	TURN_OUT_ALLOCATION_CLOSED,
	TURN_OUT_REFUSED, // event: why a request was refused, where an operator may want to know
	TURN_OUT_ORDER,	  // for the edge, with `data`
	TURN_OUT_LOOKUP,  // a user's key is wanted of the directory: answered by turn_answer
};

// X(id, text)
#define TURN_REFUSALS(X)                                                                           \
	X(BAD_REQUEST, "the request lacks an attribute, or has a wrong one")                       \
	X(UNKNOWN_ATTRIBUTE, "the request has an attribute that this server does not know")        \
	X(NO_ALLOCATION, "the client has no allocation, or has one already")                       \
	X(OWNER, "the allocation is another user's")                                               \
	X(FAMILY, "the relay has no address of the family")                                        \
	X(TRANSPORT, "the relayed transport is neither UDP nor TCP, or TCP is not offered")        \
	X(PEER_FAMILY, "the peer's address family is not that of the allocation")                  \
	X(CHANNEL, "the channel has another peer, or the peer another channel")                    \
	X(UNKNOWN_USER, "nobody has that user name")                                               \
	X(CREDENTIAL_EXPIRED, "the time-limited credential is past its time")                      \
	X(CREDENTIAL_LIFETIME,                                                                     \
		"the time-limited credential is valid for longer than limits.credential_lifetime") \
	X(TOKEN, "the token is not for this server, of no known key, or past its time")            \
	X(INTEGRITY, "the password is wrong, or the request was changed on its way")               \
	X(BANNED, "the user or credential is banned; relayctl ban list")                           \
	X(DIRECTORY, "the directory of users gave no answer")                                      \
	X(PEER, "the peer policy denies the peer")                                                 \
	X(TRIAL, "peers.deny would deny the peer, but for peers.dry_run")                          \
	X(TUNNEL, "the client's address is a Teredo or 6to4 one")                                  \
	X(QUOTA, "the user has as many allocations as allowed")                                    \
	X(RATE, "the user asks for allocations faster than allowed")                               \
	X(DRAINING, "the relay is draining: it makes no allocations")                              \
	X(ALLOCATIONS, "the relay has as many allocations as allowed")                             \
	X(PORTS, "no relay port of the address family is free")                                    \
	X(SHARE, "the user has as much of the tables as one may have")                             \
	X(RESERVATION, "the reservation token is unknown, used, too old or another user's")        \
	X(NOT_TCP, "the allocation relays no TCP")                                                 \
	X(NOT_UDP, "the allocation relays TCP: channels are for UDP")                              \
	X(NO_TCP_PORT, "the peer is an address of this relay where no TCP allocation is")          \
	X(CONNECTED, "the allocation has a connection with the peer already")                      \
	X(UNREACHABLE, "the peer did not answer, or refused the connection")                       \
	X(CONNECTION_ID, "CONNECTION-ID names no connection that waits")                           \
	X(DATA_QUOTA, "the user or the allocation has as many connections as allowed")             \
	X(TABLES, "a table is full")                                                               \
	X(MEMORY, "the server has no memory")

// The kind of name by which a user is looked up.
enum turn_lookup_kind {
	TURN_LOOKUP_NAME,
	TURN_LOOKUP_USERHASH,
	TURN_LOOKUP_TOKEN,
};

// How a user was found.
enum turn_identity_kind {
	TURN_IDENTITY_UNKNOWN, // in a record alone: from the time before there were kinds
	TURN_IDENTITY_STATIC,
	TURN_IDENTITY_DIRECTORY,
	TURN_IDENTITY_REST,
	TURN_IDENTITY_TOKEN,
};

enum turn_refusal_cause {
	TURN_REFUSED_NOT,
#define TURN_REFUSAL_ID(id, text) TURN_REFUSED_##id,
	TURN_REFUSALS(TURN_REFUSAL_ID)
#undef TURN_REFUSAL_ID
};

struct turn_refusal {
	enum turn_refusal_cause cause;
	unsigned code;	 // of the error response; TRIAL: 0, nothing was refused
	uint16_t method; // enum stun_method
	uint16_t realm_id;
	const char *username;	    // points into the request, not terminated; any octets
	size_t username_len;	    // 0 where none was named
	struct tp_addr peer;	    // PEER, TRIAL
	struct policy_decision why; // PEER, TRIAL
};

// A question to the directory. `ticket` goes into turn_answer.
struct turn_lookup {
	uint64_t ticket;
	uint16_t realm_id;
	const char *realm;
	enum turn_lookup_kind kind;
	const uint8_t *key; // name, USERHASH or token id; any bytes
	size_t key_len;
};

struct turn_out {
	enum turn_out_kind kind;
	struct turn_tuple tuple;
	const uint8_t *data; // SEND, ORDER: valid until the next call on the server
	size_t len;
	uint32_t ref; // OPENED, CLOSED
	enum turn_close_reason reason;
	const struct turn_allocation_record *record; // OPENED, CLOSED: valid until the next call
	const struct turn_refusal *refusal;	     // REFUSED: valid until the next call
	const struct turn_lookup *lookup;	     // LOOKUP: valid until the next call
	const struct tp_session_order *order;	     // ORDER: valid until the next call
};

// Error responses with the reason phrases of the IANA registry. X(code, reason)
#define TURN_ERRORS(X)                                                                             \
	X(300, "Try Alternate")                                                                    \
	X(400, "Bad Request")                                                                      \
	X(401, TP_STUN_REASON_401)                                                                 \
	X(403, "Forbidden")                                                                        \
	X(420, "Unknown Attribute")                                                                \
	X(437, "Allocation Mismatch")                                                              \
	X(438, "Stale Nonce")                                                                      \
	X(440, "Address Family not Supported")                                                     \
	X(441, "Wrong Credentials")                                                                \
	X(442, "Unsupported Transport Protocol")                                                   \
	X(443, "Peer Address Family Mismatch")                                                     \
	X(446, "Connection Already Exists")                                                        \
	X(447, "Connection Timeout or Failure")                                                    \
	X(486, "Allocation Quota Reached")                                                         \
	X(500, "Server Error")                                                                     \
	X(508, "Insufficient Capacity")

// One X-list for counters' names, the CLI and documentation.
#define TURN_COUNTERS(X)                                                                           \
	X(requests, "STUN requests that reached the TURN server")                                  \
	X(bad_message, "messages that are not well-formed STUN")                                   \
	X(bad_fingerprint, "messages with a wrong FINGERPRINT")                                    \
	X(unknown_method, "requests of a method this server does not have")                        \
	X(responses_ignored, "STUN responses sent to us")                                          \
	X(indications_ignored, "indications of no use to the TURN server")                         \
	X(integrity_failed, "requests whose MESSAGE-INTEGRITY did not verify")                     \
	X(unknown_user, "requests with a user name nobody knows")                                  \
	X(credential_expired, "requests with a time-limited credential past its time")             \
	X(credential_lifetime, "requests with a time-limited credential valid for too long")       \
	X(tokens, "requests that verified under the key of a token")                               \
	X(tokens_refused, "requests with a token that is of no known key or past its time")        \
	X(key_cached, "requests verified by the cached key of a time-limited credential")          \
	X(directory_cached, "requests verified by a cached answer of the directory")               \
	X(lookups, "questions to the directory")                                                   \
	X(lookups_expired, "questions that the directory did not answer in time")                  \
	X(answers_stale, "answers of the directory to no question, or that came late")             \
	X(answers_bad, "answers of the directory that make no sense")                              \
	X(pending_joined, "retransmissions of requests that wait for the directory")               \
	X(pending_full, "requests dropped: too many wait for the directory")                       \
	X(pending_share, "requests dropped: too many of one client or prefix wait")                \
	X(pending_dropped, "waiting requests dropped with their connection")                       \
	X(streams_opened, "connections of stream clients opened")                                  \
	X(streams_closed, "connections of stream clients closed")                                  \
	X(streams_unknown, "messages and reports of no open connection")                           \
	X(retransmissions, "retransmitted requests answered again")                                \
	X(allocations_opened, "allocations made")                                                  \
	X(allocations_closed, "allocations ended")                                                 \
	X(path_mtus_learnt, "path MTUs learnt of ICMP errors")                                     \
	X(icmp_relayed, "ICMP errors told to clients")                                             \
	X(reports_stale, "ICMP errors about packets of no live allocation or permission")          \
	X(reservations_made, "relayed ports reserved for a token")                                 \
	X(reservations_used, "reserved ports that an allocation took")                             \
	X(data_connects, "connections to peers asked for (RFC 6062)")                              \
	X(data_failed, "of them, those that the peer did not take")                                \
	X(data_arrived, "connections of peers to TCP allocations")                                 \
	X(data_refused, "connections of peers without permission, or beyond a limit")              \
	X(data_joined, "connections with peers that a client's connection joined")                 \
	X(data_closed, "connections with peers that ended")                                        \
	X(banned, "requests of banned users, credentials and prefixes")                            \
	X(nat_discoveries, "Binding requests answered with other addresses of this server")        \
	X(permissions_denied, "peers refused by the peer policy")                                  \
	X(permissions_would_deny, "peers that peers.deny would refuse but for peers.dry_run")      \
	X(permissions_revoked, "permissions ended because a new peer policy denies the peer")

struct turn_counters {
#define TURN_COUNTER_FIELD(name, text) uint64_t name;
	TURN_COUNTERS(TURN_COUNTER_FIELD)
#undef TURN_COUNTER_FIELD
#define TURN_ERROR_FIELD(code, reason) uint64_t error_##code;
	TURN_ERRORS(TURN_ERROR_FIELD)
#undef TURN_ERROR_FIELD
};

// The same of one realm.
#define TURN_REALM_COUNTERS(X)                                                                     \
	X(requests, "requests in the realm")                                                       \
	X(refused, "requests refused")                                                             \
	X(integrity_failed, "requests whose MESSAGE-INTEGRITY did not verify")                     \
	X(unknown_user, "requests with a user name nobody knows")                                  \
	X(lookups, "questions to the directory")                                                   \
	X(allocations_opened, "allocations made")                                                  \
	X(allocations_closed, "allocations ended")

struct turn_realm_counters {
#define TURN_COUNTER_FIELD(name, text) uint64_t name;
	TURN_REALM_COUNTERS(TURN_COUNTER_FIELD)
#undef TURN_COUNTER_FIELD
};

// An allocation as relayctl shows it. Pointers are valid until the next call on the server.
struct turn_allocation_view {
	const struct turn_allocation_record *record;
	uint32_t ref;
	size_t n_permissions;
	size_t n_channels;
	uint16_t path_mtu; // of the leg to the client; 0: not known
	enum turn_mtu_source mtu_source;
};

struct turn_permission_view {
	struct tp_addr peer; // port 0 for a permission
	uint32_t expires_s;
	uint32_t ref;
	uint16_t channel;  // 0 for a permission
	uint16_t path_mtu; // of the leg to the peer; 0: not known
	enum turn_mtu_source mtu_source;
};

// A secret as relayctl shows it. Pointers are valid until the next turn_reconfigure.
struct turn_secret_view {
	const char *name;
	const struct turn_secret *secret; // NULL: it left the configuration
	uint64_t requests;		  // that verified, since the server was made
	uint64_t last_s;		  // wall clock of the last of them; 0: never
	uint32_t n_allocations;		  // live ones
};

// NULL with errno set (ENOMEM, EINVAL).
struct turn_server *turn_create(
	const struct turn_env *env, const struct turn_store *store, const struct turn_conf *conf);
// Leaves the store's objects alone: the tables outlive the process.
void turn_destroy(struct turn_server *s);

// The security features that the realm's clients are offered (RFC 8489 9.2.1): SHA-256 where every
// user has such a key, USERHASH where all users are known by name.
uint32_t turn_realm_features(const struct turn_realm_conf *realm);

// Before the first turn_input: hand back the objects that a recovery scan found. The allocation
// first, then its permissions, then its channels. -EINVAL when the record contradicts the
// configuration (an unknown listener or relay id, a port out of range): the caller then deletes it
// from the store. turn_restore_expect, first of all, says how many allocations there are, or may
// be.
void turn_restore_expect(struct turn_server *s, size_t allocations);
int turn_restore_allocation(struct turn_server *s, uint64_t now_ns,
	const struct turn_allocation_record *rec, uint32_t ref);
int turn_restore_permission(struct turn_server *s, uint64_t now_ns, uint32_t allocation,
	const struct tp_addr *peer, uint32_t expires_s, uint32_t ref);
int turn_restore_channel(struct turn_server *s, uint64_t now_ns, uint32_t allocation,
	uint16_t number, const struct tp_addr *peer, uint32_t expires_s, uint32_t ref);

// What the tables know of a leg's path MTU, after its objects; it is forgotten as if learnt now.
// `peer` NULL: the leg to the client.
void turn_restore_path_mtu(struct turn_server *s, uint64_t now_ns, uint32_t allocation,
	const struct tp_addr *peer, uint16_t mtu);

// The same for ended objects, after the allocations. Records past their time are left out. Only the
// low 16 bits of a port's time are known; tombstones come in the order of their times.
void turn_restore_port_cooldown(
	struct turn_server *s, uint64_t now_ns, uint16_t relay_id, uint16_t port, uint16_t until_s);
void turn_restore_tombstone(struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client,
	const uint8_t txid[12], uint32_t until_s);
// A reservation, after the allocations and before the ports. 0, -ENOMEM, or -EINVAL for one past
// its time or that contradicts the configuration: the caller then deletes it from the store.
int turn_restore_reservation(struct turn_server *s, uint64_t now_ns,
	const struct turn_reservation_record *rec, uint32_t ref);

// Puts another configuration into force: users, secrets, names of realms, policy, limits and
// addresses are those of `conf` for every message from now on. Allocations whose listener or relay
// address left, and permissions that the policy denies, end in turn_advance, a bounded number per
// call. Everything else goes on, counters too. The range of relayed ports and the ids of the realms
// must be the same. -EINVAL, -ENOSPC or -ENOMEM: nothing has changed. Drain turn_next afterwards.
int turn_reconfigure(struct turn_server *s, const struct turn_conf *conf);

// Tells whether an interface has the relay address of this id. Without one no allocation gets a
// port of it; live ones stay.
void turn_relay_set_present(struct turn_server *s, uint16_t id, bool present);

// True if the running configuration lets the allocation's client send to the peer's IP address.
bool turn_peer_is_allowed(
	const struct turn_server *s, uint32_t allocation, const struct tp_addr *peer);

// One message from a client. Drain turn_next afterwards. A request of a user whom the directory
// must look up has no answer yet: it waits for turn_answer, which its retransmissions join.
void turn_input(struct turn_server *s, uint64_t now_ns, uint64_t wall_s,
	const struct turn_tuple *from, const uint8_t *msg, size_t len);
// A report of the packet path. Drain turn_next afterwards: the client is told (RFC 8656 11.5).
// False: it is about nothing that is there.
bool turn_report(struct turn_server *s, uint64_t now_ns, const struct turn_report *r);

enum turn_answer_status {
	TURN_ANSWER_FOUND,
	TURN_ANSWER_UNKNOWN, // no such user
	TURN_ANSWER_FAILED,  // the directory can't tell
};

struct turn_answer {
	enum turn_answer_status status;
	struct turn_key key; // FOUND
	uint32_t life_s;     // FOUND, UNKNOWN: it may be cached for as long; bounded
};

// Answers a question, resuming the requests that wait for it. Drain turn_next afterwards. 0,
// -ESTALE when the ticket has had its answer or its time, -EINVAL for an answer that makes no
// sense, which counts as FAILED.
int turn_answer(
	struct turn_server *s, uint64_t now_ns, uint64_t ticket, const struct turn_answer *answer);
// Forgets the directory's answers about a user. Allocations go on. 0 or -ENOENT for the realm.
int turn_forget(struct turn_server *s, uint16_t realm_id, const char *name, size_t len);

// A connection of a stream client opened or closed; requests of others are ignored. An allocation
// ends with its connection. Repeating a report does no harm. Drain turn_next afterwards. 0, -EINVAL
// for a listener that is none of streams, -ENOSPC; -ENOENT for a connection that is not open.
int turn_stream_opened(struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client);
int turn_stream_closed(struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client);
// Whether messages of the client come over the connection that is open.
bool turn_stream_is_open(const struct turn_server *s, const struct turn_tuple *client);
// The process that held all connections is gone: they end in turn_advance, but for those that are
// reported open again before.
void turn_streams_lost(struct turn_server *s, uint64_t now_ns);

// The edge's reports of its sockets for TCP allocations. Drain turn_next afterwards. Once it has
// reported all, connections that it did not name are forgotten, and it is asked to listen for each
// TCP allocation; repeating the order does no harm.
void turn_peer_reported(struct turn_server *s, uint64_t now_ns, const struct tp_session_peer *p);
void turn_relay_reported(struct turn_server *s, uint64_t now_ns, const struct tp_session_relay *r);
void turn_edge_synced(struct turn_server *s);

// Expires due objects. At most `budget` timers a call, so that a million of them cause no pause.
void turn_advance(struct turn_server *s, uint64_t now_ns, unsigned budget);
// When to call turn_advance next; UINT64_MAX: never.
uint64_t turn_deadline(const struct turn_server *s);
// Next output; false when there is none left.
bool turn_next(struct turn_server *s, struct turn_out *out);

enum turn_ban_kind {
	TURN_BAN_NONE,
	TURN_BAN_USER,	     // by name: the part behind the time of a time-limited credential
	TURN_BAN_CREDENTIAL, // by the whole USERNAME
	TURN_BAN_PREFIX,     // by the client's address, in all realms
};

#define TURN_BANS_MAX	      4096u
#define TURN_BAN_PREFIXES_MAX 256u // of them

struct turn_ban {
	enum turn_ban_kind kind;
	uint16_t realm_id; // USER, CREDENTIAL
	uint16_t name_len;
	uint64_t until_s; // wall clock
	struct text_cidr prefix;
	char name[TURN_USERNAME_MAX]; // any bytes
};

// Bans until the time in it: live calls end in turn_advance, new ones are refused. One that is
// there gets the new end. *index: the place that it should have, where that is free, or
// TURN_BANS_MAX; then the one that it has. 0, -EINVAL (no such realm, the time is over), -ENOSPC.
int turn_ban_add(struct turn_server *s, uint64_t now_ns, uint64_t wall_s,
	const struct turn_ban *ban, uint32_t *index);
// 0, with the place that it had, or -ENOENT.
int turn_ban_remove(struct turn_server *s, const struct turn_ban *ban, uint32_t *index);
// The ban of the credential that an allocation was made with, for the rest of its time; -ENOENT:
// there is no such allocation, or its credential has no end.
int turn_ban_of_credential(
	const struct turn_server *s, uint32_t ref, uint64_t wall_s, struct turn_ban *ban);
// Walks all bans: start with *cursor = 0; false at the end.
bool turn_ban_next(const struct turn_server *s, uint32_t *cursor, struct turn_ban *ban);

// Whether a client of the realm may send to the peer, and why; port 0: to any port of it. -ENOENT:
// no realm has the id.
int turn_peer_explain(const struct turn_server *s, uint16_t realm_id, const struct tp_addr *peer,
	bool *allowed, struct policy_decision *why);

// The operator ends an allocation: 0 or -ENOENT.
int turn_kill(struct turn_server *s, uint64_t now_ns, uint32_t ref);

// The text of TURN_REFUSALS; constant.
const char *turn_refusal_text(enum turn_refusal_cause cause);

const struct turn_counters *turn_get_counters(const struct turn_server *s);
// NULL: no realm has the id.
const struct turn_realm_counters *turn_get_realm_counters(
	const struct turn_server *s, uint16_t realm_id);
size_t turn_allocation_count(const struct turn_server *s);
// Walks all allocations: start with *cursor = 0; false at the end.
bool turn_allocation_next(
	struct turn_server *s, uint64_t *cursor, struct turn_allocation_view *view);
int turn_allocation_find(struct turn_server *s, uint32_t ref, struct turn_allocation_view *view);
// Permissions and channels of an allocation: fills at most `max`, returns how many there are.
size_t turn_permissions_of(
	const struct turn_server *s, uint32_t ref, struct turn_permission_view *out, size_t max);

// Walks the secrets of a realm: start with *cursor = 0; false at the end.
bool turn_secret_next(const struct turn_server *s, uint16_t realm_id, size_t *cursor,
	struct turn_secret_view *view);
// The secret with which credentials are minted at this wall clock second: the first in force; NULL.
const struct turn_secret *turn_secret_to_mint(const struct turn_realm_conf *realm, uint64_t wall_s);

// A time-limited credential (REST) under the realm's first secret: username "EXPIRY:NAME", password
// base64(HMAC(secret, username)) with the secret's digest, SHA-1 where both are taken. Buffers are
// NUL-terminated. 0, -ENOSPC for short buffers, -ENOENT without a secret.
int turn_mint_credential(const struct turn_realm_conf *realm, const char *name,
	uint64_t expiry_wall_s, char *username, size_t username_size, char *password,
	size_t password_size);
