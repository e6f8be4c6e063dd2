// SPDX-License-Identifier: BSD-3-Clause
// Channels (RFC 8656 12): a number and a peer's transport address, each unique in an allocation.
#pragma once

#include "state.h"

struct turn_channel *turn_channel_by_number(
	const struct turn_server *s, const struct turn_allocation *a, uint16_t number);
struct turn_channel *turn_channel_by_peer(
	const struct turn_server *s, const struct turn_allocation *a, const struct tp_addr *peer);
// A new one outside the store; NULL when the allocation has too many or there is no memory.
struct turn_channel *turn_channel_new(struct turn_server *s, struct turn_permission *p,
	uint16_t number, const struct tp_addr *peer);
// It is in the store as `ref`: starts its timer.
void turn_channel_adopt(
	struct turn_server *s, struct turn_channel *c, uint32_t expires_s, uint32_t ref);
// Moves its expiry, here and in the store.
void turn_channel_extend(struct turn_server *s, struct turn_channel *c, uint32_t expires_s);
// Ends an expired channel.
void turn_channel_end(struct turn_server *s, struct turn_channel *c);
// Frees it without notifying the store.
void turn_channel_forget(struct turn_server *s, struct turn_channel *c);
// Into the server's maps, for an allocation that is hashed.
void turn_channel_hash(struct turn_server *s, struct turn_channel *c);
