// SPDX-License-Identifier: BSD-3-Clause
#include "forward.h"

void item_channel_forward(struct burst *b, struct item *it, enum way way, uint32_t index)
{
	const struct tp_entry *e = entry_at(b, index);
	const struct way_entries entries = {.leaving = e,
		.sent_by = e,
		.received_by = e,
		.leaving_index = index,
		.sent_index = index};

	if (way == WAY_CHANNEL_TO_PEER)
		forward(b, it, WAY_CHANNEL_TO_PEER, &entries);
	else
		forward(b, it, WAY_PEER_TO_CHANNEL, &entries);
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

// `index`: the receiver's PEER, or PERMISSION where there is no channel.
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
