// SPDX-License-Identifier: BSD-3-Clause
// Whether a port's packets come by all of its receive queues, judged by their counts: a driver that
// says nothing of its distribution may have a hypervisor or a switch that distributes. One thread.
#pragma once

#include <turnpike/base.h>

#define PLANE_SPREAD_QUEUES  16u // that DPDK counts
#define PLANE_SPREAD_PACKETS 10000u

struct plane_spread {
	uint64_t before[PLANE_SPREAD_QUEUES]; // at the start of the window
	bool told;
};

// Takes the packets that each queue has received so far. True once, when at least 19 of 20 packets
// of PLANE_SPREAD_PACKETS or more came by one queue of several; again after packets have come by
// several.
bool plane_spread_judge(struct plane_spread *s, const uint64_t *received, unsigned n_queues);
