// SPDX-License-Identifier: BSD-3-Clause
// The TURN server (RFC 8656 over RFC 8489), sans-I/O: messages and time go in, messages and events
// come out. It knows no socket, thread, clock or shared memory; the same calls serve the event
// loop, the unit tests, the simulator and the fuzzer.
//
// Threads: one thread at a time per server. Time: `now_ns` is CLOCK_BOOTTIME and never goes back;
// `wall_s` (Unix seconds) is used for the expiry of time-limited credentials only.
#pragma once

#include <policy/policy.h>
#include <turn/ban.h>
#include <turn/budget.h>
#include <turn/conf.h>
#include <turn/counters.h>
#include <turn/store.h>
#include <turnpike/session.h>

struct turn_server;

struct turn_env {
	void *ctx;
	// Fills buf with `len` octets of a CSPRNG; seeded in tests.
	void (*random)(void *ctx, void *buf, size_t len);
	// Whether packets to the address go to every host of a link: the directed broadcast address
	// of a network that this host is on. NULL: none is known.
	bool (*is_broadcast)(void *ctx, const struct tp_addr *peer);
	// Whether this host has the address, the relay's own or not. NULL: none is known.
	bool (*is_host)(void *ctx, const struct tp_addr *peer);
};

// How the longest packet of a leg is known.
enum turn_mtu_source {
	TURN_MTU_UNKNOWN,    // the port's MTU counts
	TURN_MTU_ICMP,	     // by an ICMP error from the path, or from before a restart
	TURN_MTU_BLACK_HOLE, // long packets were repeated and never arrived
};

// The packet path's report: an ICMP error that quotes a packet of a live allocation, or one of
// TP_REPORT_*.
struct turn_report {
	uint32_t allocation;   // ref
	struct tp_addr remote; // destination of the quoted packet: the client, or a peer
	uint16_t local_id;     // the listener that it left by, or the relay address
	uint16_t port;	       // the relayed port, of a packet to a peer
	uint32_t mtu;	       // longest IP packet that the leg takes; 0: nothing is learnt
	uint32_t value;	       // Error Data, type and code: RFC 8656 18.13
	uint8_t type;	       // or TP_REPORT_*
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
	TURN_CLOSE_BUDGET,     // its user's budget of bytes is spent
};

