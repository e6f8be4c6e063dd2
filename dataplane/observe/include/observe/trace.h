// SPDX-License-Identifier: BSD-3-Clause
// Traces the packets of one client. While a trace is armed, packets go through the stages one by
// one, with the cycle counter read around each.
#pragma once

#include <observe/records.h>
#include <stage/stage.h>
#include <turnpike/trace.h>

#define TRACE_RING	  (1u << 15) // bytes per worker

#define TRACE_CONNECTIONS 64u // of the client, that a trace knows

// A stream client as the records name it.
struct trace_client {
	struct tp_addr remote;
	struct tp_addr listener;
	uint8_t transport; // TP_TRANSPORT_*
	uint8_t reserved[7];
};
TP_ASSERT_SIZE(struct trace_client, 48);

// A connection of the traced client from which a message has come: a message for it has nothing but
// the handle. One that meets another's place takes it.
struct trace_connection {
	_Atomic uint64_t handle; // 0: none
	_Atomic uint64_t client[sizeof(struct trace_client) / 8];
};

struct trace {
	struct records records;
	_Atomic uint64_t client[3]; // the request's, byte by byte
	struct trace_connection connections[TRACE_CONNECTIONS];
};

// Housekeeping: whether a request can be served; observe_trace_arm as observe_records_arm.
bool observe_trace_request_is_right(const struct tp_trace_request *r);
int observe_trace_arm(struct trace *t, const struct tp_trace_request *r);

// In place of stage_run, or with messages of stage_run_messages, by worker `w->id`.
void observe_trace_run(struct trace *t, struct stage_worker *w, struct stage_pkt *pkts,
	const struct stage_message *messages, unsigned n, uint64_t now_ns);
