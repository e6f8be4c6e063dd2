// SPDX-License-Identifier: BSD-3-Clause
// The run: set-up of every stream, the timed loop, the requests in between.
#pragma once

#include <signal.h>

#include "ask.h"
#include "end.h"
#include "flow.h"
#include "options.h"

struct sm_stream {
	struct sm_end client, peer;
	struct sm_flow up;   // client to peer; with an echo peer: there and back
	struct sm_flow down; // peer to client; unused with an echo peer
	uint64_t next_up_ns, next_down_ns;
	bool peer_started;
};

struct sm_run {
	const struct sm_options *options;
	struct sm_stream *streams;
	uint64_t start_ns, end_ns; // of sending
	double started_at;	   // wall clock at start_ns, in seconds
	volatile sig_atomic_t *stop;
	struct sm_ask ask;
};

// Opens sockets, allocates, installs permissions and channels. Negative errno after a message.
int sm_run_init(struct sm_run *r, const struct sm_options *o, volatile sig_atomic_t *stop);
void sm_run_fini(struct sm_run *r);
// Sends and receives until the time is over or *stop, then drains and frees the allocations.
void sm_run_go(struct sm_run *r);
uint64_t sm_now_ns(void);
