// SPDX-License-Identifier: BSD-3-Clause
// Messages from and for clients that come by TCP, TLS or DTLS.
#pragma once

#include "forward.h"

// Classifies a message of a stream client. `m` must outlive the burst.
void stream_classify(struct burst *b, struct stage_pkt *pkt, const struct stage_message *m);

// Whether the allocation belongs to the connection that the packet came by. True for a frame.
bool stream_owns(const struct burst *b, const struct pkt_ctx *p, uint32_t allocation);

// Forwards to the connection of `egress`, or drops.
void stream_forward(struct burst *b, struct pkt_ctx *p, enum direction dir,
	const struct direction_entries *e, uint32_t egress);

// Lists a message for the client's connection. False: no room, nothing has been done.
bool stream_put(struct stage_worker *w, struct stage_pkt *pkt, uint64_t connection,
	const struct tp_addr *client);

// slots.c: whose a slot for the client is, and the next slot of the ring to a thread, to be
// published at once; NULL: there is none, or none for this owner.
uint8_t stage_slots_owner(const struct stage_worker *w, const struct tp_addr *client);
struct tp_ring_slot *stage_slots_reserve(struct stage_worker *w, unsigned thread, unsigned owner);
