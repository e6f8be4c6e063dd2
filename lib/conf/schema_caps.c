// SPDX-License-Identifier: BSD-3-Clause
// Caps of bandwidth and packet rate: in `limits` and in each realm.
#include "schema.h"

static const struct rule cap_rules[] = {
	{.key = "bandwidth",
		.type = RULE_U32,
		RULE_AT(struct conf_cap, bandwidth_kbps),
		.max = UINT32_MAX,
		.initial = "0",
		.unit = "kbit/s",
		.text = "Data relayed, both directions together, without the headers of IP, UDP "
			"and TURN: in thousands of bits per second, not bytes as coturn's "
			"`max-bps`. "
			"0: no limit."},
	{.key = "packet_rate",
		.type = RULE_U32,
		RULE_AT(struct conf_cap, packet_rate),
		.max = 100000000,
		.initial = "0",
		.unit = "packets/s",
		.text = "Packets relayed, both directions together; 0: no limit."},
	{.key = "burst",
		.type = RULE_U32,
		RULE_AT(struct conf_cap, burst_ms),
		.min = 1,
		.max = 10000,
		.initial = "40",
		.unit = "ms",
		.text = "So much of either rate passes at once after silence, and 6,000 bytes and "
			"four packets in any case."},
	{.key = NULL},
};

static const struct section cap_section = {
	.rules = cap_rules,
	.size = sizeof(struct conf_cap),
	.text = "A token bucket for each rate. Packets of ECN-capable transports are marked CE "
		"before any is dropped; a packet that finds no tokens is dropped under the name of "
		"the cap ([drops.md](drops.md)).",
};

#define CAP(key_of, what)                                                                          \
	{                                                                                          \
		.key = #key_of, .type = RULE_MAP, RULE_AT(struct conf_caps, key_of),               \
		.section = &cap_section, .text = what                                              \
	}

static const struct rule caps_rules[] = {
	CAP(allocation, "Each allocation of the file's own realm."),
	CAP(user, "All allocations of one user of the file's own realm together. Each time-limited "
		  "credential that has a time and no name is a user of its own."),
	CAP(realm, "All allocations of the file's own realm together."),
	CAP(all, "All allocations of all realms together."),
	{.key = NULL},
};

static const struct rule realm_caps_rules[] = {
	CAP(allocation, "Each allocation of the realm."),
	CAP(user, "All allocations of one user of the realm together. Each time-limited credential "
		  "that has a time and no name is a user of its own."),
	CAP(realm, "All allocations of the realm together."),
	{.key = NULL},
};

const struct section conf_schema_caps = {
	.rules = caps_rules,
	.size = sizeof(struct conf_caps),
	.text = "Bandwidth and packet rates of calls, new ones and those there are. A packet "
		"passes when all caps of its allocation let it pass; one between two allocations "
		"counts for both. A cap of several allocations is shared fairly among those that "
		"want more than there is. Data connections of TCP allocations (RFC 6062) count for "
		"the bandwidths, too, and lose nothing: they wait. `packet_rate` does not concern "
		"them: a stream has bytes, and no packets of its sender's. Where a user, a realm "
		"or "
		"all have allocations of both kinds, the bandwidth is divided between the kinds "
		"about ten times a second: one has what the other leaves; where both want more "
		"than "
		"there is, each has its share by the number of its allocations.",
};

const struct section conf_schema_realm_caps = {
	.rules = realm_caps_rules,
	.size = sizeof(struct conf_caps),
	.text = "As `limits.caps`, for allocations of the realm; `limits.caps.all` holds for all "
		"realms.",
};
