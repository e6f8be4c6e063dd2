// SPDX-License-Identifier: BSD-3-Clause
// A request for a capture of the observed call, and the records of captures.
#pragma once

#include "observed.h"

static inline struct tp_capture_request captured_request(const struct call *c, uint32_t frames)
{
	return (struct tp_capture_request){
		.ask = {TP_CAPTURE_REQUEST_MAGIC, 7, frames, 5},
		.n_relayed = 1,
		.client = c->client,
		.listener = c->listener,
		.relayed = {c->relayed},
	};
}

// The next record, in a buffer that is good until the next call. NULL: there is none.
static inline const struct tp_capture_record *captured_take(void)
{
	static uint8_t room[TP_OBSERVE_MESSAGE_MAX] TP_ALIGNED(8);
	static size_t len, at;
	const struct tp_capture_record *rec;

	if (at == len) {
		at = 0;
		len = observe_records_take(&observed.capture.records, room, sizeof(room));
	}
	if (at == len)
		return NULL;
	rec = (const struct tp_capture_record *)(room + at);
	at += rec->head.size;
	return rec;
}
