// SPDX-License-Identifier: BSD-3-Clause
// A request for a capture of the observed call.
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
