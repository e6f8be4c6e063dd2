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
