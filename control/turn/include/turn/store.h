// SPDX-License-Identifier: BSD-3-Clause
// The tables as the TURN server sees them: the interface of a store of allocations, permissions and
// channels. `control/tables` implements it over the RCU segment; tests and the simulator bring
// their own. Every call is synchronous memory work: no call blocks, sleeps or does I/O.
//
// A reference (`ref`) is the store's name for an object; it stays the same until the matching _del,
// and after a restart of the process it is handed back through turn_restore_*.
//
// Errors of the _add calls: -ENOSPC when a pool is empty (the server answers 508), -EEXIST when the
// key is already there. Nothing is visible to the packet path when a call fails.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/ports.h>

// Longest USERNAME that parses: RFC 8489 14.3 says fewer than 509 octets, older RFCs allow 763.
#define TURN_USERNAME_MAX 763u
#define TURN_KEY_MAX	  32u
// RFC 8656 7.2 and ADDITIONAL-ADDRESS-FAMILY: an allocation has at most one address per family.
#define TURN_RELAY_SLOTS  2u

// A client's side of its 5-tuple: the local side is the listener. Remote address and listener
// make the key; the connection belongs to it.
struct turn_tuple {
	struct tp_addr remote;
	uint64_t connection;  // handle of a stream client's connection; 0: a datagram's
	uint16_t listener_id; // id in the segment's address table
};

struct turn_relay_slot {
	struct tp_addr local; // the relayed transport address as bound on this host
	struct tp_addr
		advertised; // as told to clients and shown to peers on this relay (external map)
	uint32_t expires_s; // CLOCK_BOOTTIME seconds; 0: the slot is unused
	uint16_t relay_id;  // id of local's IP address in the segment's address table
};

// turn_allocation_record.flags
#define TURN_RECORD_DONT_FRAGMENT 0x01u // the Allocate request asked for it
#define TURN_RECORD_MOBILE	  0x02u // it asked for a mobility ticket
// It asked for both families and got one: the error code that the other one was answered with.
#define TURN_RECORD_DECLINED_440  0x04u
#define TURN_RECORD_DECLINED_508  0x08u

// Everything a restarted server needs to go on with an allocation.
struct turn_allocation_record {
	struct turn_tuple client;
	struct turn_relay_slot relay[TURN_RELAY_SLOTS];
	uint64_t created_ns;
	uint32_t lifetime_s; // the LIFETIME that the Allocate success response carried
	uint8_t txid[12];    // of the Allocate request, or the last Refresh with a ticket
	uint16_t username_len;
	uint16_t key_len;
	uint8_t key[TURN_KEY_MAX]; // integrity key: never logged
	uint8_t key_algorithm;	   // of `key`, the server's own number
	uint8_t requested_family;  // TP_FAMILY_*
	uint8_t client_transport;  // TP_TRANSPORT_* of the client's listener
	uint8_t relayed_transport; // TP_TRANSPORT_UDP or TP_TRANSPORT_TCP
	uint8_t flags;		   // TURN_RECORD_*
	uint8_t identity_kind;	   // static, directory, REST, token: the server's own number
	uint16_t realm_id;
	uint32_t secret_id;  // REST secret or token key that signed the credential; 0: none
	uint64_t connection; // handle of a stream client's connection, else 0
	uint64_t ticket_id;  // of the mobility ticket given out last; 0: none
	uint64_t credential_expires_s; // wall clock; 0: it does not expire
	uint8_t username[TURN_USERNAME_MAX];
};

// RFC 8656 18.10.
#define TURN_TOKEN_LEN 8u

// A relayed port held for the bearer of a token.
struct turn_reservation_record {
	uint8_t token[TURN_TOKEN_LEN]; // never logged
	uint8_t txid[12];	       // transaction id of the Allocate request that made it
	uint32_t expires_s;	       // CLOCK_BOOTTIME seconds
	uint32_t secret_id;	       // these four as in struct turn_allocation_record
	uint16_t realm_id;
	uint16_t username_len;
	uint8_t identity_kind;
	bool used;	   // an allocation has the port, or had it
	uint16_t relay_id; // id of its IP address in the segment's address table
	uint16_t port;
	uint8_t username[TURN_USERNAME_MAX];
};

// A cap of bandwidth and packet rate, as in struct tp_limit. A rate of 0: no limit.
struct turn_cap {
	uint64_t bits_per_s;
	uint64_t burst_bits;
	uint32_t packets_per_s;
	uint32_t burst_packets;
};

static inline bool turn_cap_is_set(const struct turn_cap *cap)
{
	return cap->bits_per_s != 0 || cap->packets_per_s != 0;
}

// A slot of the limits array as it is to be (<turnpike/rate.h>).
struct turn_limit {
	struct turn_cap cap;
	uint32_t parent;   // the next wider limit, or 0
	uint32_t sessions; // allocations that share it
	uint16_t realm_id;
	uint8_t kind; // TP_LIMIT_*
};

struct turn_store {
	void *ctx;

