// SPDX-License-Identifier: BSD-3-Clause
// The way to peers on this host's own addresses (peers.local): a media server beside the relay.
// Packets leave by raw sockets, over the kernel's loopback, with the relayed transport address as
// their source; answers to that address are heard by a packet socket on the loopback interface, and
// go no further, because the guard drops them there. No port of the host is opened, no address or
// route added.
//
// The sockets are opened once and need no privilege afterwards. Workers give and take frames with
// the calls of <io/twin.h>; one worker takes.
#pragma once

#include <io/twin.h>

struct io_local_settings {
	uint16_t port_min; // relayed ports, to which peers answer
	uint16_t port_max;
	uint16_t mtu; // the longest IP packet
	unsigned n_workers;
};

// Needs CAP_NET_RAW. The thread is io_twin_run, and io_twin_destroy ends it all.
int io_local_create(
	struct io_twin **out, const struct io_local_settings *s, struct steer_fault *fault);

// Becomes readable (edge) when frames have come; wakes a worker that sleeps.
int io_local_ready_fd(const struct io_twin *t);
