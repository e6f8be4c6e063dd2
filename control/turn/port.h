// SPDX-License-Identifier: BSD-3-Clause
// The relayed ports of all relay addresses: one bit per port and address, chosen at random, and a
// queue of ports that rest after use, so that a late packet for the last user of a port finds
// nobody (docs/conformance.md).
#pragma once

#include <turn/server.h>

#include "random.h"

#define TURN_PORT_REST_S 60u

struct turn_port_set {
	uint64_t used[65536 / 64];
	uint32_t n_free;
	uint32_t n_free_even;
	uint8_t family;
};

struct turn_port_rest {
	uint32_t free_at_s;
	uint16_t relay; // index
	uint16_t port;
};

struct turn_ports {
	struct turn_port_set *sets; // one per relay address, in the configuration's order
	size_t n_sets;
	uint16_t min;
	uint16_t max;
	struct turn_port_rest *rest; // ring with room for every port there is
	size_t rest_cap;
	size_t rest_head;
	size_t rest_n;
	bool rest_mixed; // not in the order of their times: until turn_ports_advance sorts them
};

// 0, -EINVAL or -ENOMEM.
int turn_ports_init(struct turn_ports *p, const struct turn_conf *conf);
void turn_ports_fini(struct turn_ports *p);

bool turn_ports_have_family(const struct turn_ports *p, uint8_t family);
// A free port of an address of the family, an even one where asked for: 0 or -ENOSPC.
int turn_ports_take(struct turn_ports *p, struct turn_random *random, uint8_t family, bool even,
	uint16_t *relay, uint16_t *port);
// Gives back a port that nobody was told of.
void turn_ports_cancel(struct turn_ports *p, uint16_t relay, uint16_t port);
// Gives back a port that was in use: it rests first.
void turn_ports_release(struct turn_ports *p, uint64_t now_ns, uint16_t relay, uint16_t port);
// A port that is not in use rests until then, after a restart: 0, -EINVAL, -EEXIST.
int turn_ports_restore_rest(
	struct turn_ports *p, uint16_t relay, uint16_t port, uint32_t free_at_s);
// Takes a given port, after a restart: 0, -EINVAL out of range, -EEXIST.
int turn_ports_claim(struct turn_ports *p, uint16_t relay, uint16_t port);
// Ends the rest of ports whose time is up, at most *budget of them.
void turn_ports_advance(struct turn_ports *p, uint32_t now_s, unsigned *budget);
// The second when the next rest ends, or earlier; UINT32_MAX: none.
uint32_t turn_ports_next_s(const struct turn_ports *p);
