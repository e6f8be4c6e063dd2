// SPDX-License-Identifier: BSD-3-Clause
// The first frame of an AF_XDP port: some drivers bind a socket and refuse to send by it.
#pragma once

#include <io/port.h>

// Sends a frame to ourselves by each queue of a started port, before there is a worker. Sets
// p->sent where all have left, and p->mute where one was refused: then the driver's negative errno,
// with the fault. 0 as well where nothing can be said, because the link is down or no buffer is
// free.
int io_first_frame_send(struct io_port *p, struct rte_mempool *pool, struct steer_fault *fault);
