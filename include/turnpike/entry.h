// SPDX-License-Identifier: BSD-3-Clause
// Entries of the RCU table: the part of allocations, permissions and channels that the packet path
// needs.
//
// One shape for all four kinds, two cache lines: line 0 finds and judges a packet, line 1 is the
// ready-made header that goes in front of it.
//
//   kind        key                                      finds
//   ALLOCATION  client address, listener id              the client's 5-tuple (Send, punt class)
//   CHANNEL     client address, listener id, number      client to peer, ChannelData
//   PEER        peer address, relay id, relayed port     peer to client, by a channel
//   PERMISSION  peer IP address, allocation              Send, and datagrams without a channel
//
// Written by the control process only. A published entry changes in the single aligned words that
// are _Atomic here, and only there: relaxed stores, relaxed loads, except `partner`, which names
// another entry: release, acquire. Everything else is settled before the entry is published; a
// change is a new slot and a swap of the index. Read by workers, lock-free, between two quiescent
// states.
//
// Checksums. The packet path never sums a payload up: it takes from the arriving checksum all that
// stood in front of (and behind) the payload, and adds all that the relay puts there instead:
//
//   payload = ~arriving - (sum_in  + 2 * UDP length on arrival + length fields and the rest)
//   leaving = ~(payload + (sum_out + 2 * UDP length on leaving + length fields and the rest))
//
// A checksum that was wrong on arrival is wrong by the same difference when it leaves. The UDP
// length counts twice: in the UDP header and in the pseudo header. A sum is the ones' complement
// sum of 16-bit words as stored (RFC 1071 2 B). Both sums cover source and destination address,
// protocol, source and destination port, and beyond these:
//
//   kind        sum_in (arriving)                   sum_out (leaving)
//   ALLOCATION  client to listener                  listener to client
//   CHANNEL     client to listener, channel number  relayed transport address to peer
//   PEER        peer to relayed transport address   listener to client, channel number
//   PERMISSION  peer to relayed transport address,  relayed transport address to peer,
//               except the peer's port              except the peer's port
//
// UDP lengths, the channel header's length and all of a STUN message outside DATA are never in
// them. The sum of a side that a stream client is on is 0: a stream has no checksum to go on from,
// and none to fill in.
#pragma once

#include <stdatomic.h>

#include <turnpike/addr.h>
#include <turnpike/hash.h>
#include <turnpike/limits.h>

#define TP_KIND_FREE	   0u
#define TP_KIND_ALLOCATION 1u
#define TP_KIND_CHANNEL	   2u
#define TP_KIND_PEER	   3u
#define TP_KIND_PERMISSION 4u

struct tp_key {
	// The client's or the peer's, in the form of tp_addr.ip.
	uint8_t ip[16];
	// The client's or the peer's; 0 for PERMISSION.
	uint16_t port_be;
	// Listener id or relay id; PERMISSION: low half of the allocation's index.
	uint16_t local_id;
	// CHANNEL: number, host order. PEER: relayed port, wire order. PERMISSION: high half of the
	// allocation's index. ALLOCATION: 0.
	uint16_t selector;
	uint8_t kind;	// TP_KIND_*
	uint8_t family; // TP_FAMILY_* of ip
};
TP_ASSERT_SIZE(struct tp_key, TP_KEY_LEN);

// ---- where packets built from an entry leave --------------------------------------------------

// An egress is one word: a slot of the next-hop table (0: none), or with TP_EGRESS_STREAM the edge
// thread and the slot of the connection of a client that came by TCP, TLS or DTLS. A slot of the
// next-hop table is below TP_NEXT_HOPS_MAX: the packet path's bound of the next-hop table refuses
// every stream client, so only that refusal has to tell them apart.
//
// A connection handle is 64 bits: its low half is the egress, its high half counts the connections
// that have had the slot, from 1 on. 0 names no connection.
#define TP_EGRESS_STREAM       0x80000000u
#define TP_CONNECTION_SLOT_MAX (1u << 24)

static inline bool tp_egress_is_stream(uint32_t egress)
{
	return (egress & TP_EGRESS_STREAM) != 0;
}

