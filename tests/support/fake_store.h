// SPDX-License-Identifier: BSD-3-Clause
// A second implementation of `struct turn_store`: plain arrays, with every rule of the interface
// checked. A breach ends the program with a message. One thread.
#pragma once

#include <turn/server.h>

struct fake_allocation {
	bool live;
	uint32_t ref;
	uint16_t path_mtu; // of the leg to the client; its channels have the same
	uint32_t limit;
	uint64_t to_peer, to_client; // bytes of data connections
	bool is_last;		     // they are the last
	uint32_t successor;	     // 0: it is not moving
	struct turn_tuple next;
	struct turn_allocation_record rec;
};

struct fake_permission {
	bool live;
	uint32_t ref;
	uint32_t allocation;
	struct tp_addr peer;
	uint32_t expires_s;
	uint16_t path_mtu;
	// Bits of the ports 0 to 63; FAKE_ALL_PORTS: the store was told of no set.
	uint64_t ports;
	uint64_t trial;
};
#define FAKE_ALL_PORTS UINT64_MAX

struct fake_channel {
	bool live;
	uint32_t ref;
	uint32_t allocation;
	struct tp_addr peer;
	uint32_t expires_s;
	uint32_t permission_expires_s;
	uint16_t number;
	uint16_t path_mtu;	  // to the peer
	uint16_t client_path_mtu; // to the client
};

struct fake_limit {
	bool live;
	struct turn_limit limit;
	uint64_t octets; // that passed, by the test's word
};

#define FAKE_LIMITS 64u // numbers from 1

struct fake_reservation {
	bool live;
	uint32_t ref;
	struct turn_reservation_record rec;
};

#define FAKE_REMAINS 1024u

// Ended objects: the last of each kind.
struct fake_remains {
	uint16_t relay_ids[FAKE_REMAINS];
	uint16_t ports[FAKE_REMAINS];
	uint32_t ports_until_s[FAKE_REMAINS];
	struct turn_tuple clients[FAKE_REMAINS];
	uint8_t txids[FAKE_REMAINS][12];
	uint32_t tombstones_until_s[FAKE_REMAINS];
	size_t n_ports; // so far
	size_t n_tombstones;
};

struct fake_store {
	struct fake_remains remains;
	struct fake_allocation *allocations;
	struct fake_permission *permissions;
	struct fake_channel *channels;
	struct fake_reservation *reservations;
	size_t n_allocations; // slots used at some time
	size_t n_permissions;
	size_t n_channels;
	size_t n_reservations;
	size_t max_allocations; // live ones; beyond: -ENOSPC
	size_t max_permissions;
	bool no_port_sets; // none is free
	size_t max_channels;
	size_t max_reservations;
	size_t live_allocations;
	size_t live_permissions;
	size_t live_channels;
	size_t live_reservations;
	size_t live_moves;
	size_t max_moves;
	size_t calls;
	struct fake_limit limits[FAKE_LIMITS + 1];
	size_t live_limits;
	uint16_t path_mtu_least; // 0: not said
};

void fake_store_init(struct fake_store *f);
void fake_store_fini(struct fake_store *f);
struct turn_store fake_store_ops(struct fake_store *f);

// Hands everything to a server that just started, as a recovery scan would.
void fake_store_restore(struct fake_store *f, struct turn_server *s, uint64_t now_ns);

// The limit of a number; its parents exist, widening at each step.
const struct turn_limit *fake_store_limit(const struct fake_store *f, uint32_t number);

// Finds an object as the packet path would; NULL: none.
const struct fake_allocation *fake_store_allocation(
	const struct fake_store *f, const struct turn_tuple *client);
const struct fake_permission *fake_store_permission(
	const struct fake_store *f, uint32_t allocation, const struct tp_addr *peer);
const struct fake_channel *fake_store_channel(
	const struct fake_store *f, uint32_t allocation, uint16_t number);
