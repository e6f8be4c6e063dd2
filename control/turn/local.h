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

struct turn_locals {
	struct ds_map map;
	struct turn_local *addresses;
	size_t n;
	const struct turn_listener **by_id; // [n_ids]
	size_t n_ids;
};

int turn_locals_init(struct turn_locals *o, const uint8_t key[16], const struct turn_conf *conf);
void turn_locals_fini(struct turn_locals *o);
// The own address with that IP address, internal or external; NULL: not ours. When an IP address
// serves as listener and as relay, it is a relay address.
const struct turn_local *turn_locals_find(const struct turn_locals *o, const struct tp_addr *addr);
// The listener of that id; NULL: none.
const struct turn_listener *turn_locals_listener(const struct turn_locals *l, uint16_t id);
