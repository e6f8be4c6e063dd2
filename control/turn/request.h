// SPDX-License-Identifier: BSD-3-Clause
// One request on its way through the server: the facts known of it so far, and the checks and
// handlers that the dispatch table strings together.
//
// Checks and handlers return 0 or the code of the error response (RFC 8489 14.8), checks also
// TURN_WAIT, handlers TURN_LATE.
#pragma once

#include <stun/write.h>

#include "state.h"

// The user's key is the directory's to tell.
#define TURN_WAIT 1u
// The request is answered later: the peer must be asked first.
#define TURN_LATE 2u

struct turn_request {
	struct turn_server *s;
	uint64_t now_ns;
	uint64_t wall_s;
	uint32_t now_s;
	const struct turn_tuple *from;
	const struct stun_message *m;
	struct turn_allocation *a;     // of the 5-tuple; NULL
	struct turn_allocation *owned; // whose owner may send it: `a`, or that of CONNECTION-ID
	struct turn_allocation *moved; // of the ticket; NULL
	uint64_t ticket;	       // its number
	struct turn_realm *realm;
	struct turn_principal principal;   // the user that the request names
	struct turn_key key;		   // that verified the request and signs the response
	const struct turn_answer *answer;  // of the directory, when the request waited for it
	enum turn_key_algorithm algorithm; // of the key that the request is made with
	bool negotiated; // the algorithm was named (RFC 8489 9.2.4): the response has SHA-256 too
	bool authenticated;
	bool retransmission; // of the Allocate request that made `a`
	struct turn_refusal refusal;
};

// Notes for the operator why the request gets this error.
static inline unsigned turn_refuse(
	struct turn_request *r, enum turn_refusal_cause cause, unsigned code)
{
	r->refusal.cause = cause;
	return code;
}

// auth.c: RFC 8489 9.2.4 and the nonce.
unsigned turn_auth_check(struct turn_request *r);
// auth.c: whether the key signs the request; it is the request's key then.
bool turn_key_verifies(struct turn_request *r, const struct turn_key *key);
// dispatch.c: goes on with a request that has its answer, at the point after the look-up.
void turn_request_resume(struct turn_server *s, uint64_t now_ns, struct turn_pending_request *p);
// peer.c: whether the policy lets a client send to this peer. Makes `peer` the address under which
// the tables know it: a relay address of this server becomes its advertised one, whichever the
// client named. `with_port`: the port counts.
unsigned turn_peer_check(struct turn_request *r, struct tp_addr *peer, bool with_port);
// response.c: another relay for the client, of its address family; NULL: none is known. A client of
// TLS verifies the name it was given, which the other relay's certificate may not have.
const struct tp_addr *turn_alternate_choose(const struct turn_request *r);
// response.c: the header of a response, before the handler's attributes; integrity and FINGERPRINT
// behind them; a whole error response, whose refusal is noted for the operator and counted.
void turn_response_start(
	const struct turn_request *r, struct stun_writer *w, enum stun_class class);
void turn_response_finish(const struct turn_request *r, struct stun_writer *w);
void turn_error_respond(struct turn_request *r, unsigned code);
// binding.c: makes the attributes of RFC 5780 unknown ones where they are not served.
void turn_binding_screen(
	const struct turn_server *s, const struct turn_listener *listener, struct stun_message *m);
// Handlers: change the state and put the attributes of the success response.
unsigned turn_handle_binding(struct turn_request *r, struct stun_writer *w);
unsigned turn_handle_allocate(struct turn_request *r, struct stun_writer *w);
unsigned turn_handle_refresh(struct turn_request *r, struct stun_writer *w);
unsigned turn_handle_permission(struct turn_request *r, struct stun_writer *w);
unsigned turn_handle_channel(struct turn_request *r, struct stun_writer *w);
unsigned turn_handle_connect(struct turn_request *r, struct stun_writer *w);
unsigned turn_handle_connection_bind(struct turn_request *r, struct stun_writer *w);

// permission.c: takes `n` new peers from the rate of the request's allocation. 0, or the code of
// the refusal.
unsigned turn_peers_bill(struct turn_request *r, uint32_t n);
// permission.c: refuses a permission that could not be made, by why.
unsigned turn_permission_refuse(struct turn_request *r);
// refresh.c: RFC 8656 7.2 and 8.2, the lifetime that a LIFETIME attribute asks for. -1:
// malformed.
int64_t turn_lifetime_of(const struct turn_request *r);
