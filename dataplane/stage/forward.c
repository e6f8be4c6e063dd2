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

static const struct tp_entry *entry_at(const struct burst *b, uint32_t index)
{
	return &b->w->table.entries[index];
}

// The entry that the outgoing headers come from.
static const struct tp_entry *leaving_entry(const struct burst *b, const struct item *it)
{
	switch (it->put) {
	case PUT_PEER:
		return entry_at(b, it->sent_by);
	case PUT_CHANNEL:
		return entry_at(b, it->received_by);
	default:
		return entry_at(b, it->allocation);
	}
}

static enum tp_drop rewrite_channel(struct burst *b, struct item *it, struct core_out *out)
{
	struct core_context *c = &b->w->context;
	const struct tp_entry *channel = entry_at(b, it->sent_by);
	const struct tp_entry *leaving = leaving_entry(b, it);

	switch (it->put) {
	case PUT_PEER:
		return core_channel_to_peer(c, &it->in, channel, out);
	case PUT_CHANNEL:
		return core_channel_to_channel(c, &it->in, channel, leaving, out);
	default:
		return core_channel_to_data(c, &it->in, channel, leaving, &it->shown, out);
	}
}

static enum tp_drop rewrite_send(struct burst *b, struct item *it, struct core_out *out)
{
	struct core_context *c = &b->w->context;
	const struct tp_entry *client = entry_at(b, it->client);
	const struct tp_entry *leaving = leaving_entry(b, it);

	switch (it->put) {
	case PUT_PEER:
		return core_send_to_peer(c, &it->in, &it->send, client, leaving, out);
	case PUT_CHANNEL:
		return core_send_to_channel(c, &it->in, &it->send, client, leaving, out);
	default:
		return core_send_to_data(c, &it->in, &it->send, client, leaving, &it->shown, out);
	}
}

static enum tp_drop rewrite(struct burst *b, struct item *it, struct core_out *out)
{
	struct core_context *c = &b->w->context;

	switch (it->take) {
	case TAKE_CHANNEL:
		return rewrite_channel(b, it, out);
	case TAKE_SEND:
		return rewrite_send(b, it, out);
	default:
		if (it->put == PUT_CHANNEL)
			return core_peer_to_channel(c, &it->in, entry_at(b, it->received_by), out);
		return core_peer_to_data(
			c, &it->in, entry_at(b, it->received_by), entry_at(b, it->allocation), out);
	}
}

static void count_cell(struct burst *b, uint32_t index, uint32_t octets)
{
	struct tp_cell *cell = &b->w->cells[index];

	tp_count(&cell->packets, 1);
	tp_count(&cell->octets, octets);
}

static void count(struct burst *b, const struct item *it, uint32_t octets)
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

void item_forward(struct burst *b, struct item *it)
{
	const struct stage_worker *w = b->w;
	const struct tp_entry *leaving = leaving_entry(b, it);
	enum tp_drop why;
	struct core_out out;
	uint8_t mac[6], port;

	why = next_hop_resolve(
		w, atomic_load_explicit(&leaving->next_hop, memory_order_relaxed), mac, &port);
	if (why == TP_DROP_none)
		why = rewrite(b, it, &out);
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
