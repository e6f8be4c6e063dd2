// SPDX-License-Identifier: BSD-3-Clause
// One direction of a stream: numbered payloads, and their fate. Sender and receiver are the same
// process, so both sides of the count, and the delay between them, are exact.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SM_PAYLOAD_MIN 24u
#define SM_PAYLOAD_MAX 1400u

struct sm_flow {
	uint16_t stream;
	uint8_t direction;
	uint32_t capacity;
	uint32_t *delay_us; // per number: 0 not seen, else delay in microseconds plus one
	uint32_t sent, send_errors;
	uint32_t received, duplicated, reordered, corrupt;
	uint32_t highest;	    // highest number seen plus one
	uint64_t last_ns;	    // of the latest arrival, 0 before the first
	uint64_t gap_ns, gap_at_ns; // longest silence between two arrivals, and when it began
	// The same since a mark, and when it ended; and the number sent when a check began.
	uint64_t silence_ns, silence_end_ns;
	uint32_t asked;
};

// Room for `capacity` numbers: 0 or -ENOMEM.
int sm_flow_init(struct sm_flow *f, uint16_t stream, uint8_t direction, uint32_t capacity);
void sm_flow_fini(struct sm_flow *f);

// Writes payload number f->sent; the caller counts it by sm_flow_sent.
void sm_flow_write(const struct sm_flow *f, uint8_t *payload, size_t len, uint64_t now_ns);
void sm_flow_sent(struct sm_flow *f, int result);
void sm_flow_take(struct sm_flow *f, const uint8_t *payload, size_t len, uint64_t now_ns);

uint32_t sm_flow_lost(const struct sm_flow *f);
// Longest run of consecutive numbers that never arrived.
uint32_t sm_flow_longest_loss(const struct sm_flow *f);
