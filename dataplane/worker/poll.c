// SPDX-License-Identifier: BSD-3-Clause
// From mbufs to the packet path and back.
#include "state.h"

#include <worker/cut.h>
#include <worker/whole.h>

static inline void fill_pkt(struct stage_pkt *pkt, struct rte_mbuf *m, uint8_t port)
{
	rte_prefetch0(rte_pktmbuf_mtod(m, void *));
	pkt->data = rte_pktmbuf_mtod(m, uint8_t *);
	pkt->len = m->data_len;
	pkt->headroom = rte_pktmbuf_headroom(m);
	pkt->tailroom = rte_pktmbuf_tailroom(m);
	pkt->rx_port = port;
	pkt->cookie = m;
}

static inline struct rte_mbuf *settle_mbuf(const struct stage_pkt *pkt)
{
	struct rte_mbuf *m = pkt->cookie;

	m->data_off = (uint16_t)(pkt->data - (uint8_t *)m->buf_addr);
	m->data_len = pkt->len;
	m->pkt_len = pkt->len;
	m->ol_flags = 0;
	return m;
}

static void post_whole(struct worker *w, struct stage_pkt *whole)
{
	const struct whole_way way = {.stage = &w->stage,
		.txqueue = &w->txqueue,
		.pool = w->settings.pool,
		.observe = w->settings.observe,
		.ports = w->settings.ports,
		.local = w->settings.local};

	whole_run(&way, whole, w->now_ns, w->cycles);
}

// True: the buffer is another worker's.
static bool post_fragment(struct worker *w, const struct stage_pkt *pkt)
{
	struct stage_pkt whole;

	switch (fragments_take(&w->fragments, &w->stage, pkt, w->now_ns, &whole)) {
	case FRAGMENTS_WHOLE:
		post_whole(w, &whole);
		return false;
	case FRAGMENTS_HANDED:
		w->wake = !w->settings.busy;
		return true;
	default:
		return false;
	}
}

// Frames longer than a buffer come as chains: nothing that the port's MTU allows.
__attribute__((noinline)) static uint16_t drop_chains(
	struct worker *w, struct rte_mbuf **packets, struct stage_pkt *pkts, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (packets[i]->nb_segs == 1) {
			packets[kept] = packets[i];
			pkts[kept++] = pkts[i];
			continue;
		}
		stage_drop_count(&w->stage, TP_DROP_too_big, 1);
		rte_pktmbuf_free(packets[i]);
	}
	return kept;
}

static inline uint16_t fill_pkts(struct worker *w, const struct queue *q, struct rte_mbuf **packets,
	struct stage_pkt *pkts, uint16_t n)
{
	unsigned chained = 0;

	for (uint16_t i = 0; i < n; i++) {
		fill_pkt(&pkts[i], packets[i], q->port);
		chained |= packets[i]->nb_segs ^ 1u;
	}
	return chained == 0 ? n : drop_chains(w, packets, pkts, n);
}

// A copy: the frame's buffer stays with this core's cache of them.
static void give_kernel(struct worker *w, const struct stage_pkt *pkt)
{
	struct io_twin *twin = w->settings.ports[pkt->rx_port].twin;

	if (twin != NULL && !io_twin_give(twin, w->settings.id, pkt->data, pkt->len))
		stage_drop_count(&w->stage, TP_DROP_kernel_full, 1);
}

// Fragments, and packets that leave as such. True: the buffer is another worker's.
static bool post_long(struct worker *w, const struct stage_pkt *pkt)
{
	if (pkt->verdict == STAGE_FRAGMENT)
		return post_fragment(w, pkt);
	worker_cut(&w->txqueue, w->settings.pool, pkt, w->cycles);
	return false;
}

static void give_local(struct worker *w, const struct stage_pkt *pkt)
{
	struct io_twin *local = w->settings.local;

	if (!io_twin_give(local, w->settings.id, pkt->data, pkt->len))
		stage_drop_count(&w->stage, TP_DROP_kernel_full, 1);
}

// Packets that are not sent are freed. Neighbours mostly leave by the same port, so they are put in
// its box together.
static void post_burst(struct worker *w, const struct stage_pkt *pkts, uint16_t n)
{
	struct rte_mbuf *run[STAGE_BURST], *done[STAGE_BURST];
	unsigned n_run = 0, n_done = 0, port = 0;
	uint64_t octets = 0;

	if (w->stage.n_stream_out > 0) {
		if (observe_is_on(w->settings.observe))
			observe_give(w->settings.observe, &w->stage, w->now_ns);
		else
			stage_edge_give(&w->stage, w->now_ns);
	}
	for (uint16_t i = 0; i < n; i++) {
		const struct stage_pkt *pkt = &pkts[i];

		if (pkt->verdict != STAGE_SEND) {
			if (pkt->verdict == STAGE_KERNEL)
				give_kernel(w, pkt);
			if (pkt->verdict == STAGE_LOCAL)
				give_local(w, pkt);
			if (pkt->verdict >= STAGE_FRAGMENT) {
				// Those before it leave before it.
				txqueue_put_run(&w->txqueue, port, run, n_run, octets, w->cycles);
				n_run = 0;
				octets = 0;
				if (post_long(w, pkt))
					continue;
			}
			done[n_done++] = pkt->cookie;
			continue;
		}
		if (pkt->tx_port != port) {
			txqueue_put_run(&w->txqueue, port, run, n_run, octets, w->cycles);
			n_run = 0;
			octets = 0;
			port = pkt->tx_port;
		}
		octets += pkt->len;
		run[n_run++] = settle_mbuf(pkt);
	}
	txqueue_put_run(&w->txqueue, port, run, n_run, octets, w->cycles);
	txqueue_end_burst(&w->txqueue);
	if (n_done > 0)
		rte_pktmbuf_free_bulk(done, n_done);
}

