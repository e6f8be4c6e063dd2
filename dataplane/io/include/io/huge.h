// SPDX-License-Identifier: BSD-3-Clause
// Free huge pages of the machine, by NUMA node. No DPDK. Any thread.
#pragma once

#include <turnpike/base.h>

#define IO_SYSFS "/sys"

// Bytes of free huge pages, all sizes; `node` -1: of all nodes together.
uint64_t io_huge_free(const char *sysfs, int node);

enum io_huge {
	IO_HUGE_NONE,	   // too few in all
	IO_HUGE_ELSEWHERE, // enough, but some node has too few of its own
	IO_HUGE_LOCAL,
};

// Whether the free huge pages are enough for `need[n]` bytes on each of `n_nodes` nodes. *node is
// the first that has too few; a node of which sysfs says nothing has enough.
enum io_huge io_huge_judge(
	const char *sysfs, const uint64_t *need, unsigned n_nodes, unsigned *node);

// Whether some node that the machine has, of the first `n_nodes`, has no free huge page at all.
bool io_huge_lacks_node(const char *sysfs, unsigned n_nodes);
