// SPDX-License-Identifier: BSD-3-Clause
// The fake store from inside, for its own files.
#pragma once

#include "fake_store.h"

// Each tells of a breach of the store's contract, and ends the process.
void fake_breach(const char *what, uint32_t ref);
void fake_require(bool ok, const char *what, uint32_t ref);

// A free slot of an array that grows; references are never used twice in a row: a slot's next
// reference differs, so that one used after its deletion is noticed.
void *fake_slot_take(void **array, size_t *n, size_t size, size_t live_offset);
uint32_t fake_ref_next(uint32_t ref, size_t index);
size_t fake_ref_index(uint32_t ref);

// Must be there.
struct fake_allocation *fake_allocation_at(struct fake_store *f, uint32_t ref);
// Whether an allocation or a move has this 5-tuple.
bool fake_tuple_is_taken(const struct fake_store *f, const struct turn_tuple *client);

// Each puts its functions into the store's.
void fake_moves_fill(struct turn_store *store);
void fake_remains_fill(struct turn_store *store);
void fake_limits_fill(struct turn_store *store);

// Gives a new server the reservations, resting ports and tombstones.
void fake_remains_restore(struct fake_store *f, struct turn_server *s, uint64_t now_ns);
