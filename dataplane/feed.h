// SPDX-License-Identifier: BSD-3-Clause
// From the rings of a capture to the socket of its reader. It never waits: what a slow reader does
// not take stays in the rings until they are full. Housekeeping's thread only.
#pragma once

#include "capture.h"

struct feed {
	int fd; // the reader's socket; -1: nobody captures
	uint64_t until_ns;
	uint32_t cause; // enum tp_capture_end_cause
	bool ending;	// disarmed; what is in the rings goes out, then the END
	size_t len;	// octets of `message` that wait; 0: none
	uint8_t message[TP_CAPTURE_MESSAGE_MAX] TP_ALIGNED(8);
};

void feed_init(struct feed *f);
// Takes over `fd` (-1: there came none) and starts, or tells it why not and closes it. A request
// for no frames ends the capture of its number.
void feed_ask(struct feed *f, struct capture *c, const struct tp_capture_request *r, int fd,
	uint64_t now_ns);
// Ends the capture for this reason, if there is one.
void feed_end(struct feed *f, struct capture *c, enum tp_capture_end_cause cause, uint64_t now_ns);
// Sends what there is.
void feed_tick(struct feed *f, struct capture *c, uint64_t now_ns);
// Says the END where the reader takes it, and closes.
void feed_fini(struct feed *f, struct capture *c);
