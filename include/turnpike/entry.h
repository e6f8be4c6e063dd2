// SPDX-License-Identifier: BSD-3-Clause
// Entries of the RCU table: what the packet path needs of allocations, permissions and channels.
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
// are _Atomic here, and only there: relaxed stores, relaxed loads, but for `partner`, which names
// another entry: release, acquire. Everything else is settled before it is published; a change is a
// new slot and a swap of the index. Read by workers, lock-free, between two quiescent states.
#pragma once

#include <stdatomic.h>

#include <turnpike/addr.h>
#include <turnpike/hash.h>

#define TP_KIND_FREE	   0u
#define TP_KIND_ALLOCATION 1u
#define TP_KIND_CHANNEL	   2u
#define TP_KIND_PEER	   3u
#define TP_KIND_PERMISSION 4u

struct tp_key {
	uint8_t ip[16];	  // client's or peer's, form of tp_addr.ip
	uint16_t port_be; // client's or peer's; 0 for PERMISSION
	uint16_t
		local_id; // listener id or relay id; PERMISSION: low half of the allocation's index
	uint16_t selector; // CHANNEL: number, host order; PEER: relayed port, wire order;
			   // PERMISSION: high half of the allocation's index; ALLOCATION: 0
	uint8_t kind;	   // TP_KIND_*
	uint8_t family;	   // TP_FAMILY_* of ip
};
TP_ASSERT_SIZE(struct tp_key, TP_KEY_LEN);

// tp_entry.flags
#define TP_ENTRY_HAIRPIN 0x01u // the peer's IP address is a relay address of this relay

struct tp_entry_relay {
	uint16_t relay_id; // 0: slot unused
	uint16_t port_be;
};

struct tp_entry {
	// line 0
	struct tp_key key;
	_Atomic uint32_t expires_s; // tested for this direction, CLOCK_BOOTTIME seconds, live while
				    // now < it: CHANNEL the channel's, PEER and PERMISSION the
				    // permission's, ALLOCATION that of relay slot 0
	_Atomic uint32_t other_expires_s; // CHANNEL the permission's, PEER the channel's,
					  // ALLOCATION slot 1's
	_Atomic uint32_t next_hop; // slot of the next-hop table for packets built from this entry;
				   // 0: none
	uint32_t allocation;	   // index of the ALLOCATION entry (its own index there)
	_Atomic uint32_t partner;  // CHANNEL and PEER: each other. ALLOCATION: its private record
	uint32_t generation;	   // number of times this slot was filled: tells a reused slot
	uint16_t sum_in;  // ones' complement sum, as stored words, over what is in front of the
			  // payload on arrival, length fields excepted: see
			  // dataplane/core/include/core/csum.h
	uint16_t sum_out; // the same over what is put in front instead
	uint16_t sum_ip;  // IPv4: over the header template (length, id, TOS, TTL, checksum as zero)
	uint8_t header_len; // octets used of `header`: IP, UDP, and for PEER the channel header
	uint8_t flags;	    // TP_ENTRY_*
	union {
		struct tp_entry_relay relay[2]; // ALLOCATION: its relayed transport addresses
		struct {
			uint16_t relay_id; // CHANNEL, PEER, PERMISSION: relay address of the
					   // allocation
			uint16_t port_be;  // its relayed port
			uint16_t hairpin_relay_id; // HAIRPIN: id of the relay address that is the
						   // peer
			uint16_t reserved;
		};
	};

	// line 1: IPv4 or IPv6 header, UDP header, and for PEER the channel header. IP total or
	// payload length, IPv4 id, TOS or traffic class, TTL or hop limit, checksums, UDP length
	// and channel length are filled in per packet; PERMISSION: the UDP destination port too.
	//   ALLOCATION  listener to client (Data indications)
	//   CHANNEL     relayed transport address to peer
	//   PEER        listener to client, with the channel header
	//   PERMISSION  relayed transport address to the peer's IP address
	uint8_t header[64];
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct tp_entry, 128);
TP_ASSERT_OFFSET(struct tp_entry, expires_s, 24);
TP_ASSERT_OFFSET(struct tp_entry, next_hop, 32);
TP_ASSERT_OFFSET(struct tp_entry, sum_in, 48);
TP_ASSERT_OFFSET(struct tp_entry, relay, 56);
TP_ASSERT_OFFSET(struct tp_entry, header, 64);

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
