// SPDX-License-Identifier: BSD-3-Clause
// Set-up of a stream: one request at a time, blocking.
#pragma once

#include "run.h"

// Waits up to 20 ms for answers to a relayed end, and retransmits due requests. Data is dropped.
void sm_end_wait(struct sm_end *e, uint64_t now_ns);
// Opens both ends, allocates, installs permission and channel. Negative errno after a message.
int sm_stream_setup(struct sm_stream *s, const struct sm_options *o, uint16_t number);
