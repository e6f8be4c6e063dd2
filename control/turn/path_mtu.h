// SPDX-License-Identifier: BSD-3-Clause
// Path MTUs that the packet path learnt: of each allocation's leg to its client, and to each peer's
// IP address. They are forgotten after ten minutes, as a route may have changed (RFC 8201 5.3).
#pragma once

#include <turn/server.h>

#include "mtu_share.h"

#define TURN_MTU_LIFETIME_S 600u

struct turn_allocation;
struct turn_permission;

// The leg of an allocation, or of a permission.
struct turn_leg {
	uint32_t until_s;
	uint16_t mtu;	// 0: not known
	uint8_t source; // enum turn_mtu_source
};

// How finely the least of all is known, in bytes.
#define TURN_MTU_STEP	 64u
#define TURN_MTU_CLASSES ((UINT16_MAX + 1u) / TURN_MTU_STEP)

// Legs in the order of their times; all live equally long.
struct turn_mtus {
	struct ds_pool pool; // TURN_MTU_MAX at most
	struct ds_list queue;
	struct turn_mtu_shares shares;
	uint32_t of[TURN_MTU_CLASSES]; // of the queue, by MTU / TURN_MTU_STEP
	uint32_t least;		       // the first that is not 0; TURN_MTU_CLASSES: all are
	bool said;		       // the store knows it: not before all is restored
};

// 0 or -ENOMEM.
int turn_mtus_init(struct turn_mtus *m, const uint8_t key[16]);
void turn_mtus_fini(struct turn_mtus *m);
// Forgets what is due.
void turn_mtus_advance(struct turn_server *s, uint32_t now_s, unsigned *budget);
// The second of the next one; UINT32_MAX without any.
uint32_t turn_mtus_next_s(const struct turn_mtus *m);

// The store's new objects of this permission get what is known of the legs.
void turn_mtu_renew(struct turn_server *s, const struct turn_permission *p);
