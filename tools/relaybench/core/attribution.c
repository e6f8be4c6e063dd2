// SPDX-License-Identifier: BSD-3-Clause
#include "attribution.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <bench/clock.h>

static struct {
	struct bench_attribution *attribution;
	uint16_t rx_port;
	uint16_t tx_ports[2];
	eth_rx_burst_t receive;
	eth_tx_burst_t transmit[2];
} hook;

static void readdress(struct bench_attribution *s, struct rte_mbuf **packets, uint16_t n)
{
	bool mixed = s->readdress->direction == BENCH_MIX;

	for (uint16_t i = 0; i < n; i++) {
		struct bench_packet p = bench_traffic_next(s->readdress, &s->distribution);
		uint8_t *frame = rte_pktmbuf_mtod(packets[i], uint8_t *);

		if (!mixed) {
			bench_frame_address(p.kind, frame, p.flow);
			continue;
		}
		bench_frame_write(p.kind, frame, p.flow);
		packets[i]->data_len = p.kind->len;
		packets[i]->pkt_len = p.kind->len;
	}
}

// The worker asks for the next burst: that was the one before.
static void burst_end(struct bench_attribution *s, uint64_t now)
{
	if (s->skip > 0)
		s->skip--;
	else
		bench_sample_add(&s->relay, s->relay_cycles + now - s->mark, s->packets);
	s->packets = 0;
}

static uint16_t receive(void *queue, struct rte_mbuf **packets, uint16_t max)
{
	struct bench_attribution *s = hook.attribution;
	uint64_t start = s->timed ? bench_cycles() : 0;
	uint16_t n;

	if (s->packets > 0)
		burst_end(s, start);
	n = hook.receive(queue, packets, max);
	if (s->readdress != NULL)
		readdress(s, packets, n);
	if (!s->timed || n == 0)
		return n;
	s->mark = bench_cycles();
	if (s->skip == 0)
		bench_sample_add(&s->receive, s->mark - start, n);
	s->packets = n;
	s->relay_cycles = 0;
	return n;
}

static uint16_t transmit(unsigned which, void *queue, struct rte_mbuf **packets, uint16_t n)
{
	struct bench_attribution *s = hook.attribution;
	uint64_t start;

	if (!s->timed)
		return hook.transmit[which](queue, packets, n);
	start = bench_cycles();
	s->relay_cycles += start - s->mark;
	n = hook.transmit[which](queue, packets, n);
	s->mark = bench_cycles();
	if (s->skip == 0)
		bench_sample_add(&s->transmit, s->mark - start, n);
	return n;
}

static uint16_t transmit_first(void *queue, struct rte_mbuf **packets, uint16_t n)
{
	return transmit(0, queue, packets, n);
}

static uint16_t transmit_second(void *queue, struct rte_mbuf **packets, uint16_t n)
{
	return transmit(1, queue, packets, n);
}

void bench_attribution_install(struct bench_attribution *s, uint16_t rx_port, uint16_t tx_port)
{
	s->packets = 0;
	hook.attribution = s;
	hook.rx_port = rx_port;
	hook.tx_ports[0] = rx_port;
	hook.tx_ports[1] = tx_port;
	hook.receive = rte_eth_fp_ops[rx_port].rx_pkt_burst;
	hook.transmit[0] = rte_eth_fp_ops[rx_port].tx_pkt_burst;
	hook.transmit[1] = rte_eth_fp_ops[tx_port].tx_pkt_burst;
	rte_eth_fp_ops[rx_port].rx_pkt_burst = receive;
	rte_eth_fp_ops[rx_port].tx_pkt_burst = transmit_first;
	rte_eth_fp_ops[tx_port].tx_pkt_burst = transmit_second;
}

void bench_attribution_remove(void)
{
	rte_eth_fp_ops[hook.rx_port].rx_pkt_burst = hook.receive;
	for (unsigned i = 0; i < 2; i++)
		rte_eth_fp_ops[hook.tx_ports[i]].tx_pkt_burst = hook.transmit[i];
	hook.attribution = NULL;
}
