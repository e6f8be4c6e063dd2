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

struct turn_server;

struct turn_user {
	const char *name; // UTF-8, prepared
	uint8_t key[16];  // MD5(name ":" realm ":" password), RFC 8489 9.2.2
};

// A shared secret of the time-limited ("REST") credentials.
struct turn_secret {
	const char *id; // shown in logs and counted; the octets never are
	const uint8_t *octets;
	size_t len;
};

struct turn_listener {
	struct tp_addr local;
	struct tp_addr advertised; // the external address where one is mapped, else local
	uint16_t id;		   // in the segment's address table
};

struct turn_relay_address {
	struct tp_addr local;	   // port 0
	struct tp_addr advertised; // port 0
	uint16_t id;
};

// Everything is borrowed for the life of the server (or until the next turn_reconfigure).
struct turn_conf {
	const char *realm;
	const char *software; // SOFTWARE in responses; NULL: none
	const struct turn_user *users;
	size_t n_users;
	const struct turn_secret *secrets; // tried in turn, newest first
	size_t n_secrets;
	const struct turn_listener *listeners;
	size_t n_listeners;
	const struct turn_relay_address *relays;
	size_t n_relays;
	const struct policy *policy;
	uint16_t port_min; // relayed ports, inclusive
	uint16_t port_max;
	uint16_t channel_max;		 // TP_CHANNEL_MAX or TP_CHANNEL_MAX_COMPAT
	bool permission_follows_channel; // a channel keeps its permission alive (listed deviation)
	bool secure_stun;		 // Binding needs credentials too
	uint32_t max_allocations;	 // 0: no limit
	uint32_t user_quota;		 // allocations of one user; 0: no limit
	uint32_t default_lifetime_s;
	uint32_t max_lifetime_s;
	uint32_t permission_lifetime_s;
	uint32_t channel_lifetime_s;
	uint32_t nonce_lifetime_s;
	uint8_t nonce_key[16]; // of the nonce's MAC; from the private file, survives restarts
	uint8_t punt_key[16];  // of the nonce's source tag, shared with the packet path:
			       // <turnpike/nonce.h>
};

struct turn_env {
	void *ctx;
	// Fills buf with `len` octets of a CSPRNG; seeded in tests.
	void (*random)(void *ctx, void *buf, size_t len);
};

enum turn_close_reason {
	TURN_CLOSE_REFRESH, // Refresh with lifetime 0
	TURN_CLOSE_EXPIRED,
	TURN_CLOSE_KILLED, // by the operator
	TURN_CLOSE_SHUTDOWN,
	TURN_CLOSE_CONFIG, // its address left the configuration
};

enum turn_out_kind {
	TURN_OUT_SEND,		    // a message to a client
	TURN_OUT_ALLOCATION_OPENED, // events: for logs and usage records, nothing needs doing
	TURN_OUT_ALLOCATION_CLOSED,
	TURN_OUT_REFUSED, // event: why a request was refused, where an operator may want to know
};

// X(id, text)
#define TURN_REFUSALS(X)                                                                           \
	X(UNKNOWN_USER, "nobody has that user name")                                               \
	X(CREDENTIAL_EXPIRED, "the time-limited credential is past its time")                      \
	X(INTEGRITY, "the password is wrong, or the request was changed on its way")               \
	X(PEER, "the peer policy denies the peer")                                                 \
	X(TUNNEL, "the client's address is a Teredo or 6to4 one")                                  \
	X(QUOTA, "the user has as many allocations as allowed")                                    \
	X(DRAINING, "the relay takes no new allocations")                                          \
	X(ALLOCATIONS, "the relay has as many allocations as allowed")                             \
	X(PORTS, "no relay port of the address family is free")                                    \
	X(TABLES, "a table is full")

enum turn_refusal_cause {
	TURN_REFUSED_NOT,
#define TURN_REFUSAL_ID(id, text) TURN_REFUSED_##id,
	TURN_REFUSALS(TURN_REFUSAL_ID)
#undef TURN_REFUSAL_ID
};

struct turn_refusal {
	enum turn_refusal_cause cause;
	unsigned code;		    // of the error response
	uint16_t method;	    // enum stun_method
	const char *username;	    // points into the request, not terminated; any octets
	size_t username_len;	    // 0 where none was named
	struct tp_addr peer;	    // PEER
	struct policy_decision why; // PEER
};

struct turn_out {
	enum turn_out_kind kind;
	struct turn_tuple tuple;
	const uint8_t *data; // SEND: valid until the next call on the server
	size_t len;
	uint32_t ref; // OPENED, CLOSED
	enum turn_close_reason reason;
	const struct turn_allocation_record *record; // OPENED, CLOSED: valid until the next call
	const struct turn_refusal *refusal;	     // REFUSED: valid until the next call
};