unsigned worker_poll_queue(struct worker *w, const struct queue *q)
{
	struct rte_mbuf *packets[STAGE_BURST];
	struct stage_pkt pkts[STAGE_BURST];
	uint16_t received = rte_eth_rx_burst(q->id, q->queue, packets, STAGE_BURST), n;

	if (received == 0) {
		txqueue_flush(&w->txqueue);
		return 0;
	}
	n = fill_pkts(w, q, packets, pkts, received);
	if (observe_is_on(w->settings.observe))
		observe_run(w->settings.observe, &w->stage, pkts, n, w->now_ns);
	else
		stage_run(&w->stage, pkts, n, w->now_ns);
	post_burst(w, pkts, n);
	return received;
}

unsigned worker_poll_fragments(struct worker *w)
{
	struct stage_pkt whole;
	bool is_whole;
	unsigned n = 0;

	if (!fragments_waiting(&w->fragments))
		return 0;
	while (n < STAGE_BURST &&
		fragments_next(&w->fragments, &w->stage, w->now_ns, &whole, &is_whole)) {
		if (is_whole)
			post_whole(w, &whole);
		n++;
	}
	txqueue_end_burst(&w->txqueue);
	return n;
}

unsigned worker_poll_inject(struct worker *w)
{
	struct rte_mbuf *packets[STAGE_BURST];
	struct stage_pkt pkts[STAGE_BURST];
	unsigned n = stage_inject_pending(&w->stage);
	unsigned made;

	if (n == 0)
		return 0;
	if (n > STAGE_BURST)
		n = STAGE_BURST;
	// No buffer free: the messages wait on their ring.
	if (rte_pktmbuf_alloc_bulk(w->settings.pool, packets, n) != 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		fill_pkt(&pkts[i], packets[i], 0);
	made = stage_inject(&w->stage, pkts, n);
	rte_pktmbuf_free_bulk(packets + made, n - made);
	post_burst(w, pkts, (uint16_t)made);
	return n;
}

unsigned worker_poll_edge(struct worker *w)
{
	struct rte_mbuf *packets[STAGE_BURST];
	struct stage_pkt pkts[STAGE_BURST];
	struct stage_message messages[STAGE_BURST];
	unsigned n = stage_edge_pending(&w->stage, STAGE_BURST), used;

	if (n == 0)
		return 0;
	// No buffer free: the messages wait on their rings.
	if (rte_pktmbuf_alloc_bulk(w->settings.pool, packets, n) != 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		fill_pkt(&pkts[i], packets[i], 0);
	used = stage_edge_take(&w->stage, pkts, messages, n);
	if (used > 0 && observe_is_on(w->settings.observe))
		observe_run_messages(
			w->settings.observe, &w->stage, pkts, messages, used, w->now_ns);
	else if (used > 0)
		stage_run_messages(&w->stage, pkts, messages, used, w->now_ns);
	rte_pktmbuf_free_bulk(packets + used, n - used);
	post_burst(w, pkts, (uint16_t)used);
	return n;
}

// Frames that the kernel sends by a twin leave by one worker, so that their order stays.
static unsigned take_kernel(struct worker *w, unsigned port)
{
	struct rte_mbuf *packets[STAGE_BURST];
	uint64_t octets;
	unsigned n;

	if (port % w->settings.n_workers != w->settings.id)
		return 0;
	n = io_port_take_kernel(
		w->settings.ports[port].twin, w->settings.pool, packets, STAGE_BURST, &octets);
	tp_count(&w->stage.stats->path_packets[TP_PATH_from_kernel], n);
	tp_count(&w->stage.stats->path_octets[TP_PATH_from_kernel], octets);
	for (unsigned i = 0; i < n; i++)
		txqueue_put(&w->txqueue, port, packets[i], w->cycles);
	if (n > 0)
		txqueue_end_burst(&w->txqueue);
	return n;
}

unsigned worker_poll_twins(struct worker *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->settings.n_ports; i++) {
		if (w->settings.ports[i].twin == NULL)
			continue;
		io_twin_wake(w->settings.ports[i].twin, w->settings.id, w->now_ns);
		n += take_kernel(w, i);
	}
	return n;
}

unsigned worker_poll_local(struct worker *w)
{
	struct rte_mbuf *packets[STAGE_BURST];
	struct stage_pkt pkts[STAGE_BURST];
	uint64_t octets;
	unsigned n;

	io_twin_wake(w->settings.local, w->settings.id, w->now_ns);
	if (w->settings.id != 0)
		return 0;
	n = io_port_take_kernel(w->settings.local, w->settings.pool, packets, STAGE_BURST, &octets);
	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		fill_pkt(&pkts[i], packets[i], 0);
	stage_run_local(&w->stage, pkts, n, w->now_ns);
	post_burst(w, pkts, (uint16_t)n);
	return n;
}
