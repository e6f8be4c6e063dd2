// SPDX-License-Identifier: BSD-3-Clause
// Makes the kernel resolve and keep fresh the neighbours that the tables want: traffic that
// bypasses the kernel never confirms them. From kernel 5.16 the kernel keeps a neighbour it is told
// to manage; older ones are asked again every few seconds. No ARP of our own. Housekeeping's thread
// only.
#pragma once

#include <turnpike/segment.h>

struct neighbour;

// `ifindexes`: of our ports; wishes for other links are ignored. NULL with errno set.
struct neighbour *plane_neighbour_create(const uint32_t *ifindexes, unsigned n);

// Looks through the wishes and tells the kernel, a bounded number of requests at a time. False:
// there is more to do, call again soon. `infos` NULL: no tables; nothing is wanted.
bool plane_neighbour_tick(struct neighbour *nb, const struct tp_next_hop_info *infos,
	uint32_t n_infos, uint64_t now_ns);

// Tells the kernel that nothing is wanted any more, and frees. NULL is fine.
void plane_neighbour_destroy(struct neighbour *nb);
