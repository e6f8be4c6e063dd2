// SPDX-License-Identifier: BSD-3-Clause
// Shared by hop.c (the slots of next hops), pending.c (neighbours without an answer) and egress.c
// (the entries' ways out). The writer's thread only.
#pragma once

#include "tables.h"

// The slot for packets to dst, without a reference yet. `make`: a new one where there is none, for
// a peer of `allocation`; 0: for a client or the control process itself. *slot is 0 with an error,
// and with 0 where there is none and none is to be made. -ENETUNREACH: no route; -EAGAIN: not known
// now; -ENOSPC: a bound is reached.
int tables_hop_resolve(struct tables *t, const struct tp_addr *dst, bool make, uint32_t allocation,
	uint32_t *slot);
// Retires a slot that neither an entry nor a lease refers to.
void tables_hop_drop(struct tables *t, uint32_t slot);

// The slot's neighbour, wanted by a peer of that allocation, has not answered yet.
void tables_pending_begin(struct tables *t, uint32_t slot, uint32_t allocation);
// It has, or nobody asks any more. Nothing for a slot that is not pending.
void tables_pending_end(struct tables *t, uint32_t slot);
// Whether the allocation, its user and all together are below their bounds.
bool tables_pending_has_room(const struct tables *t, uint32_t allocation);

// Takes the entry from the list of its slot.
void tables_egress_detach(struct tables *t, uint32_t entry, uint32_t slot);
// Resolves the next portion of the entries, where routes have changed.
void tables_egress_advance(struct tables *t);