static inline uint32_t tp_egress_stream(uint32_t thread, uint32_t slot)
{
	return TP_EGRESS_STREAM | (thread & 0x7f) << 24 | (slot & (TP_CONNECTION_SLOT_MAX - 1));
}

// The edge thread. May be TP_EDGE_THREADS_MAX or more in a word that comes from another process.
static inline uint32_t tp_egress_thread(uint32_t egress)
{
	return egress >> 24 & 0x7f;
}

// The slot of the connection in its thread.
static inline uint32_t tp_egress_slot(uint32_t egress)
{
	return egress & (TP_CONNECTION_SLOT_MAX - 1);
}

static inline uint64_t tp_connection(uint32_t thread, uint32_t slot, uint32_t generation)
{
	return (uint64_t)generation << 32 | tp_egress_stream(thread, slot);
}

static inline uint32_t tp_connection_egress(uint64_t connection)
{
	return (uint32_t)connection;
}

static inline uint32_t tp_connection_generation(uint64_t connection)
{
	return (uint32_t)(connection >> 32);
}

// Whether the 64 bits have the form of a handle; the connection itself may be gone.
static inline bool tp_connection_valid(uint64_t connection)
{
	return tp_egress_is_stream((uint32_t)connection) &&
	       tp_egress_thread((uint32_t)connection) < TP_EDGE_THREADS_MAX &&
	       tp_connection_generation(connection) != 0;
}

// ---- entries ----------------------------------------------------------------------------------

// tp_entry.flags
#define TP_ENTRY_HAIRPIN     0x01u // the peer's IP address is a relay address of this relay

// CHANNEL and PERMISSION of a second 5-tuple: its messages are relayed and reported
// (TP_REPORT_MOVED).
#define TP_ENTRY_MOVING	     0x02u

// `limit` is not 0. In the byte that the packet path compares anyway, so that it need not look
// there. On from before a limit is stored until after it is taken away.
#define TP_ENTRY_LIMITED     0x04u

// tp_entry.leg_flags
#define TP_LEG_DONT_FRAGMENT 0x0001u // the client asked for DF on all its packets

// The ports of a PERMISSION: `allowed` is the number of the set that packets must be in, `trial` of
// the set outside which they are counted. 0: all ports.
static inline uint32_t tp_ports_word(uint32_t allowed, uint32_t trial)
{
	return trial << 16 | (allowed & 0xffff);
}

static inline uint32_t tp_ports_allowed(uint32_t word)
{
	return word & 0xffff;
}

static inline uint32_t tp_ports_trial(uint32_t word)
{
	return word >> 16;
}

#define TP_HEADER_MAX 56u // 52 bytes are the longest: IPv6, UDP, channel header

struct tp_entry_relay {
	uint16_t relay_id; // 0: slot unused
	uint16_t port_be;
};

struct tp_entry {
	// ---- line 0 ----
	struct tp_key key;
	// The expiry tested for this direction, CLOCK_BOOTTIME seconds, live while now < it:
	// CHANNEL the channel's, PEER and PERMISSION the permission's, ALLOCATION relay slot 0's.
	// PERMISSION with a word of ports: 0, so that nobody passes without looking at these.
	_Atomic uint32_t expires_s;
	// CHANNEL the permission's, PEER the channel's, ALLOCATION slot 1's. PERMISSION with a word
	// of ports: the permission's.
	_Atomic uint32_t other_expires_s;
	// Where packets built from this entry leave: see above.
	_Atomic uint32_t egress;
	// Index of the ALLOCATION entry; its own index there.
	uint32_t allocation;
	// CHANNEL and PEER: each other. ALLOCATION: its private record. PERMISSION: the peer's
	// ports that it is for, 0 all of them; else as tp_ports_word.
	_Atomic uint32_t partner;
	// Number of times this slot was filled: tells a reused slot.
	uint32_t generation;
	// Over everything in front of the payload on arrival, and when it leaves: see above.
	uint16_t sum_in;
	uint16_t sum_out;
	// IPv4: over the header with total length, id, TOS, flags, TTL and checksum as zero (so
	// 0x45, the protocol and both addresses). IPv6: 0.
	uint16_t sum_ip;
	// Bytes used of `header`: IP, UDP, and for PEER the channel header. A stream client's PEER:
	// 4, its ALLOCATION: 0.
	uint8_t header_len;
	_Atomic uint8_t flags; // TP_ENTRY_*; all but TP_ENTRY_HAIRPIN may change
	union {
		// ALLOCATION: its relayed transport addresses.
		struct tp_entry_relay relay[2];
		// CHANNEL, PEER, PERMISSION: relay address of the allocation, its relayed port;
		// HAIRPIN: id of the relay address that is the peer; PERMISSION: realm of its user.
		struct {
			uint16_t relay_id;
			uint16_t port_be;
			uint16_t hairpin_relay_id;
			uint16_t realm_id;
		};
	};

