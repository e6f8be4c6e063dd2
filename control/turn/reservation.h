// SPDX-License-Identifier: BSD-3-Clause
// Reservations (RFC 8656 7.2): a relayed port held for the next Allocate request of the user who
// has its token. A reservation counts as an allocation in the user's quota until it is used.
//
// It stays known for its whole time also when it was used, so that a repeated Allocate request
// hears its token again.
#pragma once

#include "request.h"

// As long as a client retransmits (RFC 8489 6.2.1); RFC 8656 asks for 30 s.
#define TURN_RESERVATION_S 40u

struct turn_reservation {
	struct ds_map_node by_token;
	struct ds_map_node by_port;
	struct ds_timer timer;
	struct turn_identity *user;   // without a key
	struct turn_account *account; // whose quota has it; NULL: it was used
	uint8_t token[TURN_TOKEN_LEN];
	uint8_t txid[12]; // of the Allocate request that made it
	uint32_t expires_s;
	uint32_t ref;	// in the store; 0: not there
	uint32_t index; // in the pool
	uint16_t relay; // index
	uint16_t port;
};

// Holds the port, which the caller has taken, for the user of `a`, of whose Allocate request this
// is part. NULL without room; the port is the caller's then.
struct turn_reservation *turn_reservation_make(
	struct turn_request *r, const struct turn_allocation *a, uint16_t relay, uint16_t port);
// Ends it as if it had never been. The port is the caller's.
void turn_reservation_cancel(struct turn_server *s, struct turn_reservation *v);
// The reservation of the RESERVATION-TOKEN in the request, where the request's user may use it;
// NULL.
struct turn_reservation *turn_reservation_find(const struct turn_request *r);
// The one that the Allocate request of `a` made; NULL: none, or its time is over.
const struct turn_reservation *turn_reservation_of(
	const struct turn_request *r, const struct turn_allocation *a);
// Takes its unit out of the quota, or puts it back when the request fails after all.
void turn_reservation_lift(struct turn_reservation *v);
void turn_reservation_lower(struct turn_reservation *v);
// The allocation has the port now. After turn_reservation_lift.
void turn_reservation_use(
	struct turn_server *s, struct turn_reservation *v, const struct turn_allocation *a);
// Its time is over: the port cools down unless it was used.
void turn_reservation_expire(struct turn_server *s, uint64_t now_ns, struct turn_reservation *v);
// Frees the memory of all, at the end of the server.
void turn_reservations_fini(struct turn_server *s);
