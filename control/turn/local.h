// SPDX-License-Identifier: BSD-3-Clause
// The server's own IP addresses: which are relay addresses, and under which name peers know them.
#pragma once

#include <turn/server.h>

#include <ds/map.h>

struct turn_local {
	struct ds_map_node node;
	struct tp_addr ip; // port 0
	struct tp_addr advertised;
	bool is_relay;
};

// The listeners that answer instead of another one where a client wants to know its NAT
// (RFC 5780 6.1): at the same address and another port, at another address and the same port, and
// at both others.
struct turn_alternates {
	const struct turn_listener *port;
	const struct turn_listener *ip;
	const struct turn_listener *both; // NULL: some of the three is not there
};

struct turn_locals {
	struct ds_map map;
	struct turn_local *addresses;
	size_t n;
	const struct turn_listener **by_id; // [n_ids]
	struct turn_alternates *alternates; // [n_ids]; NULL: nobody may ask
	size_t n_ids;
};

int turn_locals_init(struct turn_locals *o, const uint8_t key[16], const struct turn_conf *conf);
void turn_locals_fini(struct turn_locals *o);
// The own address with that IP address, internal or external; NULL: not ours. When an IP address
// serves as listener and as relay, it is a relay address.
const struct turn_local *turn_locals_find(const struct turn_locals *o, const struct tp_addr *addr);
// The listeners that may answer instead of the one of that id; NULL: there are none.
const struct turn_alternates *turn_locals_alternates(const struct turn_locals *l, uint16_t id);
// The listener of that id; NULL: none.
const struct turn_listener *turn_locals_listener(const struct turn_locals *l, uint16_t id);
