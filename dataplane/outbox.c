// SPDX-License-Identifier: BSD-3-Clause
#include "outbox.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>

void outboxes_init(struct outboxes *o, struct stage_worker *stage, const struct io_port *ports,
	unsigned n_ports, uint16_t queue, uint64_t hold_cycles)
{
	memset(o, 0, sizeof(*o));
	o->stage = stage;
	o->n = n_ports;
	o->hold_cycles = hold_cycles;
	for (unsigned i = 0; i < n_ports; i++) {
		o->boxes[i].id = ports[i].id;
		o->boxes[i].queue = queue;
	}
}

void outboxes_watch(struct outboxes *o, struct watch *watch, const struct clock *clock)
{
	o->watch = watch;
	o->clock = clock;
}

// What the port has taken belongs to its driver: it is copied before.
static __rte_noinline uint16_t transmit_watched(struct outboxes *o, struct outbox *box)
{
	struct stage_pkt frames[OUTBOX_BATCH];
	struct capture *capture = &o->watch->capture;
	unsigned worker = o->stage->id;
	struct capture_burst burst;
	uint16_t sent;

	for (uint16_t i = 0; i < box->n; i++) {
		struct rte_mbuf *m = box->packets[i];

		frames[i] = (struct stage_pkt){.data = rte_pktmbuf_mtod(m, uint8_t *),
			.len = m->data_len,
			.tx_port = (uint8_t)(box - o->boxes)};
	}
	capture_leaving(
		capture, &burst, worker, frames, box->n, clock_read_ns(o->clock, rte_rdtsc()));
	sent = rte_eth_tx_burst(box->id, box->queue, box->packets, box->n);
	capture_left(capture, &burst, worker, sent);
	return sent;
}

static inline uint16_t transmit(struct outboxes *o, struct outbox *box)
{
	if (watch_is_on(o->watch))
		return transmit_watched(o, box);
	return rte_eth_tx_burst(box->id, box->queue, box->packets, box->n);
}

void outbox_flush(struct outboxes *o, struct outbox *box)
{
	struct tp_worker_stats *stats = o->stage->stats;
	uint64_t octets = box->octets;
	uint16_t n = box->n;
	uint16_t sent = transmit(o, box);

	for (uint16_t i = sent; i < n; i++)
		octets -= box->packets[i]->data_len;
	tp_count(&stats->tx_packets, sent);
	tp_count(&stats->tx_octets, octets);
	if (sent < n) {
		stage_drop_count(o->stage, TP_DROP_tx_full, n - sent);
		rte_pktmbuf_free_bulk(box->packets + sent, n - sent);
	}
	if (box->late > 0) {
		if (o->left_late == 0 || box->since < o->late_since)
			o->late_since = box->since;
		o->left_late += box->late;
		box->late = 0;
	}
	box->n = 0;
	box->octets = 0;
}

void outboxes_put_run(struct outboxes *o, unsigned port, struct rte_mbuf **packets, unsigned n,
	uint64_t octets, uint64_t loop)
{
	struct outbox *box = &o->boxes[port];

	if (n == 0)
		return;
	if (box->n + n > OUTBOX_BATCH) {
		for (unsigned i = 0; i < n; i++)
			outboxes_put(o, port, packets[i], loop);
		return;
	}
	if (box->n == 0)
		box->since = loop;
	memcpy(box->packets + box->n, packets, n * sizeof(packets[0]));
	box->octets += octets;
	box->n += (uint16_t)n;
	if (box->n == OUTBOX_BATCH)
		outbox_flush(o, box);
}

void outboxes_flush(struct outboxes *o)
{
	for (unsigned i = 0; i < o->n; i++)
		if (o->boxes[i].n > 0)
			outbox_flush(o, &o->boxes[i]);
	o->holding = false;
}

void outboxes_end_burst(struct outboxes *o)
{
	o->holding = false;
	for (unsigned i = 0; i < o->n; i++) {
		struct outbox *box = &o->boxes[i];

		if (box->n == 0)
			continue;
		if (o->hold_cycles > 0 && rte_rdtsc() - box->since < o->hold_cycles)
			o->holding = true;
		else
			outbox_flush(o, box);
	}
}

unsigned outboxes_left(const struct outboxes *o, unsigned packets)
{
	if (!o->holding)
		return packets;
	for (unsigned i = 0; i < o->n; i++)
		packets -= o->boxes[i].n - o->boxes[i].late;
	return packets;
}

void outboxes_turn(struct outboxes *o)
{
	o->left_late = 0;
	if (!o->holding)
		return;
	for (unsigned i = 0; i < o->n; i++)
		o->boxes[i].late = o->boxes[i].n;
}
