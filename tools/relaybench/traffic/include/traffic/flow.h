// SPDX-License-Identifier: BSD-3-Clause
// The population of a benchmark: flow i is one client with one allocation, one permission and one
// channel. All its addresses follow from i, so that a million flows need no list.
#pragma once

#include <turnpike/addr.h>

enum bench_family {
	BENCH_IPV4,
	BENCH_IPV6,
	BENCH_4TO6, // IPv4 client, IPv6 relayed address and peer
	BENCH_FAMILIES
};

#define BENCH_RELAY_PORT_MIN   49152u
#define BENCH_RELAY_PORT_MAX   65535u
#define BENCH_RELAY_PORTS      (BENCH_RELAY_PORT_MAX - BENCH_RELAY_PORT_MIN + 1u)
#define BENCH_RELAYS_MAX       256u // relay addresses; each serves BENCH_RELAY_PORTS flows
#define BENCH_MIXED_PAIRS      16u
#define BENCH_MIX_CHANNELS_MIN 4u
#define BENCH_FLOWS_MAX	       (BENCH_RELAYS_MAX * BENCH_RELAY_PORTS)

struct bench_population {
	uint32_t n_flows; // even, at most BENCH_FLOWS_MAX
	enum bench_family family;
	bool hairpin; // each flow's peer is the relayed address of flow i ^ 1
	bool mixed;   // one pair of flows in BENCH_MIXED_PAIRS is such; at least two pairs
};

struct bench_flow {
	struct tp_addr client;
	struct tp_addr relayed;
	struct tp_addr peer;	// of the channel and, by its IP address, of the permission
	struct tp_addr visitor; // same IP address, another port: permission, no channel. Unused by
				// a joined flow
	uint16_t number;	// of the channel
};

// "4", "6", "4to6".
const char *bench_family_name(enum bench_family family);

uint8_t bench_client_family(enum bench_family family);
uint8_t bench_relay_family(enum bench_family family);

struct tp_addr bench_listener(enum bench_family family);
struct tp_addr bench_relay_address(enum bench_family family, uint32_t relay); // port 0
uint32_t bench_relay_count(const struct bench_population *p);

// Whether flow i and i ^ 1 are each other's peers.
bool bench_flow_joined(const struct bench_population *p, uint32_t i);

// The flow of an IPv4 client's address, UINT32_MAX: of none.
uint32_t bench_flow_of_client(const struct tp_addr *client);

void bench_flow_at(const struct bench_population *p, uint32_t i, struct bench_flow *flow);
