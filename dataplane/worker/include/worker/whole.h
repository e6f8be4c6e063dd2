// SPDX-License-Identifier: BSD-3-Clause
// The way of a datagram that was put together from fragments: through the packet path, and on in
// buffers of the pool, for its own memory is the table's. Used by the worker's thread alone.
#pragma once

#include <worker/txqueue.h>

struct whole_way {
	struct stage_worker *stage;
	struct txqueue *txqueue;
	struct rte_mempool *pool;
	struct observe *observe;     // NULL: none
	const struct io_port *ports; // by the packet path's numbers
	struct io_twin *local;	     // to peers of this host; NULL: no verdict names one
};

// Runs it. One that is the kernel's goes to the port's twin in fragments again. `loop`: as for
// txqueue_put.
void whole_run(const struct whole_way *way, struct stage_pkt *pkt, uint64_t now_ns, uint64_t loop);