	int (*allocation_add)(void *ctx, const struct turn_allocation_record *rec, uint32_t *ref);
	// A new expiry for one relay slot (CLOCK_BOOTTIME seconds). 0 ends the slot: its
	// permissions and channels are gone already, its port may be given to another allocation.
	void (*allocation_refresh)(void *ctx, uint32_t ref, unsigned slot, uint32_t expires_s);
	// The bytes of the data connections of a TCP allocation since it began, which the packet
	// path does not see. May be NULL.
	void (*allocation_octets)(void *ctx, uint32_t ref, uint64_t to_peer, uint64_t to_client);
	// The same, the last of them, of one at the relayed transport address that allocation_del
	// has ended. Nothing happens where the store awaits none: `ref` is the edge's word. May be
	// NULL.
	void (*allocation_last)(void *ctx, uint32_t ref, const struct tp_addr *local,
		uint64_t to_peer, uint64_t to_client);
	// Another user and key: those of the record, whose other contents are as they were. Whole
	// or not at all, also when the process is killed. 0 or -ENOSPC.
	int (*allocation_own)(void *ctx, uint32_t ref, const struct turn_allocation_record *rec);
	// Also ends its remaining permissions and channels. The references die with it.
	void (*allocation_del)(void *ctx, uint32_t ref);

	// A permission for the peer's IP address; the port in `peer` is 0. With `expires_s` 0 it
	// lets nothing pass until permission_refresh.
	int (*permission_add)(void *ctx, uint32_t allocation, const struct tp_addr *peer,
		uint32_t expires_s, uint32_t *ref);
	void (*permission_refresh)(void *ctx, uint32_t ref, uint32_t expires_s);
	void (*permission_del)(void *ctx, uint32_t ref);

	// The ports of the peer that a permission is for, `allowed`, and those of them outside
	// which packets are counted, `trial`; NULL: all. -ENOSPC when there are too many different
	// sets: nothing has changed.
	int (*permission_ports)(void *ctx, uint32_t ref, const struct tp_port_set *allowed,
		const struct tp_port_set *trial);

	// A channel carries both expiries: the channel's own (client to peer) and that of the
	// permission for its peer's address (peer to client).
	int (*channel_add)(void *ctx, uint32_t allocation, uint16_t number,
		const struct tp_addr *peer, uint32_t expires_s, uint32_t permission_expires_s,
		uint32_t *ref);
	void (*channel_refresh)(
		void *ctx, uint32_t ref, uint32_t expires_s, uint32_t permission_expires_s);
	void (*channel_del)(void *ctx, uint32_t ref);

	// Mobility (RFC 8016); all six may be NULL, then no allocation moves.
	//
	// A second 5-tuple of the allocation's client, by which the packet path takes its messages,
	// too; the rest stays with the first. Later changes of the allocation are for both.
	// *successor names it in the packet path's reports. -EEXIST: another has the 5-tuple.
	int (*move_begin)(void *ctx, uint32_t allocation, const struct turn_tuple *client,
		uint32_t *successor);
	// Takes the second 5-tuple away again.
	void (*move_cancel)(void *ctx, uint32_t allocation);
	// The second 5-tuple takes the place of the first, which is gone. The allocation's
	// reference is the successor's from then on, that of a permission or channel is what
	// move_ref said before.
	void (*move_finish)(void *ctx, uint32_t allocation);
	uint32_t (*move_ref)(void *ctx, uint32_t ref);
	// Another connection of the same 5-tuple has taken the place of the allocation's.
	void (*reconnect)(void *ctx, uint32_t allocation, uint64_t connection);
	// The last ticket given out, and the request that it was given for.
	void (*ticket_set)(
		void *ctx, uint32_t allocation, uint64_t ticket_id, const uint8_t txid[12]);

	// The longest IP packet that leaves towards the client (`peer` NULL), or towards a peer's
	// IP address; 0: not known. Concerns the objects that are there. May be NULL.
	void (*path_mtu)(void *ctx, uint32_t allocation, const struct tp_addr *peer, uint16_t mtu);
	// No leg's is less than this, from before the leg's is given; UINT16_MAX: none is known.
	// May be NULL.
	void (*path_mtu_least)(void *ctx, uint16_t mtu);

	// State that must outlive a restart of the process, until a second of CLOCK_BOOTTIME: a
	// relayed port in its cool-down, and the mark of a late duplicate of an Allocate request. A
	// bounded number of tombstones is kept, the youngest. Either may be NULL.
	void (*port_cooldown)(void *ctx, uint16_t relay_id, uint16_t port, uint32_t until_s);
	void (*tombstone_add)(void *ctx, const struct turn_tuple *client, const uint8_t txid[12],
		uint32_t until_s);

	// Reservations, until they end. -ENOSPC when there are as many as the store keeps. All
	// three may be NULL: they do not survive a restart then.
	int (*reservation_add)(void *ctx, const struct turn_reservation_record *rec, uint32_t *ref);
	void (*reservation_use)(void *ctx, uint32_t ref);
	void (*reservation_del)(void *ctx, uint32_t ref);

	// Limits. A number is never 0, and the store's until limit_del; a restarted process has
	// none. 0 when there is no room. All four may be NULL: nothing is limited then.
	uint32_t (*limit_add)(void *ctx, const struct turn_limit *limit);
	void (*limit_set)(void *ctx, uint32_t number, const struct turn_limit *limit);
	void (*limit_del)(void *ctx, uint32_t number);
	// The bytes that passed a limit so far; may begin anew. NULL: caps hold for each kind of
	// allocation by itself.
	uint64_t (*limit_octets)(void *ctx, uint32_t number);
	// The allocation's own limit, in all that it has and will have; 0: none.
	void (*allocation_limit)(void *ctx, uint32_t ref, uint32_t number);
};
