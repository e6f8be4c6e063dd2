// SPDX-License-Identifier: BSD-3-Clause
// A writer that takes the tables over from one that died, and what it tells the TURN server.
#pragma once

#include "fixture.h"

#define SEEN_MAX 64u

struct seen {
	struct turn_allocation_record records[SEEN_MAX];
	uint32_t refs[SEEN_MAX];
	unsigned n_expected, n_allocations, n_permissions, n_channels;
	uint32_t refuse_allocation, refuse_permission, refuse_channel; // refs
	struct tp_addr peer;					       // of the last channel
	uint32_t channel;
	bool order_broken;
};

struct world {
	struct fixture *f;
	struct seen seen;
	struct tables_recovery result;
};

extern const struct shm_tables_shape recovery_shape;

// For cmocka: *state becomes the world.
int recovery_setup(void **state);
int recovery_teardown(void **state);

// Takes over.
void recover(struct world *w);

// Once more finds nothing to do: what the first one left is whole.
void recover_settled(
	struct world *w, unsigned allocations, unsigned permissions, unsigned channels);

// Puts value where the index of the published entry stands.
void index_clear(struct fixture *f, uint32_t entry, uint32_t value);
