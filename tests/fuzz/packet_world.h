// SPDX-License-Identifier: BSD-3-Clause
// The relay that the packet path's fuzz targets and their seeds work on: one of everything.
#pragma once

#include "frame.h"
#include "message.h"
#include "relay.h"

// A client of IPv4 and one of IPv6, each with relayed transport addresses of both families, with
// channels and permissions to peers outside in both, and to two other clients of its own family.
enum packet_world_role {
	PACKET_WORLD_CALLER,
	// Has a permission for the caller, and no channel.
	PACKET_WORLD_PERMITTING,
	// Has a channel to the caller.
	PACKET_WORLD_CALLED,
	PACKET_WORLD_ROLES,
};

struct packet_world {
	struct relay *r;
	// By family, IPv4 first, and role.
	struct tp_addr client[2][PACKET_WORLD_ROLES];
	struct tp_addr listener[2];
	// As seen from outside. The caller's of its own family and of the other one.
	struct tp_addr relayed[2][PACKET_WORLD_ROLES];
	struct tp_addr relayed_other[2];
	struct tp_addr peer[2];	   // has a channel of both callers
	struct tp_addr visitor[2]; // has a permission of both callers
};

// The world as it was at first, made once: restoring is much cheaper than making. A test may write
// to entries, buckets, next hops, locals, path, ring words, the worker, and of port_indexes only
// the PACKET_WORLD_PORTS words from PACKET_WORLD_PORT on.
struct packet_world *packet_world_restore(void);

#define PACKET_WORLD_PORT   49984u
#define PACKET_WORLD_PORTS  64u

// The good frames: every way through the worker once, first from IPv4, then from IPv6.
#define PACKET_WORLD_KINDS  16u
#define PACKET_WORLD_FRAMES (2 * PACKET_WORLD_KINDS)
void packet_world_frame(const struct packet_world *w, unsigned which, struct frame *f);
