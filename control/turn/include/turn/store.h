// SPDX-License-Identifier: BSD-3-Clause
// The tables as the TURN server sees them: what it asks of whoever keeps allocations, permissions
// and channels. `control/tables` implements it over the RCU segment; tests and the simulator bring
// their own. Every call is synchronous memory work: no call blocks, sleeps or does I/O.
//
// A reference (`ref`) is the store's name for an object; it stays the same until the matching _del,
// and after a restart of the process it is handed back through turn_restore_*.
//
// Errors of the _add calls: -ENOSPC when a pool is empty (the server answers 508), -EEXIST when the
// key is already there. Nothing is visible to the packet path when a call fails.
#pragma once

#include <turnpike/addr.h>

// Longest USERNAME that parses: RFC 8489 14.3 says fewer than 509 octets, older RFCs allow 763.
#define TURN_USERNAME_MAX 763u
#define TURN_KEY_MAX	  32u
// RFC 8656 7.2 and ADDITIONAL-ADDRESS-FAMILY: an allocation has at most one address per family.
#define TURN_RELAY_SLOTS  2u

// A client's side of its 5-tuple: the local side is the listener.
struct turn_tuple {
	struct tp_addr remote;
	uint16_t listener_id; // id in the segment's address table
};

struct turn_relay_slot {
	struct tp_addr local; // the relayed transport address as bound on this host
	struct tp_addr
		advertised; // as told to clients and shown to peers on this relay (external map)
	uint32_t expires_s; // CLOCK_BOOTTIME seconds; 0: the slot is unused
	uint16_t relay_id;  // id of local's IP address in the segment's address table
};

// Everything a restarted server needs to go on with an allocation.
struct turn_allocation_record {
	struct turn_tuple client;
	struct turn_relay_slot relay[TURN_RELAY_SLOTS];
	uint64_t created_ns;
	uint32_t lifetime_s; // the LIFETIME that the Allocate success response carried
	uint8_t txid[12];    // transaction id of the Allocate request (retransmissions)
	uint16_t username_len;
	uint16_t key_len;
	uint8_t key[TURN_KEY_MAX]; // integrity key: never logged
	uint8_t requested_family;  // TP_FAMILY_*
	uint8_t username[TURN_USERNAME_MAX];
};

struct turn_store {
	void *ctx;

	int (*allocation_add)(void *ctx, const struct turn_allocation_record *rec, uint32_t *ref);
	// A new expiry for one relay slot (CLOCK_BOOTTIME seconds).
	void (*allocation_refresh)(void *ctx, uint32_t ref, unsigned slot, uint32_t expires_s);
	// Also ends what is left of its permissions and channels. The references die with it.
	void (*allocation_del)(void *ctx, uint32_t ref);

	// A permission for the peer's IP address; the port in `peer` is 0.
	int (*permission_add)(void *ctx, uint32_t allocation, const struct tp_addr *peer,
		uint32_t expires_s, uint32_t *ref);
	void (*permission_refresh)(void *ctx, uint32_t ref, uint32_t expires_s);
	void (*permission_del)(void *ctx, uint32_t ref);

	// A channel carries both expiries: the channel's own (client to peer) and that of the
	// permission for its peer's address (peer to client).
	int (*channel_add)(void *ctx, uint32_t allocation, uint16_t number,
		const struct tp_addr *peer, uint32_t expires_s, uint32_t permission_expires_s,
		uint32_t *ref);
	void (*channel_refresh)(
		void *ctx, uint32_t ref, uint32_t expires_s, uint32_t permission_expires_s);
	void (*channel_del)(void *ctx, uint32_t ref);

	// What must outlive a restart of the process, until a second of CLOCK_BOOTTIME: a relayed
	// port that nobody may get yet, and by what a late duplicate of an Allocate request is
	// known. A bounded number of tombs is kept, the youngest. Either may be NULL.
	void (*port_rest)(void *ctx, uint16_t relay_id, uint16_t port, uint32_t until_s);
	void (*tomb_add)(void *ctx, const struct turn_tuple *client, const uint8_t txid[12],
		uint32_t until_s);
};
