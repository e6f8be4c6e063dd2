// SPDX-License-Identifier: BSD-3-Clause
// Counters of the TURN server and of each realm. They only grow, and a reload leaves them alone.
#pragma once

#include <stdint.h>

#include <turnpike/stun.h>

// Error responses with the reason phrases of the IANA registry. X(code, reason)
#define TURN_ERRORS(X)                                                                             \
	X(300, "Try Alternate")                                                                    \
	X(400, "Bad Request")                                                                      \
	X(401, TP_STUN_REASON_401)                                                                 \
	X(403, "Forbidden")                                                                        \
	X(405, "Mobility Forbidden")                                                               \
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
	X(tokens_renewed, "allocations that a Refresh gave to a new token")                        \
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
	X(path_mtus_learnt, "path MTUs learnt from ICMP errors and black holes")                   \
	X(path_mtus_share, "path MTUs forgotten early: too many of one client's address or site")  \
	X(path_mtus_full, "path MTUs forgotten early: too many in all")                            \
	X(icmp_relayed, "ICMP errors told to clients")                                             \
	X(reports_stale, "reports about packets of no live allocation, permission or move")        \
	X(moves_begun, "Refresh requests that began to move an allocation (RFC 8016)")             \
	X(moves, "allocations moved to another 5-tuple")                                           \
	X(moves_abandoned, "moves that were given up")                                             \
	X(moves_refused, "moves refused: the client moves too often")                              \
	X(allocations_held, "allocations whose connection went, kept for their ticket")            \
	X(tickets_refused, "mobility tickets of no live allocation, or used before")               \
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
	X(peers_refused, "requests for new peers beyond limits.peer_rate")                         \
	X(permissions_would_deny, "peers that peers.deny would refuse but for peers.dry_run")      \
	X(permissions_revoked, "permissions ended because a new peer policy denies the peer")      \
	X(channels_revoked, "channels ended because a new peer policy denies the peer's port")

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
