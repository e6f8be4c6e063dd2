// SPDX-License-Identifier: BSD-3-Clause
// The server's own IP addresses: which are relay addresses, and under which name peers know them.
#pragma once

#include <turn/server.h>

#include "map.h"

struct turn_own_address {
	struct turn_map_node node;
	struct tp_addr ip; // port 0
	struct tp_addr advertised;
	bool is_relay;
};

struct turn_own {
	struct turn_map map;
	struct turn_own_address *addresses;
	size_t n;
};

int turn_own_init(struct turn_own *o, const uint8_t key[16], const struct turn_conf *conf);
void turn_own_fini(struct turn_own *o);
// The own address with that IP address, internal or external; NULL: not ours. When an IP address
// serves as listener and as relay, it is a relay address.
const struct turn_own_address *turn_own_find(const struct turn_own *o, const struct tp_addr *addr);
