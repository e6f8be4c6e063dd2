// SPDX-License-Identifier: BSD-3-Clause
// The figures of a port: its mode of XDP, and the packets of its device and sockets.
#include <io/port.h>

#include <io/xsk.h>
#include <turnpike/segment.h>

#include <rte_ethdev.h>

uint32_t io_port_xdp(const struct io_port *p)
{
	uint32_t flags =
		p->n_xsk_fds > 0 && io_xsk_is_zero_copy(p->xsk_fds[0]) ? TP_XDP_ZERO_COPY : 0;

	if (p->sent)
		flags |= TP_XDP_SENT;
	switch (p->steer != NULL ? steer_mode(p->steer) : STEER_MODE_NONE) {
	case STEER_MODE_NATIVE:
		return TP_XDP_NATIVE | flags;
	case STEER_MODE_GENERIC:
		return TP_XDP_GENERIC | flags;
	case STEER_MODE_OFFLOADED:
		return TP_XDP_OFFLOADED | flags;
	default:
		return 0;
	}
}

// net_af_xdp reports rx_dropped of XDP_STATISTICS as missed; the rest is asked for here.
static void count_xdp(const struct io_port *p, struct io_port_counters *c)
{
	struct io_xsk_counters xsk;

	for (unsigned q = 0; q < STEER_QUEUES_MAX && p->steer != NULL; q++)
		c->rx_unserved += steer_unserved(p->steer, q);
	for (unsigned q = 0; q < p->n_xsk_fds; q++) {
		if (!io_xsk_count(p->xsk_fds[q], &xsk))
			continue;
		c->rx_errors += xsk.rx_invalid;
		c->rx_ring_full += xsk.rx_ring_full;
		c->tx_invalid += xsk.tx_invalid;
		c->rx_fill_empty += xsk.rx_fill_empty;
	}
}

unsigned io_port_count_queues(const struct io_port *p, uint64_t *received, unsigned max)
{
	unsigned n = p->n_rx_queues < max ? p->n_rx_queues : max;
	struct rte_eth_stats s;

	n = n < RTE_ETHDEV_QUEUE_STAT_CNTRS ? n : RTE_ETHDEV_QUEUE_STAT_CNTRS;
	if (rte_eth_stats_get(p->id, &s) != 0)
		return 0;
	for (unsigned q = 0; q < n; q++)
		received[q] = s.q_ipackets[q];
	return n;
}

bool io_port_count(const struct io_port *p, struct io_port_counters *c)
{
	struct rte_eth_stats s;

	if (rte_eth_stats_get(p->id, &s) != 0)
		return false;
	*c = (struct io_port_counters){
		.rx_missed = s.imissed,
		.rx_no_buffer = s.rx_nombuf,
		.rx_errors = s.ierrors,
		.tx_errors = s.oerrors,
	};
	// The card's ring, before the kernel's driver; DPDK's own drivers count it themselves.
	if (p->device.driver == IO_AF_XDP || p->device.driver == IO_AF_PACKET)
		c->rx_missed += p->link.rx_missed - p->missed_before;
	count_xdp(p, c);
	return true;
}
