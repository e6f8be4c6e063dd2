// SPDX-License-Identifier: BSD-3-Clause
#include "item.h"

#define ETH_LEN 14u

void item_send(struct item *it, const struct core_out *out, uint8_t port)
{
	struct stage_pkt *pkt = it->pkt;

	pkt->data = out->ip - ETH_LEN;
	pkt->len = (uint16_t)(out->len + ETH_LEN);
	pkt->headroom = (uint16_t)(pkt->data - it->in.low);
	pkt->tailroom = (uint16_t)(it->in.high - pkt->data - pkt->len);
	pkt->tx_port = port;
	pkt->verdict = STAGE_SEND;
	it->state = ITEM_DONE;
}

// The entry that the outgoing headers come from.
static inline const struct tp_entry *leaving_entry(const struct item *it)
{
	switch (it->put) {
	case PUT_PEER:
		return it->sent_by;
	case PUT_CHANNEL:
		return it->received_by;
	default:
		return it->allocation;
	}
}

// `leaving` is leaving_entry().
static inline enum tp_drop rewrite(
	struct burst *b, struct item *it, const struct tp_entry *leaving, struct core_out *out)
{
	struct core_context *c = &b->w->context;
	const struct core_packet *p = &it->in;

	switch (it->take * 4 + it->put) {
	case TAKE_CHANNEL * 4 + PUT_PEER:
		return core_channel_to_peer(c, p, leaving, out);
	case TAKE_DATAGRAM * 4 + PUT_CHANNEL:
		return core_peer_to_channel(c, p, leaving, out);
	case TAKE_SEND * 4 + PUT_PEER:
		return core_send_to_peer(c, p, &it->send, it->client, leaving, out);
	case TAKE_DATAGRAM * 4 + PUT_DATA:
		return core_peer_to_data(c, p, it->received_by, leaving, out);
	case TAKE_CHANNEL * 4 + PUT_CHANNEL:
		return core_channel_to_channel(c, p, it->sent_by, leaving, out);
	case TAKE_CHANNEL * 4 + PUT_DATA:
		return core_channel_to_data(c, p, it->sent_by, leaving, &it->shown, out);
	case TAKE_SEND * 4 + PUT_CHANNEL:
		return core_send_to_channel(c, p, &it->send, it->client, leaving, out);
	default:
		return core_send_to_data(c, p, &it->send, it->client, leaving, &it->shown, out);
	}
}

static inline void count_cell(struct burst *b, const struct tp_entry *e, uint32_t octets)
{
	struct tp_cell *cell = &b->w->cells[e - b->w->table.entries];

	tp_count(&cell->packets, 1);
	tp_count(&cell->octets, octets);
}

static inline void count(struct burst *b, const struct item *it, uint32_t octets)
{
	if (it->take != TAKE_DATAGRAM) {
		count_cell(b, it->sent_by, octets);
		burst_count(b,
			it->take == TAKE_CHANNEL ? TP_PATH_channel_to_peer : TP_PATH_send_to_peer,
			octets);
	}
	if (it->put == PUT_CHANNEL) {
		count_cell(b, it->received_by, octets);
		burst_count(b, TP_PATH_peer_to_channel, octets);
	} else if (it->put == PUT_DATA) {
		count_cell(b, it->allocation, octets);
		burst_count(b, TP_PATH_peer_to_data, octets);
	}
	if (it->hairpin)
		burst_count(b, TP_PATH_hairpin, octets);
}

static inline void forward(struct burst *b, struct item *it)
{
	const struct stage_worker *w = b->w;
	const struct tp_entry *leaving = leaving_entry(it);
	enum tp_drop why;
	struct core_out out;
	uint8_t mac[6], port;

	why = next_hop_resolve(
		w, atomic_load_explicit(&leaving->next_hop, memory_order_relaxed), mac, &port);
	if (why == TP_DROP_none)
		why = rewrite(b, it, leaving, &out);
	if (why == TP_DROP_none && out.len > w->ports[port].mtu)
		why = TP_DROP_too_big;
	if (why != TP_DROP_none) {
		item_drop(b, it, why);
		return;
	}
	core_ethernet_write(&out, mac, w->ports[port].mac);
	item_send(it, &out, port);
	count(b, it, out.payload_len);
}

void burst_forward(struct burst *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		// An item still open asked more than there are questions: never with sane code.
		if (b->items[i].state == ITEM_READY)
			forward(b, &b->items[i]);
		else if (b->items[i].state == ITEM_OPEN)
			item_drop(b, &b->items[i], TP_DROP_table_corrupt);
	}
}
