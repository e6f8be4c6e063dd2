// SPDX-License-Identifier: BSD-3-Clause
// The clients' requests through the rings and their answers back, by a thread of its own, while the
// calling thread is the control process.
#pragma once

#include "setup.h"
#include "client.h"
#include "relay.h"

// Called once by the control thread, when half of the answers are there, and after each step of the
// loop from then on, until it returns false. NULL: none.
struct bench_drive_guest {
	bool (*step)(void *ctx);
	void *ctx;
};

// Each client's requests from stage `from` up to and without `to`, one after the other; many
// clients at a time. The calling thread stays on `core`, the clients' on any other. *b: the time
// from the first request to the last answer. -ETIMEDOUT when answers stay out.
int bench_drive(struct bench_relay *relay, struct bench_clients *c, enum bench_stage from,
	enum bench_stage to, int core, struct bench_setup_batch *b);
// Likewise, with a guest. *longest_us: the longest wait for an answer.
int bench_drive_with(struct bench_relay *relay, struct bench_clients *c, enum bench_stage from,
	enum bench_stage to, int core, const struct bench_drive_guest *guest, double *longest_us);

// Everything that the relay keeps comes to its end at once, `ahead_s` from now, while nobody asks
// it for anything: steps of its loop until nothing is left. -ETIMEDOUT after a minute.
int bench_drive_end(struct bench_relay *relay, uint32_t ahead_s, struct bench_setup_steps *steps);
