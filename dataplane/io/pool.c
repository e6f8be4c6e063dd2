// SPDX-License-Identifier: BSD-3-Clause
#include <io/pool.h>

#include <stdio.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <stage/stage.h>

#define POOL_CACHE	  256u
#define POOL_XDP_HEADROOM 256u // XDP_PACKET_HEADROOM
#define POOL_LINK	  18u  // Ethernet header and a tag
#define POOL_SLACK	  (16u * 1024u * 1024u)

uint16_t io_pool_room(uint32_t mtu)
{
	uint32_t room = RTE_PKTMBUF_HEADROOM + POOL_XDP_HEADROOM + mtu + POOL_LINK + STAGE_TAILROOM;

	if (room < RTE_MBUF_DEFAULT_BUF_SIZE)
		room = RTE_MBUF_DEFAULT_BUF_SIZE;
	return room > UINT16_MAX ? UINT16_MAX : (uint16_t)room;
}

uint64_t io_pool_octets(uint32_t n_buffers, uint32_t mtu)
{
	uint64_t element = sizeof(struct rte_mbuf) + io_pool_room(mtu);

	return n_buffers * (uint64_t)rte_mempool_calc_obj_size((uint32_t)element, 0, NULL) +
	       POOL_SLACK;
}

static struct rte_mempool *create(int numa_node, int memory_node, uint32_t n_buffers, uint32_t mtu)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *pool;

	snprintf(name, sizeof(name), "packets_%d", numa_node < 0 ? 0 : numa_node);
	pool = rte_pktmbuf_pool_create(
		name, n_buffers, POOL_CACHE, 0, io_pool_room(mtu), memory_node);
	if (pool != NULL && pool->nb_mem_chunks != 1) {
		rte_mempool_free(pool);
		pool = NULL;
	}
	return pool;
}

struct rte_mempool *io_pool_create(int numa_node, uint32_t n_buffers, uint32_t mtu)
{
	return create(numa_node, numa_node, n_buffers, mtu);
}

struct rte_mempool *io_pool_create_elsewhere(int numa_node, uint32_t n_buffers, uint32_t mtu)
{
	return create(numa_node, SOCKET_ID_ANY, n_buffers, mtu);
}

void io_pool_destroy(struct rte_mempool *pool)
{
	rte_mempool_free(pool);
}
