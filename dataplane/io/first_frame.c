// SPDX-License-Identifier: BSD-3-Clause
#include "first_frame.h"

#include <errno.h>
#include <string.h>

#include <io/xsk.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define FRAME_OCTETS 60u
// A type that nobody takes: IEEE 802's first for local experiments.
#define FRAME_TYPE   0x88b5u

// To ourselves.
static struct rte_mbuf *frame_make(const struct io_port *p, struct rte_mempool *pool)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *data = m == NULL ? NULL : (uint8_t *)rte_pktmbuf_append(m, FRAME_OCTETS);

	if (data == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memset(data, 0, FRAME_OCTETS);
	memcpy(data, p->mac, sizeof(p->mac));
	memcpy(data + 6, p->mac, sizeof(p->mac));
	data[12] = FRAME_TYPE >> 8;
	data[13] = FRAME_TYPE & 0xff;
	return m;
}

// Some drivers bind a socket and refuse its first frame. DPDK's driver does not tell.
static int queue_probe(struct io_port *p, struct rte_mempool *pool, uint16_t q)
{
	struct io_xsk_counters before = {0};
	struct rte_mbuf *m = frame_make(p, pool);

	if (m == NULL)
		return -ENOMEM;
	io_xsk_count(p->xsk_fds[q], &before);
	if (rte_eth_tx_burst(p->id, q, &m, 1) != 1) {
		rte_pktmbuf_free(m);
		return -EIO;
	}
	return io_xsk_probe(p->xsk_fds[q], &io_xsk_kernel, &before);
}

int io_first_frame_send(struct io_port *p, struct rte_mempool *pool, struct steer_fault *fault)
{
	int err = 0;

	for (uint16_t q = 0; q < p->n_xsk_fds && err == 0; q++)
		err = queue_probe(p, pool, q);
	p->sent = err == 0 && p->n_xsk_fds > 0;
	p->mute = err != 0 && err != -ENETDOWN && err != -ENOMEM;
	if (!p->mute)
		return 0;
	return steer_fault_set(fault, err, "xdp: generic; or device: net_af_packet0",
		"the first frame did not leave by %s: %s", p->device.interface, strerror(-err));
}
