// SPDX-License-Identifier: BSD-3-Clause
// A cap that several allocations share: a user's, a realm's, or that of all. Its slot of the limits
// array, and how its bandwidth is divided where allocations of both kinds are below it (<split.h>).
#pragma once

#include <ds/list.h>
#include <ds/map.h>
#include <turn/store.h>

#include "split.h"

struct turn_server;

struct turn_level_split {
	struct ds_map_node by_limit;
	struct ds_list link; // of all
	uint32_t number;
	struct turn_limit limit; // as configured
	struct turn_split split;
};

struct turn_level {
	uint32_t limit;			// of the store; 0: none
	uint32_t n_streams;		// TCP allocations below it
	struct turn_level_split *split; // NULL: not divided
};

// All divided levels.
struct turn_levels {
	struct ds_map by_limit;
	struct ds_list all;
};

int turn_levels_init(struct turn_levels *l, const uint8_t key[16]);
void turn_levels_fini(struct turn_levels *l);

// Gives the slot its rates, or gives it back when it is not `needed`. Without room there is no
// limit: the store has room for all, but where a process was started again alone to have caps.
void turn_limit_settle(
	struct turn_server *s, uint32_t *number, const struct turn_limit *limit, bool needed);
// The same for a level; limit->sessions counts both kinds.
void turn_level_settle(struct turn_server *s, struct turn_level *level,
	const struct turn_limit *limit, bool needed);
// The cap as the edge is to have it: an id of 0 is none.
struct tp_session_cap turn_level_cap(const struct turn_level *level, const struct turn_cap *cap);
