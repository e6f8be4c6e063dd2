// SPDX-License-Identifier: BSD-3-Clause
// Packet buffers: one pool per NUMA node for all ports, so that a packet received on one port is
// sent on another without a copy.
#pragma once

#include <turnpike/base.h>

struct rte_mempool;

// Octets of a buffer's data room for an MTU: AF_XDP's headroom, ours, the frame, our tailroom.
uint16_t io_pool_room(uint32_t mtu);

// Octets of memory that a pool of this many buffers takes, with slack.
uint64_t io_pool_octets(uint32_t n_buffers, uint32_t mtu);

// The pool of a node, in its own memory. NULL without memory, or where the memory is not in one
// piece, as AF_XDP needs it.
struct rte_mempool *io_pool_create(int numa_node, uint32_t n_buffers, uint32_t mtu);
// The same in the memory of any node.
struct rte_mempool *io_pool_create_elsewhere(int numa_node, uint32_t n_buffers, uint32_t mtu);
void io_pool_destroy(struct rte_mempool *pool);