// One X-list for counters' names, the CLI and documentation.
#define TURN_COUNTERS(X)                                                                           \
	X(requests, "STUN requests that reached the TURN server")                                  \
	X(bad_message, "messages that are not well-formed STUN")                                   \
	X(bad_fingerprint, "messages with a wrong FINGERPRINT")                                    \
	X(unknown_method, "requests of a method this server does not have")                        \
	X(responses_ignored, "STUN responses sent to us")                                          \
	X(indications_ignored, "indications of no use to the TURN server")                         \
	X(error_300, "Try Alternate responses")                                                    \
	X(error_400, "Bad Request responses")                                                      \
	X(error_401, "Unauthorized responses")                                                     \
	X(error_403, "Forbidden responses")                                                        \
	X(error_405, "Mobility Forbidden responses")                                               \
	X(error_420, "Unknown Attribute responses")                                                \
	X(error_437, "Allocation Mismatch responses")                                              \
	X(error_438, "Stale Nonce responses")                                                      \
	X(error_440, "Address Family not Supported responses")                                     \
	X(error_441, "Wrong Credentials responses")                                                \
	X(error_442, "Unsupported Transport Protocol responses")                                   \
	X(error_443, "Peer Address Family Mismatch responses")                                     \
	X(error_486, "Allocation Quota Reached responses")                                         \
	X(error_500, "Server Error responses")                                                     \
	X(error_508, "Insufficient Capacity responses")                                            \
	X(integrity_failed, "requests whose MESSAGE-INTEGRITY did not verify")                     \
	X(unknown_user, "requests with a user name nobody knows")                                  \
	X(credential_expired, "requests with a time-limited credential past its time")             \
	X(credential_kept, "requests verified by the kept key of a time-limited credential")       \
	X(retransmissions, "retransmitted requests answered again")                                \
	X(allocations_opened, "allocations made")                                                  \
	X(allocations_closed, "allocations ended")                                                 \
	X(permissions_denied, "peers refused by the peer policy")

struct turn_counters {
#define TURN_COUNTER_FIELD(name, text) uint64_t name;
	TURN_COUNTERS(TURN_COUNTER_FIELD)
#undef TURN_COUNTER_FIELD
};

// What relayctl shows of an allocation. Pointers are valid until the next call on the server.
struct turn_allocation_view {
	const struct turn_allocation_record *record;
	uint32_t ref;
	size_t n_permissions;
	size_t n_channels;
};

struct turn_permission_view {
	struct tp_addr peer; // port 0 for a permission
	uint32_t expires_s;
	uint32_t ref;
	uint16_t channel; // 0 for a permission
};

// NULL with errno set (ENOMEM, EINVAL).
struct turn_server *turn_create(
	const struct turn_env *env, const struct turn_store *store, const struct turn_conf *conf);
// Leaves the store's objects alone: the tables outlive the process.
void turn_destroy(struct turn_server *s);

// Before the first turn_input: hand back what a recovery scan found. The allocation first, then its
// permissions, then its channels. -EINVAL when the record contradicts the configuration (an unknown
// listener or relay id, a port out of range): the caller then deletes it from the store.
// turn_restore_expect, first of all, says how many allocations there are, or may be.
void turn_restore_expect(struct turn_server *s, size_t allocations);
int turn_restore_allocation(struct turn_server *s, uint64_t now_ns,
	const struct turn_allocation_record *rec, uint32_t ref);
int turn_restore_permission(struct turn_server *s, uint64_t now_ns, uint32_t allocation,
	const struct tp_addr *peer, uint32_t expires_s, uint32_t ref);
int turn_restore_channel(struct turn_server *s, uint64_t now_ns, uint32_t allocation,
	uint16_t number, const struct tp_addr *peer, uint32_t expires_s, uint32_t ref);

// The same of what has ended. What is over is left out. Of a port's time the low 16 bits are known;
// tombs come in the order of their times. After the allocations.
void turn_restore_port_rest(
	struct turn_server *s, uint64_t now_ns, uint16_t relay_id, uint16_t port, uint16_t until_s);
void turn_restore_tomb(struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client,
	const uint8_t txid[12], uint32_t until_s);

// One message from a client. Drain turn_next afterwards.
void turn_input(struct turn_server *s, uint64_t now_ns, uint64_t wall_s,
	const struct turn_tuple *from, const uint8_t *msg, size_t len);
// Expires what is due. At most `budget` timers a call, so that a million of them cause no pause.
void turn_advance(struct turn_server *s, uint64_t now_ns, unsigned budget);
// When to call turn_advance next; UINT64_MAX: never.
uint64_t turn_deadline(const struct turn_server *s);
// Next output; false when there is none left.
bool turn_next(struct turn_server *s, struct turn_out *out);

// The operator ends an allocation: 0 or -ENOENT.
int turn_kill(struct turn_server *s, uint64_t now_ns, uint32_t ref);
// Refuse new allocations with 508 while true (drain); live ones go on.
void turn_set_draining(struct turn_server *s, bool draining);

// The text of TURN_REFUSALS; constant.
const char *turn_refusal_text(enum turn_refusal_cause cause);

const struct turn_counters *turn_get_counters(const struct turn_server *s);
size_t turn_allocation_count(const struct turn_server *s);
// Walks all allocations: start with *cursor = 0; false at the end.
bool turn_allocation_next(
	struct turn_server *s, uint64_t *cursor, struct turn_allocation_view *view);
int turn_allocation_find(struct turn_server *s, uint32_t ref, struct turn_allocation_view *view);
// Permissions and channels of an allocation: fills at most `max`, returns how many there are.
size_t turn_permissions_of(
	const struct turn_server *s, uint32_t ref, struct turn_permission_view *out, size_t max);

// A time-limited credential (REST): username "EXPIRY:NAME", password base64(HMAC-SHA1(secret,
// username)). Buffers are NUL-terminated. 0, -ENOSPC for short buffers, -ENOENT without a secret.
int turn_mint_credential(const struct turn_conf *conf, const char *name, uint64_t expiry_wall_s,
	char *username, size_t username_size, char *password, size_t password_size);
