// SPDX-License-Identifier: BSD-3-Clause
// Packets that leave in fragments. Used by the worker's thread alone.
#pragma once

#include <worker/txqueue.h>

// Fragments of one packet at most: more are no use to anybody.
#define WORKER_CUT_MAX 128u

// Puts the fragments of a packet with the verdict STAGE_CUT, in their order, into buffers of `pool`
// and these into the queues. The packet's own memory is only read. All of it is dropped where there
// is no buffer for each fragment (no_memory) or the MTU makes too many (too_big). `loop`: as for
// txqueue_put.
void worker_cut(
	struct txqueue *o, struct rte_mempool *pool, const struct stage_pkt *pkt, uint64_t loop);
