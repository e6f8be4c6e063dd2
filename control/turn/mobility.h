// SPDX-License-Identifier: BSD-3-Clause
// Mobility (RFC 8016): an allocation keeps its relayed transport addresses while its client's
// 5-tuple changes.
//
// A Refresh with the allocation's ticket from another 5-tuple begins a move: the client may send
// by both 5-tuples, and hears by the first. The first message for a peer by the second ends it (the
// packet path reports it): the second is the allocation's then, and the first is nobody's. Without
// one it is abandoned.
#pragma once

#include "state.h"

struct turn_request;
struct stun_writer;

// A move without a message for a peer is abandoned.
#define TURN_MOVE_S	   30u
// One allocation may begin so many moves per second, and so many at once besides: each costs work
// for all its permissions and channels.
#define TURN_MOVES_PER_S   1u
#define TURN_MOVES_AT_ONCE 16u

struct turn_move {
	struct ds_map_node by_tuple;
	struct ds_timer timer;
	struct turn_allocation *allocation;
	struct turn_tuple client; // the second 5-tuple
	uint32_t ref;		  // of the store
	uint32_t index;		  // in the pool
};

int turn_moves_init(struct turn_server *s, const uint8_t map_key[16]);
void turn_moves_fini(struct turn_server *s);

// ---- requests ---------------------------------------------------------------------------------

// The allocation that the Refresh's ticket, or an older one, belongs to; NULL. Grants nothing.
struct turn_allocation *turn_mobility_owned(struct turn_request *r);
// Whether an Allocate request may have a ticket, if it asks. 0, 400 or 405.
unsigned turn_mobility_wish(const struct turn_request *r, bool *wanted);
// An authenticated Refresh with a ticket: makes the ticket's allocation the request's.
unsigned turn_mobility_check(struct turn_request *r);
// Moves the allocation to where that Refresh came from, and gives it its next ticket.
unsigned turn_mobility_move(struct turn_request *r);
// Puts the allocation's ticket; none where it has none.
void turn_mobility_put(const struct turn_request *r, struct stun_writer *w);

// ---- allocations ------------------------------------------------------------------------------

// The first ticket of a new allocation.
void turn_mobility_start(struct turn_server *s, struct turn_allocation *a);
// Makes an allocation with a ticket known by it; and forgets it.
void turn_mobility_link(struct turn_server *s, struct turn_allocation *a);
void turn_mobility_unlink(struct turn_server *s, struct turn_allocation *a);
// The connection of that 5-tuple, which is one of the allocation's, is gone.
void turn_mobility_hold(
	struct turn_server *s, struct turn_allocation *a, const struct turn_tuple *gone);
// The allocation that is moving there; NULL.
struct turn_allocation *turn_move_by_tuple(
	const struct turn_server *s, const struct turn_tuple *client);
// An allocation of that 5-tuple that waits for its client gives way to another.
void turn_mobility_give_way(
	struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client);

// ---- moves ------------------------------------------------------------------------------------

// The allocation must be moving.
void turn_move_finish(struct turn_server *s, struct turn_allocation *a);
void turn_move_abandon(struct turn_server *s, struct turn_allocation *a);
void turn_move_expire(struct turn_server *s, struct turn_move *move);
// The packet path has seen the client's first message by that 5-tuple. False: no move is there.
bool turn_move_reported(struct turn_server *s, const struct turn_report *r);
