// SPDX-License-Identifier: BSD-3-Clause
// The bytes of TCP allocations (RFC 6062): a meter for each allocation counts them and holds its
// data connections to caps of bandwidth. A cap is a token bucket, which meters share by its id:
// that of a user is in the meters of all allocations of the user. Nothing is dropped: a connection
// that has to wait is not read.
//
// A bucket may go below zero by the bytes of one read; the connections wait until the debt is paid,
// so the rate is right over time.
//
// Threads: any, but for meters_create and meters_destroy. Time is CLOCK_BOOTTIME; clocks of threads
// may differ a little.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <turnpike/session.h>

struct meters;
struct meter;

// `key`: of the hash of ids. NULL without memory.
struct meters *meters_create(const uint8_t key[16]);
// Must come after the end of all meters. NULL is fine.
void meters_destroy(struct meters *m);

// A meter without caps, with one reference; NULL without memory.
struct meter *meter_create(struct meters *m);
struct meter *meter_ref(struct meter *meter);
// NULL is fine.
void meter_unref(struct meter *meter);

// Sets other caps: those up to the first whose id is 0. A bucket that some meter has already keeps
// its fill. A cap for which there is no memory is left out.
void meter_caps_set(struct meter *meter, const struct tp_session_cap caps[TP_SESSION_CAPS_MAX],
	uint64_t now_ns);
// The caps as they are now, in the form of meter_caps_set.
void meter_caps_get(struct meter *meter, struct tp_session_cap caps[TP_SESSION_CAPS_MAX]);
// Gives buckets that there are other rates; up to the first whose id is 0.
void meters_caps_change(
	struct meters *m, const struct tp_session_cap caps[TP_SESSION_CAPS_MAX], uint64_t now_ns);

// ---- buckets that are watched -------------------------------------------------------------------

uint32_t meters_watched(struct meters *m);
// The use of the one that was told longest ago, but for the time; false: none is watched.
bool meters_used(struct meters *m, struct tp_session_used *used);
// It has been told: the others come before it.
void meters_used_told(struct meters *m, uint32_t id);

// ---- connections --------------------------------------------------------------------------------

// Returns how long the connections must not be read; 0: they may be read now.
uint64_t meter_wait_ns(struct meter *meter, uint64_t now_ns);
// Counts bytes that were read.
void meter_count(struct meter *meter, uint64_t now_ns, bool to_peer, size_t octets);

struct meter_total {
	uint64_t to_peer; // bytes
	uint64_t to_client;
};
struct meter_total meter_total(const struct meter *meter);
