// SPDX-License-Identifier: BSD-3-Clause
// Packets between two clients of this relay: they never leave the worker in between. The fast path
// has its own for channels at both ends (fast.h).
#include "forward.h"

void hairpin_enter(struct burst *b, struct pkt_ctx *p, uint16_t relay_id, uint16_t port_be,
	uint16_t to_relay_id, uint16_t to_port_be)
{
	const struct local_record *from = locals_relay(b->locals, relay_id);
	struct tp_addr *shown;

	if (from == NULL) {
		pkt_drop(b, p, TP_DROP_table_corrupt);
		return;
	}
	if (locals_relay(b->locals, to_relay_id) == NULL) {
		local_send(b, p);
		return;
	}
	p->hairpin = true;
	p->local_id = to_relay_id;
	p->port_be = to_port_be;
	shown = &pkt_cold(b, p)->shown;
	*shown = from->external;
	shown->port_be = port_be;
	p->lookup.key = tp_key_peer(shown, to_relay_id, to_port_be);
	lookup_enqueue(b, p, STEP_PEER);
}

void hairpin_forward(struct burst *b, struct pkt_ctx *p, uint32_t index, bool channel)
{
	const struct tp_entry *received_by = entry_at(b, index);
	const struct direction_entries e = {
		.leaving = channel ? received_by : entry_at(b, p->allocation),
		.sent_by = entry_at(b, p->sent_by),
		.received_by = received_by,
		.client = entry_at(b, p->client),
		.leaving_index = channel ? index : p->allocation,
		.sent_index = p->sent_by,
	};

	if (p->form == FORM_CHANNEL)
		forward(b, p, channel ? DIR_CHANNEL_TO_CHANNEL : DIR_CHANNEL_TO_DATA, &e);
	else
		forward(b, p, channel ? DIR_SEND_TO_CHANNEL : DIR_SEND_TO_DATA, &e);
}
