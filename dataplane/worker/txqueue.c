// SPDX-License-Identifier: BSD-3-Clause
#include <worker/txqueue.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

void txqueue_init(struct txqueue *o, struct stage_worker *stage, const struct io_port *ports,
	unsigned n_ports, uint16_t queue, uint64_t hold_cycles)
{
	memset(o, 0, sizeof(*o));
	o->stage = stage;
	o->n = n_ports;
	o->hold_cycles = hold_cycles;
	for (unsigned i = 0; i < n_ports; i++) {
		o->queues[i].id = ports[i].id;
		o->queues[i].queue = queue;
	}
}

void txqueue_observe(struct txqueue *o, struct observe *observe, const struct clock *clock)
{
	o->observe = observe;
	o->clock = clock;
}

// Packets that the port has taken belong to its driver: they are copied before.
static __rte_noinline uint16_t transmit_observed(struct txqueue *o, struct txqueue_port *q)
{
	struct stage_pkt frames[TXQUEUE_BATCH];
	struct capture *capture = &o->observe->capture;
	unsigned worker = o->stage->id;
	struct capture_burst burst;
	uint16_t sent;

	for (uint16_t i = 0; i < q->n; i++) {
		struct rte_mbuf *m = q->packets[i];

		frames[i] = (struct stage_pkt){.data = rte_pktmbuf_mtod(m, uint8_t *),
			.len = m->data_len,
			.tx_port = (uint8_t)(q - o->queues)};
	}
	observe_capture_leaving(
		capture, &burst, worker, frames, q->n, clock_read_ns(o->clock, rte_rdtsc()));
	sent = rte_eth_tx_burst(q->id, q->queue, q->packets, q->n);
	observe_capture_left(capture, &burst, worker, sent);
	return sent;
}

static inline uint16_t transmit(struct txqueue *o, struct txqueue_port *q)
{
	if (observe_is_on(o->observe))
		return transmit_observed(o, q);
	return rte_eth_tx_burst(q->id, q->queue, q->packets, q->n);
}

void txqueue_flush_port(struct txqueue *o, struct txqueue_port *q)
{
	struct tp_worker_stats *stats = o->stage->stats;
	uint64_t octets = q->octets;
	uint16_t n = q->n;
	uint16_t sent = transmit(o, q);

	for (uint16_t i = sent; i < n; i++)
		octets -= q->packets[i]->data_len;
	tp_count(&stats->tx_packets, sent);
	tp_count(&stats->tx_octets, octets);
	if (sent < n) {
		stage_drop_count(o->stage, TP_DROP_tx_full, n - sent);
		rte_pktmbuf_free_bulk(q->packets + sent, n - sent);
	}
	if (q->held > 0) {
		if (o->flushed_held == 0 || q->since < o->held_since)
			o->held_since = q->since;
		o->flushed_held += q->held;
		q->held = 0;
	}
	q->n = 0;
	q->octets = 0;
}

void txqueue_put_run(struct txqueue *o, unsigned port, struct rte_mbuf **packets, unsigned n,
	uint64_t octets, uint64_t loop)
{
	struct txqueue_port *q = &o->queues[port];

	if (n == 0)
		return;
	if (q->n + n > TXQUEUE_BATCH) {
		for (unsigned i = 0; i < n; i++)
			txqueue_put(o, port, packets[i], loop);
		return;
	}
	if (q->n == 0)
		q->since = loop;
	memcpy(q->packets + q->n, packets, n * sizeof(packets[0]));
	q->octets += octets;
	q->n += (uint16_t)n;
	if (q->n == TXQUEUE_BATCH)
		txqueue_flush_port(o, q);
}

void txqueue_flush(struct txqueue *o)
{
	for (unsigned i = 0; i < o->n; i++)
		if (o->queues[i].n > 0)
			txqueue_flush_port(o, &o->queues[i]);
	o->holding = false;
}

void txqueue_end_burst(struct txqueue *o)
{
	o->holding = false;
	for (unsigned i = 0; i < o->n; i++) {
		struct txqueue_port *q = &o->queues[i];

		if (q->n == 0)
			continue;
		if (o->hold_cycles > 0 && rte_rdtsc() - q->since < o->hold_cycles)
			o->holding = true;
		else
			txqueue_flush_port(o, q);
	}
}

unsigned txqueue_left(const struct txqueue *o, unsigned packets)
{
	unsigned held = 0;

	if (!o->holding)
		return packets;
	for (unsigned i = 0; i < o->n; i++)
		held += o->queues[i].n - o->queues[i].held;
	// One packet taken can be several held: its fragments.
	return packets > held ? packets - held : 0;
}

void txqueue_next_loop(struct txqueue *o)
{
	o->flushed_held = 0;
	if (!o->holding)
		return;
	for (unsigned i = 0; i < o->n; i++)
		o->queues[i].held = o->queues[i].n;
}
