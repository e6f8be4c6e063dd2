// SPDX-License-Identifier: BSD-3-Clause
#include <worker/whole.h>

#include <core/cut.h>
#include <core/put.h>
#include <io/twin.h>
#include <worker/cut.h>

#define KERNEL_FRAME_MAX 9700u // of the largest MTU that a port can have

static void give(
	const struct whole_way *way, struct io_twin *twin, const uint8_t *frame, uint32_t len)
{
	if (!io_twin_give(twin, way->stage->id, frame, (uint16_t)len))
		stage_drop_count(way->stage, TP_DROP_kernel_full, 1);
}

static void give_kernel(const struct whole_way *way, const struct stage_pkt *pkt)
{
	struct io_twin *twin = way->ports[pkt->rx_port].twin;
	uint32_t mtu = way->stage->ports[pkt->rx_port].mtu, len, txid[3];
	uint8_t frame[KERNEL_FRAME_MAX];
	struct core_cut c;

	if (twin == NULL)
		return;
	if (pkt->len <= mtu + 14u) {
		give(way, twin, pkt->data, pkt->len);
		return;
	}
	core_txid_next(&way->stage->context, txid);
	if (core_cut_begin(&c, pkt->data, pkt->len, mtu, txid[0]) == 0 ||
		core_cut_frame_max(&c) > sizeof(frame)) {
		stage_drop_count(way->stage, TP_DROP_kernel_full, 1);
		return;
	}
	while ((len = core_cut_next(&c, frame)) != 0)
		give(way, twin, frame, len);
}

static void send(const struct whole_way *way, const struct stage_pkt *pkt, uint64_t loop)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(way->pool);
	uint8_t *data = m == NULL ? NULL : (uint8_t *)rte_pktmbuf_append(m, pkt->len);

	if (data == NULL) {
		rte_pktmbuf_free(m);
		stage_drop_count(way->stage, TP_DROP_no_memory, 1);
		return;
	}
	memcpy(data, pkt->data, pkt->len);
	txqueue_put(way->txqueue, pkt->tx_port, m, loop);
}

void whole_run(const struct whole_way *way, struct stage_pkt *pkt, uint64_t now_ns, uint64_t loop)
{
	way->stage->whole = true;
	if (observe_is_on(way->observe))
		observe_run(way->observe, way->stage, pkt, 1, now_ns);
	else
		stage_run(way->stage, pkt, 1, now_ns);
	way->stage->whole = false;
	// Its memory is the table's: a message for a stream client leaves now.
	if (way->stage->n_stream_out > 0) {
		if (observe_is_on(way->observe))
			observe_give(way->observe, way->stage, now_ns);
		else
			stage_edge_give(way->stage, now_ns);
	}
	switch (pkt->verdict) {
	case STAGE_SEND:
		send(way, pkt, loop);
		break;
	case STAGE_CUT:
		worker_cut(way->txqueue, way->pool, pkt, loop);
		break;
	case STAGE_LOCAL:
		give(way, way->local, pkt->data, pkt->len);
		break;
	case STAGE_KERNEL:
		give_kernel(way, pkt);
		break;
	default:
		break;
	}
}
