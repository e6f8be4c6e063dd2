// SPDX-License-Identifier: BSD-3-Clause
// Data connections of TCP allocations (RFC 6062): each a peer connection, and the client connection
// that joins it. The edge has the sockets (<turnpike/session.h>): orders go to it, reports
// come back.
#pragma once

#include "state.h"

#define TURN_DATA_ALLOCATION_MAX 64u	    // of one allocation
#define TURN_DATA_MAX		 (1u << 16) // of all
// A user may take more while holding at most so many times those left: alone all but an eighth, of
// many busy users each less.
#define TURN_DATA_SHARE		 7u

// The note of a peer connection: all that answers its request late, and after a restart.
struct turn_data_note {
	uint32_t id;	  // CONNECTION-ID; not 0
	uint32_t flags;	  // TURN_NOTE_*
	uint8_t txid[12]; // of the Connect request, else zero
	uint8_t reserved[4];
};
TP_ASSERT_SIZE(struct turn_data_note, TP_SESSION_NOTE_LEN);

#define TURN_NOTE_CONNECT     1u // made by a Connect request
#define TURN_NOTE_SHA256      2u // whose answer has MESSAGE-INTEGRITY-SHA256
#define TURN_NOTE_FINGERPRINT 4u

struct turn_data {
	struct ds_map_node by_key;
	struct ds_map_node by_id;
	struct ds_list link; // of the allocation
	struct turn_allocation *allocation;
	uint64_t key;
	struct tp_addr peer; // as the client knows it
	struct turn_data_note note;
	enum tp_peer_state state;
	bool stale; // not reported since the edge came back
	uint32_t index;
};

int turn_datas_init(struct turn_server *s, const uint8_t key[16]);
void turn_datas_fini(struct turn_server *s);

// The TCP allocation at a relayed transport address of this host; NULL.
struct turn_allocation *turn_data_allocation_at(
	const struct turn_server *s, const struct tp_addr *local);
// A TCP allocation begins, and ends with its connections.
void turn_data_begin(struct turn_server *s, struct turn_allocation *a);
void turn_data_end(struct turn_server *s, struct turn_allocation *a);
// Asks the edge to listen for it, under its caps of now.
void turn_data_listen(struct turn_server *s, const struct turn_allocation *a);
// Ends those that the policy denies. Returns how many were looked at.
unsigned turn_data_sweep(struct turn_server *s, struct turn_allocation *a);

struct turn_data *turn_data_by_id(const struct turn_server *s, uint32_t id);
struct turn_data *turn_data_by_peer(const struct turn_allocation *a, const struct tp_addr *peer);
// A new one with a new CONNECTION-ID, whose key is `key` (0: the same number); NULL without room.
struct turn_data *turn_data_new(
	struct turn_server *s, struct turn_allocation *a, uint64_t key, const struct tp_addr *peer);
void turn_data_forget(struct turn_server *s, struct turn_data *d);
// Asks the edge for it from the relayed transport address; false without memory.
bool turn_data_connect(
	struct turn_server *s, const struct turn_data *d, const struct tp_addr *target);

enum turn_data_room {
	TURN_DATA_LEFT,
	TURN_DATA_QUOTA,  // the allocation, user or realm has as many as allowed
	TURN_DATA_SHARED, // the user has so many that the others are kept for users with fewer
};

// Whether the allocation may have one more.
enum turn_data_room turn_data_room(const struct turn_server *s, const struct turn_allocation *a);
