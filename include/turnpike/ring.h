// SPDX-License-Identifier: BSD-3-Clause
// Single-producer single-consumer rings between a worker and the control process. The producer's
// file holds slots and head, the consumer's file holds the tail: each side writes its own file only
// and continues from its own word after a restart. Indexes run free; slot = index & (slots - 1).
// A distance above the ring's size is impossible (a side began with a fresh file): both count it;
// the producer takes the ring for full until the consumer, who takes it for empty, has set its own
// word equal.
//
// The other side is not trusted: a consumer copies a slot once, then checks the copy.
#pragma once

#include <stdatomic.h>

#include <turnpike/addr.h>
#include <turnpike/limits.h>

// Why a message is on its ring; also the ring's number, highest priority first.
#define TP_PUNT_LIVE  0u // from a live 5-tuple
#define TP_PUNT_NONCE 1u // carries our nonce for this source
#define TP_PUNT_FIRST 2u // anybody

struct tp_ring_word {
	_Atomic uint32_t value;
	uint32_t reserved[15];
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct tp_ring_word, 64);

// One message. Punt: `remote` is the client, `local_id` the listener it came to. Inject: the data
// plane builds Ethernet, IP and UDP headers itself from listener `local_id` to `remote`, by way of
// next-hop slot `next_hop`; nothing but a listener may be named.
struct tp_ring_slot {
	uint16_t len; // octets of data
	uint16_t local_id;
	uint32_t next_hop;
	struct tp_addr remote;
	uint32_t worker;  // punt: the worker; inject: reserved
	uint64_t time_ns; // when the producer wrote it
	uint8_t reserved[24];
	uint8_t data[TP_RING_SLOT_SIZE - 64];
};
TP_ASSERT_SIZE(struct tp_ring_slot, TP_RING_SLOT_SIZE);
TP_ASSERT_OFFSET(struct tp_ring_slot, data, 64);

#define TP_RING_DATA_MAX (TP_RING_SLOT_SIZE - 64u)

// The producer's half. `tail` is the consumer's word.
struct tp_ring_producer {
	struct tp_ring_slot *slots; // TP_RING_SLOTS of them
	_Atomic uint32_t *head;
	const _Atomic uint32_t *tail;
	uint32_t resets; // impossible distances seen
};

// The slot to fill, or NULL when the ring is full. Not visible before tp_ring_publish.
static inline struct tp_ring_slot *tp_ring_reserve(struct tp_ring_producer *r)
{
	uint32_t head = atomic_load_explicit(r->head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(r->tail, memory_order_acquire);
	uint32_t used = head - tail;

	if (used > TP_RING_SLOTS)
		r->resets++;
	return used >= TP_RING_SLOTS ? NULL : &r->slots[head & (TP_RING_SLOTS - 1)];
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
	uint32_t resets;
};

// The oldest message, or NULL. It stays the consumer's until tp_ring_release.
static inline const struct tp_ring_slot *tp_ring_peek(struct tp_ring_consumer *r)
{
	uint32_t tail = atomic_load_explicit(r->tail, memory_order_relaxed);
	uint32_t head = atomic_load_explicit(r->head, memory_order_acquire);

	if (head == tail)
		return NULL;
	if (head - tail > TP_RING_SLOTS) {
		r->resets++;
		atomic_store_explicit(r->tail, head, memory_order_release);
		return NULL;
	}
	return &r->slots[tail & (TP_RING_SLOTS - 1)];
}

static inline void tp_ring_release(struct tp_ring_consumer *r)
{
	uint32_t tail = atomic_load_explicit(r->tail, memory_order_relaxed);

	atomic_store_explicit(r->tail, tail + 1, memory_order_release);
}
