// SPDX-License-Identifier: BSD-3-Clause
#include <worker/cut.h>

#include <core/cut.h>
#include <core/put.h>

// IPv6's id; IPv4's is in the packet.
static uint32_t next_id(struct stage_worker *w)
{
	uint32_t txid[3];

	core_txid_next(&w->context, txid);
	return txid[0];
}

// Buffers that have room for frames of `len` bytes, or the reason why there are none.
static enum tp_drop buffers_take(
	struct rte_mempool *pool, struct rte_mbuf **fragments, unsigned n, uint32_t len)
{
	if (n == 0 || n > WORKER_CUT_MAX)
		return TP_DROP_too_big;
	if (rte_pktmbuf_alloc_bulk(pool, fragments, n) != 0)
		return TP_DROP_no_memory;
	if (rte_pktmbuf_tailroom(fragments[0]) >= len)
		return TP_DROP_none;
	rte_pktmbuf_free_bulk(fragments, n);
	return TP_DROP_no_memory;
}

void worker_cut(
	struct txqueue *o, struct rte_mempool *pool, const struct stage_pkt *pkt, uint64_t loop)
{
	struct rte_mbuf *fragments[WORKER_CUT_MAX];
	struct tp_worker_stats *stats = o->stage->stats;
	enum tp_drop why;
	struct core_cut c;
	unsigned n = core_cut_begin(&c, pkt->data, pkt->len, pkt->mtu, next_id(o->stage));

	why = buffers_take(pool, fragments, n, core_cut_frame_max(&c));
	if (why != TP_DROP_none) {
		stage_drop_count(o->stage, why, 1);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = fragments[i];

		m->data_len = (uint16_t)core_cut_next(&c, rte_pktmbuf_mtod(m, uint8_t *));
		m->pkt_len = m->data_len;
		txqueue_put(o, pkt->tx_port, m, loop);
	}
	tp_count(&stats->path_packets[TP_PATH_cut], 1);
	tp_count(&stats->path_octets[TP_PATH_cut], pkt->len);
}
