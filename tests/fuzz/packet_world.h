// SPDX-License-Identifier: BSD-3-Clause
// The relay that the packet path's fuzz targets and their seeds work on: one of everything.
#pragma once

#include "frame.h"
#include "message.h"
#include "relay.h"

// Two clients of IPv4 and one of IPv6; channels and permissions to peers outside, in both families,
// and to each other.
struct packet_world {
	struct relay *r;
	struct tp_addr client[3];
	struct tp_addr listener[3];
	struct tp_addr relayed[3];
	struct tp_addr peer[2];	   // with a channel of client 0 (IPv4) and of client 2 (IPv6)
	struct tp_addr visitor[2]; // with a permission of the same
};

// The world as it was at first, made once: restoring is much cheaper than making. A test may write
// to entries, buckets, next hops, locals, path, ring words, the worker, and of port_indexes only
// the PACKET_WORLD_PORTS words from PACKET_WORLD_PORT on.
struct packet_world *packet_world_restore(void);

#define PACKET_WORLD_PORT   49984u
#define PACKET_WORLD_PORTS  64u

// The good frames: every way through the worker once.
#define PACKET_WORLD_FRAMES 20u
void packet_world_frame(const struct packet_world *w, unsigned which, struct frame *f);
