// SPDX-License-Identifier: BSD-3-Clause
// Shared by client.c (requests) and answer.c (answers).
#pragma once

#include <load/client.h>

#define LOAD_NO_FLIGHT UINT32_MAX // of a slot without a request

struct load_client {
	struct load_client_options o;
	uint32_t n, live;
	struct load_slot *slots;
	// Waiting to begin, first in, first out; each slot at most once.
	uint32_t *queue, queue_head, queue_len;
	// To be deleted when their media has run dry; in the order of next_ns.
	uint32_t *quiet, quiet_head, quiet_len;
	uint32_t *flights, n_flights;
	uint32_t next_client; // that was never used, or longest ago
	uint32_t renew_at;
	uint64_t scanned_ns;
	char realm[128];
	uint8_t key[16];
	struct load_client_counts counts;
};

// The slot's request of that state, in place of the one that is in flight, if one is.
void load_client_begin(
	struct load_client *c, struct load_slot *s, enum load_state state, uint64_t now_ns);
// The slot's request is over.
void load_client_end(struct load_client *c, struct load_slot *s, enum load_state state);
void load_client_give_up(struct load_client *c, struct load_slot *s);
// The slot waits for its turn to be set up.
void load_client_queue(struct load_client *c, struct load_slot *s);
