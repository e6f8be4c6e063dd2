// SPDX-License-Identifier: BSD-3-Clause
// Limits of connections and handshakes, for each source prefix (/32 of IPv4, /64 of IPv6; a /48 has
// 16 times as many) and in all, of which a part is left to prefixes that have few. Refusals cost
// one look-up; memory is bounded by the limits themselves.
//
// No input, output or clock: times are CLOCK_BOOTTIME in ns from the caller. One thread at a time:
// the threads of the process share one under a lock.
#pragma once

#include <turnpike/addr.h>

struct admit_limits {
	uint32_t connections;	     // in all, at least 1
	uint32_t connections_prefix; // of one prefix; 0: no limit
	uint32_t handshakes;	     // per second in all; 0: no limit
	uint32_t handshakes_prefix;  // per second of one prefix; 0: no limit
};

// Reasons of a refusal: X(name, description).
#define ADMIT_REFUSALS(X)                                                                          \
	X(connections, "as many connections as edge.connections allows")                           \
	X(connections_prefix, "as many of one prefix as edge.connections_per_prefix allows")       \
	X(connections_share, "more of one prefix than leaves room for others")                     \
	X(handshakes, "more handshakes per second than edge.handshake_rate allows")                \
	X(handshakes_prefix, "more of one prefix than edge.handshake_rate_per_prefix allows")      \
	X(memory, "no memory for another prefix")

enum admit_verdict {
	ADMIT_OK,
#define ADMIT_REFUSAL_ID(name, text) ADMIT_REFUSED_##name,
	ADMIT_REFUSALS(ADMIT_REFUSAL_ID)
#undef ADMIT_REFUSAL_ID
		ADMIT_COUNT
};

struct admit;

// `key`: 16 random bytes, against sources chosen to meet in one chain. NULL: no memory.
struct admit *admit_create(const struct admit_limits *l, const uint8_t key[16]);
void admit_destroy(struct admit *a);

// The limits of a reload hold for later connections.
void admit_limits_set(struct admit *a, const struct admit_limits *l);

// A connection begins, and with it a handshake: on ADMIT_OK it is counted until admit_leave of the
// same source. The port does not count.
enum admit_verdict admit_enter(struct admit *a, uint64_t now_ns, const struct tp_addr *source);
// Counts a connection that another process has admitted, even above the limits. False: without
// memory.
bool admit_restore(struct admit *a, const struct tp_addr *source);
void admit_leave(struct admit *a, uint64_t now_ns, const struct tp_addr *source);

uint32_t admit_connections(const struct admit *a);
// Prefixes remembered, sites among them: those with connections, and those that had a handshake
// in the last second or whose rate is in use.
uint32_t admit_prefixes(const struct admit *a);

const char *admit_verdict_name(enum admit_verdict v);
