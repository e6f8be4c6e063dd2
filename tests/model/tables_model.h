// SPDX-License-Identifier: BSD-3-Clause
// The expected content of the tables, as arrays, and operations that do the same to both. Each
// fails the test when the tables' writer answers otherwise than the model expects.
#pragma once

#include "fixture.h"

#define ALLOCATIONS 24u
#define PEERS	    6u
#define NUMBERS	    8u

extern const struct shm_tables_shape model_shape;

struct model_channel {
	uint32_t ref; // 0: not bound
	uint32_t peer, expires_s, permission_expires_s;
	uint64_t to_peer, to_client; // packets of this life
};

struct model_permission {
	uint32_t ref;
	uint32_t expires_s;
	uint64_t to_peer;
};

struct model_allocation {
	uint32_t ref; // 0: not there
	uint32_t expires_s;
	struct turn_allocation_record rec;
	struct model_permission permissions[PEERS];
	struct model_channel channels[NUMBERS];
	struct tables_usage used; // bytes are 100 times the packets
};

struct model {
	struct fixture *f;
	struct model_allocation allocations[ALLOCATIONS];
	uint64_t random;
	unsigned added, deleted, refused, moved, taken_over;
	unsigned n_seen; // by the visitor
};

// Below n.
uint32_t model_pick(struct model *m, uint32_t n);

// Peer 0 is the relay's own address as seen from outside.
struct tp_addr model_peer(uint32_t p);

// Number of the channel that is bound to the peer; NUMBERS: none.
uint32_t model_channel_of_peer(const struct model_allocation *a, uint32_t peer);

// By the number of allocation, peer and channel.
void model_allocation_add(struct model *m, uint32_t n);
void model_permission_add(struct model *m, struct model_allocation *a, uint32_t p);
void model_channel_add(struct model *m, struct model_allocation *a, uint32_t number, uint32_t p);
void model_refresh(struct model *m, struct model_allocation *a, uint32_t p, uint32_t number);
void model_permission_del(struct model *m, struct model_allocation *a, uint32_t p);
void model_channel_del(struct model *m, struct model_allocation *a, uint32_t number);
void model_allocation_del(struct model *m, struct model_allocation *a);

// Begins a move to the client's other 5-tuple; finishes it if `finish`, else leaves it to the
// caller. False: there was no room.
bool model_move(struct model *m, struct model_allocation *a, bool finish);

// Packets that a worker has relayed, by chance.
void model_count(struct model *m, struct model_allocation *a, uint32_t p, uint32_t number);
