// SPDX-License-Identifier: BSD-3-Clause
// Permissions (RFC 8656 9): one per IP address of a peer and allocation.
#pragma once

#include "state.h"

// The permission of that peer, in the store or kept for its channels; NULL. The port is ignored.
struct turn_permission *turn_permission_of(
	const struct turn_server *s, const struct turn_allocation *a, const struct tp_addr *peer);
// A new one outside the store; NULL when the allocation has too many or there is no memory.
struct turn_permission *turn_permission_new(
	struct turn_server *s, struct turn_allocation *a, const struct tp_addr *peer);
// The permission of that peer, in the store: the one that is there, unchanged, or one made with
// this expiry, which `is_new` tells. NULL when there is no room for it.
struct turn_permission *turn_permission_ensure(struct turn_server *s, struct turn_allocation *a,
	const struct tp_addr *peer, uint32_t expires_s, bool *is_new);
// Takes one that restarted with the store over.
void turn_permission_adopt(
	struct turn_server *s, struct turn_permission *p, uint32_t expires_s, uint32_t ref);
// Tells the store the ports that the policy of now allows, where they matter. 0 or a negative
// errno: the store has no room, and keeps the old ones.
int turn_permission_renew_ports(struct turn_server *s, struct turn_permission *p);
// Moves the expiry of one in the store, and of its channels' permission, never back.
void turn_permission_extend(struct turn_server *s, struct turn_permission *p, uint32_t expires_s);
// Its time is over: out of the store, forgotten unless a channel needs it.
void turn_permission_end(struct turn_server *s, struct turn_permission *p);
// Ends it with its channels, here and in the store.
void turn_permission_revoke(struct turn_server *s, struct turn_permission *p);
// Frees it if it is neither in the store nor of use to a channel.
void turn_permission_tidy(struct turn_server *s, struct turn_permission *p);
// Frees it with its channels, without notifying the store.
void turn_permission_forget(struct turn_server *s, struct turn_permission *p);

// The expiry that the packet path must see for its channels; 0: none.
static inline uint32_t turn_permission_expires_s(const struct turn_permission *p)
{
	return p->in_store ? p->expires_s : 0;
}

// Puts the allocation's permissions and channels into the server's maps.
void turn_allocation_hash(struct turn_server *s, struct turn_allocation *a);
