// SPDX-License-Identifier: BSD-3-Clause
// What the server has to say: the one message that an input can cause, and a queue of events.
#pragma once

#include <turn/server.h>

struct turn_allocation;
struct turn_server;

// Room for any response: a REALM of 763 octets is the largest part.
#define TURN_RESPONSE_MAX 1280u

struct turn_event {
	struct turn_allocation *allocation;
	enum turn_out_kind kind;
	enum turn_close_reason reason;
};

struct turn_outs {
	struct turn_event *events; // ring
	size_t cap;		   // 0 or a power of two
	size_t head;
	size_t n;
	struct turn_tuple to; // of message and refusal
	struct turn_refusal refusal;
	bool refused;	    // a refusal waits
	size_t message_len; // 0: no message waits
	uint8_t message[TURN_RESPONSE_MAX];
	struct turn_allocation_record record; // of the event handed out last
};

void turn_outs_fini(struct turn_server *s);
// Queues an event. Without memory for it the event is lost, nothing else.
void turn_outs_opened(struct turn_server *s, struct turn_allocation *a);
// Takes the allocation over: it returns to its pool when the event has been handed out.
void turn_outs_closed(
	struct turn_server *s, struct turn_allocation *a, enum turn_close_reason reason);
