// SPDX-License-Identifier: BSD-3-Clause
// Checks of a running stream, asked for by lines on standard input; each is answered by a line of
// JSON on standard output:
//
//   check SECONDS   refreshes allocation, permission and channel of every client, and waits for the
//                   answers and for a packet of each flow that was sent after the question, at most
//                   that long
//   request KIND    a request of the first client, as --at sends it at a time set beforehand
//   mark            begins the measurement of silences anew
//
// The end of the input ends the stream.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sm_run;

struct sm_ask {
	bool checking;
	char line[64];
	unsigned line_len;
	uint64_t asked_ns, until_ns;
	uint64_t marked_ns;
};

// Takes what has come and answers what is known.
void sm_ask_tick(struct sm_ask *a, struct sm_run *r, uint64_t now_ns);
