// SPDX-License-Identifier: BSD-3-Clause
// Single-producer single-consumer rings between a worker and the control process. The producer's
// file holds slots and head, the consumer's file holds the tail: each side writes its own file only
// and continues from its own word after a restart. Indexes run free; slot = index & (n_slots - 1).
// A distance above the ring's size is impossible (a side began with a fresh file): both count it;
// the producer treats the ring as full until the consumer, which treats it as empty, has set its
// own word equal.
//
// The other side is not trusted: a consumer copies a slot once, then checks the copy.
//
// The same shapes serve the rings between a worker and an edge thread, one pair for each of their
// pairs.
#pragma once

#include <stdatomic.h>

#include <turnpike/addr.h>
#include <turnpike/limits.h>

// Why a message is on its ring; also the ring's number, the most urgent first.
#define TP_PUNT_LIVE  0u // from a live 5-tuple
#define TP_PUNT_NONCE 1u // carries our nonce for this source, or comes by a connection
#define TP_PUNT_FIRST 2u // anybody

struct tp_ring_word {
	_Atomic uint32_t value;
	uint32_t reserved[15];
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct tp_ring_word, 64);

// One message: STUN, or (to and from the edge) ChannelData without padding or a DTLS record.
//
// Punt: `remote` is the client, `local_id` the listener it came to. Inject: to a client of a UDP
// listener the data plane builds Ethernet, IP and UDP headers itself from listener `local_id` to
// `remote`, by way of next-hop slot `egress`; nothing but a listener may be named. To a stream
// client `connection` says where it goes; `egress` is its low half.
struct tp_ring_slot {
	uint16_t len; // bytes of data
	uint16_t local_id;
	// tp_entry.egress; punt: 0 or the connection's.
	uint32_t egress;
	struct tp_addr remote;
	// Punt: the worker. Inject: reserved.
	uint32_t worker;
	// CLOCK_BOOTTIME when the producer wrote it.
	uint64_t time_ns;
	// Handle of a stream client's connection, else 0. TP_RING_DTLS: the next hop that the
	// datagram came by, or is to leave by (<turnpike/segment.h>).
	uint64_t connection;
	uint8_t transport; // TP_TRANSPORT_* of the client
	uint8_t kind;	   // TP_RING_*
	uint8_t reserved[6];
	// TP_RING_DTLS: the data plane's signature over listener, remote address and next hop: the
	// edge sends nowhere but where datagrams came from.
	uint64_t tag;
	uint8_t data[TP_RING_SLOT_SIZE - 64];
};
TP_ASSERT_SIZE(struct tp_ring_slot, TP_RING_SLOT_SIZE);
TP_ASSERT_OFFSET(struct tp_ring_slot, connection, 40);
TP_ASSERT_OFFSET(struct tp_ring_slot, tag, 56);
TP_ASSERT_OFFSET(struct tp_ring_slot, data, 64);

// tp_ring_slot.kind
#define TP_RING_MESSAGE	 0u // a whole STUN message or ChannelData message
#define TP_RING_DTLS	 1u // a datagram of DTLS records, as it arrived or is to leave
#define TP_RING_REPORT	 2u // punt: struct tp_ring_report

#define TP_RING_DATA_MAX (TP_RING_SLOT_SIZE - 64u)

// The state of a leg as a worker learnt it, by an ICMP error that quotes a packet from the relayed
// port or the listener to `remote`; on the ring TP_PUNT_LIVE. `local_id` is the relay address or
// the listener. The worker has found the allocation live, with a permission for the peer.
struct tp_ring_report {
	uint32_t allocation; // index of the ALLOCATION entry
	uint32_t mtu;	     // longest IP packet that the leg takes; 0: nothing is learnt of it
	// ICMP type, code and Error Data (RFC 8656 18.13).
	uint32_t value;
	uint8_t type;
	uint8_t code;
	uint16_t port_be; // the relayed port or the listener's
};
TP_ASSERT_SIZE(struct tp_ring_report, 16);

// tp_ring_report.type, none of ICMP's: long packets to `remote` are repeated and never arrive;
// a client has sent by the second 5-tuple of an allocation (TP_ENTRY_MOVING), which is `remote`;
// a Send indication to `remote`, a new port, exceeded the rate (struct tp_port_rate).
#define TP_REPORT_BLACK_HOLE 255u
#define TP_REPORT_MOVED	     254u
#define TP_REPORT_SCAN	     253u

// The producer's half. `tail` is the consumer's word.
struct tp_ring_producer {
	struct tp_ring_slot *slots;
	_Atomic uint32_t *head;
	const _Atomic uint32_t *tail;
	uint32_t n_slots; // a power of two
	uint32_t resets;  // impossible distances seen
};

// Slots free, 0 at an impossible distance.
static inline uint32_t tp_ring_free(const struct tp_ring_producer *r)
{
	uint32_t used = atomic_load_explicit(r->head, memory_order_relaxed) -
			atomic_load_explicit(r->tail, memory_order_acquire);

	return used > r->n_slots ? 0 : r->n_slots - used;
}

// The slot to fill, or NULL when the ring is full. Not visible before tp_ring_publish.
static inline struct tp_ring_slot *tp_ring_reserve(struct tp_ring_producer *r)
{
	uint32_t head = atomic_load_explicit(r->head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(r->tail, memory_order_acquire);
	uint32_t used = head - tail;

	if (used > r->n_slots)
		r->resets++;
	return used >= r->n_slots ? NULL : &r->slots[head & (r->n_slots - 1)];
}

static inline void tp_ring_publish(struct tp_ring_producer *r)
{
	uint32_t head = atomic_load_explicit(r->head, memory_order_relaxed);

	atomic_store_explicit(r->head, head + 1, memory_order_release);
}

// The consumer's half. `head` is the producer's word.
struct tp_ring_consumer {
	const struct tp_ring_slot *slots;
	const _Atomic uint32_t *head;
	_Atomic uint32_t *tail;
	uint32_t n_slots;
	uint32_t resets;
};

// The oldest message, or NULL. It stays the consumer's until tp_ring_release.
static inline const struct tp_ring_slot *tp_ring_peek(struct tp_ring_consumer *r)
{
	uint32_t tail = atomic_load_explicit(r->tail, memory_order_relaxed);
	uint32_t head = atomic_load_explicit(r->head, memory_order_acquire);

	if (head == tail)
		return NULL;
	if (head - tail > r->n_slots) {
		r->resets++;
		atomic_store_explicit(r->tail, head, memory_order_release);
		return NULL;
	}
	return &r->slots[tail & (r->n_slots - 1)];
}

static inline void tp_ring_release(struct tp_ring_consumer *r)
{
	uint32_t tail = atomic_load_explicit(r->tail, memory_order_relaxed);

	atomic_store_explicit(r->tail, tail + 1, memory_order_release);
}