enum turn_out_kind {
	TURN_OUT_SEND,		    // a message to a client
	TURN_OUT_ALLOCATION_OPENED, // events: for logs and usage records, nothing needs doing
	TURN_OUT_ALLOCATION_CLOSED,
	TURN_OUT_ALLOCATION_MOVED, // to another 5-tuple: it has another ref
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
	X(BUDGET, "the user's budget of bytes is spent; relayctl budget show")                     \
	X(RATE, "the user asks for allocations faster than allowed")                               \
	X(DRAINING, "the relay is draining: it makes no allocations")                              \
	X(ALLOCATIONS, "the relay has as many allocations as allowed")                             \
	X(PORTS, "no relay port of the address family is free")                                    \
	X(PORTS_SHARE, "the user has as many of the relay ports as one may have")                  \
	X(SHARE, "the user has as much of the tables as one may have")                             \
	X(RESERVATION, "the reservation token is unknown, used, too old or another user's")        \
	X(NOT_TCP, "the allocation relays no TCP")                                                 \
	X(NOT_UDP, "the allocation relays TCP: channels are for UDP")                              \
	X(NO_TCP_PORT, "the peer is an address of this relay where no TCP allocation is")          \
	X(CONNECTED, "the allocation has a connection with the peer already")                      \
	X(UNREACHABLE, "the peer did not answer, or refused the connection")                       \
	X(CONNECTION_ID, "CONNECTION-ID names no connection that waits")                           \
	X(FRAMED, "a WebSocket can't become a data connection: its bytes are frames")              \
	X(PEERS, "the allocation reaches for new peers faster than limits.peer_rate allows")       \
	X(DATA_QUOTA, "the realm, user or allocation has as many connections as allowed")          \
	X(DATA_SHARE, "the user has as many connections with peers as one may have")               \
	X(MOBILITY, "mobility is not offered: protocol.mobility")                                  \
	X(TICKET, "the mobility ticket is none of a live allocation, or was used before")          \
	X(MOVES, "the client moves its allocation more often than allowed")                        \
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
	uint32_t ref;	   // OPENED, CLOSED, MOVED
	uint32_t previous; // MOVED: the ref that it had
	enum turn_close_reason reason;
	const struct turn_allocation_record
		*record;		      // OPENED, CLOSED, MOVED: valid until the next call
	const struct turn_refusal *refusal;   // REFUSED: valid until the next call
	const struct turn_lookup *lookup;     // LOOKUP: valid until the next call
	const struct tp_session_order *order; // ORDER: valid until the next call
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

// Limits of a user, or of all of a realm: the number in use, and the bound; 0: no limit.
struct turn_user_view {
	enum turn_identity_kind kind; // UNKNOWN: of a realm
	uint32_t allocations;	      // as quotas count them
	uint32_t allocations_max;
	uint32_t ports; // of a user alone: in use, reserved, cooling down
	uint32_t ports_max;
	uint32_t connections; // with peers, by TCP
	uint32_t connections_max;
	uint32_t entries; // of the tables; of a user alone
	struct turn_cap cap;
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

// A second 5-tuple that an allocation was moving to (RFC 8016), after all allocations: the move
// begins anew. 0, -ENOSPC, or -EINVAL where nothing can move there.
int turn_restore_move(struct turn_server *s, uint64_t now_ns, uint32_t allocation,
	const struct turn_tuple *client);

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

// Gives a realm these secrets and keys of tokens behind those of its configuration, in place of the
// ones that it was given before; copies them. They are valid at once, and those that left are not;
// allocations go on. A new configuration keeps them where the realm's keys are still looked up. 1;
// 0: nothing is new; -ENOENT for the realm, -EINVAL, -E2BIG or -ENOMEM.
int turn_keys_set(struct turn_server *s, uint16_t realm_id, const struct turn_keys *keys);

// Tells whether an interface has the relay address of this id. Without one no allocation gets a
// port of it; live ones stay.
void turn_relay_set_present(struct turn_server *s, uint16_t id, bool present);

// True if the running configuration lets the allocation's client send to the peer, or with port 0
// to its IP address.
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
// ends with its connection, or waits for its client if it has a mobility ticket. Repeating a report
// does no harm. Drain turn_next afterwards. 0, -EINVAL for a listener that is none of streams,
// -ENOSPC; -ENOENT for a connection that is not open. One that is `framed` can't become a data
// connection.
int turn_stream_opened(
	struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client, bool framed);
int turn_stream_closed(struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client);
// Whether messages of the client come over the connection that is open.
bool turn_stream_is_open(const struct turn_server *s, const struct turn_tuple *client);
// The process that held all connections is gone: they end in turn_advance, but for those that are
// reported open again before.
void turn_streams_lost(struct turn_server *s, uint64_t now_ns);
// Some of them may be gone: those that are not reported open again in ten seconds end.
void turn_streams_again(struct turn_server *s, uint64_t now_ns);

// The edge's reports of its sockets for TCP allocations. Drain turn_next afterwards. Once it has
// reported all, connections that it did not name are forgotten, and it is asked to listen for each
// TCP allocation; repeating the order does no harm. turn_edge_room looks at none.
// `peers_max`: connections with peers that it can have; 0: unknown.
void turn_peer_reported(struct turn_server *s, uint64_t now_ns, const struct tp_session_peer *p);
void turn_relay_reported(struct turn_server *s, uint64_t now_ns, const struct tp_session_relay *r);
// Divides a cap of bandwidth anew between both kinds of allocations.
void turn_cap_used(struct turn_server *s, uint64_t now_ns, const struct tp_session_used *u);
void turn_edge_synced(struct turn_server *s, uint64_t peers_max);
void turn_edge_room(struct turn_server *s, uint64_t peers_max);

// Expires due objects. At most `budget` timers a call, so that a million of them cause no pause.
void turn_advance(struct turn_server *s, uint64_t now_ns, unsigned budget);
// When to call turn_advance next; UINT64_MAX: never.
uint64_t turn_deadline(const struct turn_server *s);
// Next output; false when there is none left.
bool turn_next(struct turn_server *s, struct turn_out *out);

struct turn_explanation {
	bool allowed;
	struct policy_decision why;
	bool would_deny; // by the policy under trial
	struct policy_decision trial;
	const char *policy; // of the user; NULL: the realm's own
};

// Whether a client of the realm may send to the peer, and why; port 0: to any port of it. `user`
// NULL: of no certain user. -ENOENT: no realm has the id.
int turn_peer_explain(const struct turn_server *s, uint16_t realm_id, const char *user,
	const struct tp_addr *peer, struct turn_explanation *out);

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

// The user of the kind and name: the part behind the time of a time-limited credential. Tokens have
// no name of their own. -ENOENT: it has nothing at all.
int turn_user_find(const struct turn_server *s, uint16_t realm_id, enum turn_identity_kind kind,
	const char *name, size_t len, struct turn_user_view *view);
int turn_realm_find(const struct turn_server *s, uint16_t realm_id, struct turn_user_view *view);

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
