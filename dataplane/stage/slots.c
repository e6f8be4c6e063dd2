// SPDX-License-Identifier: BSD-3-Clause
// The owners of slots of a ring to the edge: addresses of clients, by a keyed hash. Media that come
// faster than a thread takes them must leave slots to other clients, whose answers are sent once.
// Counts are exact but for addresses that meet in a hash; no time is in them, so nobody is slowed
// down where the thread keeps up.
#include "prefix.h"
#include "stream.h"

#include <turnpike/siphash.h>

// An address may have three times the slots that are left: alone three quarters.
#define SHARE 3u

uint8_t stage_slots_owner(const struct stage_worker *w, const struct tp_addr *client)
{
	return (uint8_t)tp_siphash13(w->limiter_key, client->ip, prefix_len(client));
}

// Slots that the thread has taken are nobody's. The edge is not trusted with its tail, and another
// one begins with other heads: counts that make no sense are forgotten.
static void settle(struct stage_slots *s, const struct tp_ring_producer *r)
{
	uint32_t head = atomic_load_explicit(r->head, memory_order_relaxed);
	uint32_t gone = atomic_load_explicit(r->tail, memory_order_acquire) - s->tail;

	// Some from before the counts began are still there.
	if (head - s->tail <= r->n_slots && -gone <= r->n_slots)
		return;
	if (head - s->tail > r->n_slots || gone > head - s->tail) {
		memset(s->held, 0, sizeof(s->held));
		s->tail = head;
		return;
	}
	for (; gone > 0; gone--) {
		uint16_t *held = &s->held[s->owner[s->tail++ % r->n_slots]];

		*held = (uint16_t)(*held - (*held > 0));
	}
}

struct tp_ring_slot *stage_slots_reserve(struct stage_worker *w, unsigned thread, unsigned owner)
{
	struct tp_ring_producer *r = &w->edge_out[thread];
	struct tp_ring_slot *slot = tp_ring_reserve(r);
	struct stage_slots *s;

	if (slot == NULL || w->edge_slots == NULL)
		return slot;
	s = &w->edge_slots[thread];
	settle(s, r);
	if (s->held[owner] > SHARE * (tp_ring_free(r) - 1))
		return NULL;
	s->held[owner]++;
	s->owner[slot - r->slots] = (uint16_t)owner;
	return slot;
}
