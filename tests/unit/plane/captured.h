// SPDX-License-Identifier: BSD-3-Clause
// A request for a capture of the watched call.
#pragma once

#include "watched.h"

static inline struct tp_capture_request captured_request(const struct call *c, uint32_t frames)
{
	return (struct tp_capture_request){.magic = TP_CAPTURE_REQUEST_MAGIC,
		.number = 7,
		.frames = frames,
		.seconds = 5,
		.n_relayed = 1,
		.client = c->client,
		.listener = c->listener,
		.relayed = {c->relayed}};
}
