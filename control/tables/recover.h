// SPDX-License-Identifier: BSD-3-Clause
// The parts of a recovery.
#pragma once

#include "tables.h"

struct scan {
	struct tables *t;
	struct tables_recovery *result;
	uint8_t *linked;  // a flag per bucket
	uint8_t *records; // claimed ones
	uint8_t *names;
	struct scan_move *moves; // that begin anew
	uint32_t n_moves;
};

struct scan_move {
	uint32_t allocation;
	struct turn_tuple client;
};

// Before all: ends moves that had arrived, remembers and takes away those that had not. -ENOMEM.
int tables_moves_settle(struct scan *s);

// ---- verify.c: keeps whole objects, unpublishes the rest ----

void tables_verify_allocations(struct scan *s);
// Partners found by their keys, and their words set right.
void tables_verify_objects(struct scan *s);
// reservation.c: removes damaged reservations, marks the names of the others.
void tables_reservations_verify(struct scan *s);

// Whether an ALLOCATION entry and a record of this state belong together; then the record is kept.
bool tables_record_claim(struct scan *s, uint32_t i, uint32_t state);

// Unpublishes. The slot is the caller's to retire once the pools stand.
void tables_entry_drop(struct scan *s, uint32_t i, bool corrupt);

// The expected contents of a CHANNEL and its PEER, whose slot is returned; 0 when they are not a
// pair of one live allocation. The partner words are not asked: they may be half-way changed.
uint32_t tables_channel_pair(const struct tables *t, uint32_t i, struct tp_entry *channel_content,
	struct tp_entry *peer_content);
// The expected content of a PERMISSION; false when its allocation is not there.
bool tables_permission_content(const struct tables *t, uint32_t i, struct tp_entry *content);
