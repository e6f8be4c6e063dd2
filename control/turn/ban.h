// SPDX-License-Identifier: BSD-3-Clause
// Bans: users, credentials and client prefixes that the operator shut out for a time. Their calls
// end by the sweep, their new Allocate requests are 401, and requests of a banned prefix are
// dropped. A ban ends by a timer.
#pragma once

#include <turn/server.h>

#include <ds/list.h>
#include <ds/map.h>
#include <ds/wheel.h>

#include "identity.h"

struct turn_allocation;

struct turn_ban_slot {
	struct ds_map_node node; // of one with a name
	struct ds_timer timer;
	struct turn_ban ban; // kind 0: free
	struct turn_bans *bans;
};

struct turn_bans {
	struct ds_map by_name;
	struct turn_ban_slot *slots; // [TURN_BANS_MAX], made with the first ban
	struct ds_wheel *wheel;
	uint32_t n;
	uint32_t n_prefixes;
	uint16_t prefixes[TURN_BAN_PREFIXES_MAX]; // slots
};

// 0 or -ENOMEM.
int turn_bans_init(struct turn_bans *b, const uint8_t map_key[16], struct ds_wheel *wheel);
void turn_bans_fini(struct turn_bans *b);
// A ban's timer is due.
void turn_ban_expire(struct turn_ban_slot *slot);

bool turn_bans_hold_user(const struct turn_bans *b, const struct turn_principal *p);
bool turn_bans_hold_client(const struct turn_bans *b, const struct tp_addr *client);
bool turn_bans_hold(const struct turn_bans *b, const struct turn_allocation *a);