	// ---- line 1 ----
	union {
		// IPv4 or IPv6 header, UDP header, and for PEER the channel header. IP total or
		// payload length, IPv4 id, TOS or traffic class, TTL or hop limit, checksums, UDP
		// length and channel length are filled in per packet; PERMISSION: the UDP
		// destination port too.
		//   ALLOCATION  listener to client (Data indications)
		//   CHANNEL     relayed transport address to peer
		//   PEER        listener to client, with the channel header
		//   PERMISSION  relayed transport address to the peer's IP address
		uint8_t header[TP_HEADER_MAX];
		// ALLOCATION and PEER of a stream client. The first byte is 0, so that no reader
		// takes it for an IP header.
		struct {
			uint8_t not_ip[8];
			_Atomic uint64_t connection; // handle of the client's connection
			uint8_t channel_header[4];   // PEER: number; the length is filled in
		} stream;
	};
	// Largest IP packet that the path towards this entry's destination takes; 0: not known, the
	// port's MTU counts. Entry 0: the least of all; 0: not said, UINT16_MAX: none is known.
	_Atomic uint16_t path_mtu;
	uint16_t leg_flags; // TP_LEG_*
	// The allocation's slot in the limits array, plus 1; 0: not limited.
	_Atomic uint32_t limit;
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct tp_entry, 128);
TP_ASSERT_OFFSET(struct tp_entry, expires_s, 24);
TP_ASSERT_OFFSET(struct tp_entry, egress, 32);
TP_ASSERT_OFFSET(struct tp_entry, sum_in, 48);
TP_ASSERT_OFFSET(struct tp_entry, relay, 56);
TP_ASSERT_OFFSET(struct tp_entry, header, 64);
TP_ASSERT_OFFSET(struct tp_entry, stream.connection, 72);
TP_ASSERT_OFFSET(struct tp_entry, path_mtu, 120);
TP_ASSERT_OFFSET(struct tp_entry, limit, 124);

static inline struct tp_key tp_key_allocation(const struct tp_addr *client, uint16_t listener_id)
{
	struct tp_key k = {.port_be = client->port_be,
		.local_id = listener_id,
		.kind = TP_KIND_ALLOCATION,
		.family = client->family};

	memcpy(k.ip, client->ip, sizeof(k.ip));
	return k;
}

static inline struct tp_key tp_key_channel(
	const struct tp_addr *client, uint16_t listener_id, uint16_t number)
{
	struct tp_key k = tp_key_allocation(client, listener_id);

	k.kind = TP_KIND_CHANNEL;
	k.selector = number;
	return k;
}

static inline struct tp_key tp_key_peer(
	const struct tp_addr *peer, uint16_t relay_id, uint16_t relayed_port_be)
{
	struct tp_key k = tp_key_allocation(peer, relay_id);

	k.kind = TP_KIND_PEER;
	k.selector = relayed_port_be;
	return k;
}

// The port of `peer` is ignored (RFC 8656 9: permissions are by IP address).
static inline struct tp_key tp_key_permission(const struct tp_addr *peer, uint32_t allocation)
{
	struct tp_key k = tp_key_allocation(peer, (uint16_t)allocation);

	k.kind = TP_KIND_PERMISSION;
	k.port_be = 0;
	k.selector = (uint16_t)(allocation >> 16);
	return k;
}
