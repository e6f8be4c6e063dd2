// SPDX-License-Identifier: BSD-3-Clause
// A writer that takes the tables over from one that died, and the state it gives the TURN server.
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
	unsigned n_moves;
	uint32_t moving; // of the last move
	struct turn_tuple next;
	uint16_t client_mtu, peer_mtu; // the last ones
	bool order_broken;
};

struct world {
	struct fixture *f;
	struct seen seen;
	struct tables_recovery result;
};

extern const struct shm_tables_shape recovery_shape;

// cmocka set-up: *state becomes the world.
int recovery_setup(void **state);
int recovery_teardown(void **state);

// Takes over.
void recover(struct world *w);

// A second recovery finds nothing to do: the first one left whole tables.
void recover_settled(
	struct world *w, unsigned allocations, unsigned permissions, unsigned channels);

// Puts value where the index of the published entry stands.
void index_clear(struct fixture *f, uint32_t entry, uint32_t value);
