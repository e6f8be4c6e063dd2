// SPDX-License-Identifier: BSD-3-Clause
// The server's outputs: the one message that an input can cause, and a queue of events. The queue
// owns nothing: the allocations that its events name are the server's.
#pragma once

#include <turn/server.h>

struct turn_allocation;

// Room for any response: a REALM of 763 bytes is the largest part, and PADDING may make one as long
// as the longest request.
#define TURN_RESPONSE_MAX 1984u

struct turn_event {
	struct turn_allocation *allocation;
	enum turn_out_kind kind;
	enum turn_close_reason reason;
	uint64_t ticket; // LOOKUP
	uint32_t ref;	 // MOVED: the one before
	struct tp_session_order order;
};

struct turn_outs {
	struct turn_event *events; // ring
	size_t cap;		   // 0 or a power of two
	size_t head;
	size_t n;
	struct turn_tuple to; // of message and refusal
	struct turn_refusal refusal;
	bool refused;		       // a refusal waits
	struct tp_session_order order; // handed out last
	struct tp_session_order join;  // that takes the message along; kind 0: it is sent
	size_t message_len;	       // 0: no message waits
	uint8_t message[TURN_RESPONSE_MAX];
	struct turn_allocation_record record; // of the event handed out last
};

void turn_outs_fini(struct turn_outs *o);
// Queues an event; false without memory for it.
bool turn_outs_add(struct turn_outs *o, struct turn_event event);
// Takes the oldest event; false: there is none.
bool turn_outs_take(struct turn_outs *o, struct turn_event *event);
