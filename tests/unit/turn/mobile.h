// SPDX-License-Identifier: BSD-3-Clause
// A user whose allocation moves (RFC 8016), on the harness: its first client and one at another
// address. Codes are those of the answers, 0 for success.
#pragma once

#include "harness.h"

#define ATTR_TICKET 0x8030u
#define MOBILE_PEER 0x08080808u // 8.8.8.8, in host order

struct world {
	struct fixture f;
	struct client b; // the same user at another address
	uint8_t ticket[64];
	uint16_t ticket_len; // of the last answer
};

// A quota of one allocation; mobility is on.
void mobile_init(struct world *w);
// Keeps the ticket of the last answer; none there: ticket_len is 0.
void mobile_ticket_take(struct world *w);
// An Allocate that carries a ticket of `len` bytes.
unsigned mobile_ask(struct world *w, struct client *c, const void *ticket, size_t len);
// Refreshes with the world's ticket, by a client with a nonce of its own.
unsigned mobile_move(struct world *w, struct client *c, uint32_t lifetime_s);
// Gets a nonce first.
unsigned mobile_challenge_move(struct world *w, struct client *c);
struct tp_addr mobile_peer(uint16_t port);
// An allocation with a ticket, a permission and two channels.
void mobile_allocate(struct world *w);
// The packet path tells of the client's first message; `ref`: the entry it names. False: it is none
// of a move.
bool mobile_report(struct world *w, const struct client *c, uint32_t ref);
// The entry of the second 5-tuple; 0: nothing moves.
uint32_t mobile_successor(const struct world *w, const struct client *c);
// Nothing is left of anything, and the quota of one allocation is free.
void mobile_end(struct world *w, const struct client *c);
// Another configuration, for `listeners`; nothing is swept yet.
void mobile_reconfigure(struct world *w, struct turn_listener *listeners, size_t n);
// Until nothing of the new configuration is left to do.
void mobile_sweep(struct world *w);
