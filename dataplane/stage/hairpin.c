// SPDX-License-Identifier: BSD-3-Clause
// Packets between two clients of this relay: they turn round inside the worker and leave once.
#include "forward.h"

void item_turn_round(struct burst *b, struct item *it, uint16_t relay_id, uint16_t port_be,
	uint16_t to_relay_id, uint16_t to_port_be)
{
	const struct local_record *from = locals_relay(b->locals, relay_id);
	struct tp_addr *shown;

	if (from == NULL) {
		item_drop(b, it, TP_DROP_table_corrupt);
		return;
	}
	if (locals_relay(b->locals, to_relay_id) == NULL) {
		item_drop(b, it, TP_DROP_own_address);
		return;
	}
	it->hairpin = true;
	it->exact4 = false;
	it->local_id = to_relay_id;
	it->port_be = to_port_be;
	shown = &item_more(b, it)->shown;
	*shown = from->external;
	shown->port_be = port_be;
	it->key = tp_key_peer(shown, to_relay_id, to_port_be);
	item_ask(b, it, STEP_PEER);
}

static void forward_slow(
	struct burst *b, struct item *it, enum way way, const struct way_entries *e)
{
	switch (way) {
	case WAY_CHANNEL_TO_CHANNEL:
		forward(b, it, WAY_CHANNEL_TO_CHANNEL, e);
		break;
	case WAY_CHANNEL_TO_DATA:
		forward(b, it, WAY_CHANNEL_TO_DATA, e);
		break;
	case WAY_SEND_TO_CHANNEL:
		forward(b, it, WAY_SEND_TO_CHANNEL, e);
		break;
	default:
		forward(b, it, WAY_SEND_TO_DATA, e);
		break;
	}
}

void item_turned_forward(struct burst *b, struct item *it, uint32_t index, bool channel)
{
	const struct tp_entry *received_by = entry_at(b, index);
	const struct way_entries e = {
		.leaving = channel ? received_by : entry_at(b, it->allocation),
		.sent_by = entry_at(b, it->sent_by),
		.received_by = received_by,
		.client = entry_at(b, it->client),
		.leaving_index = channel ? index : it->allocation,
		.sent_index = it->sent_by};

	if (it->take == TAKE_CHANNEL)
		forward_slow(b, it, channel ? WAY_CHANNEL_TO_CHANNEL : WAY_CHANNEL_TO_DATA, &e);
	else
		forward_slow(b, it, channel ? WAY_SEND_TO_CHANNEL : WAY_SEND_TO_DATA, &e);
}
