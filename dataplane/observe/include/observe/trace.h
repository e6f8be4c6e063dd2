// SPDX-License-Identifier: BSD-3-Clause
// Traces the packets of one client. While a trace is armed, packets go through the stages one by
// one, with the cycle counter read around each.
#pragma once

#include <observe/records.h>
#include <stage/stage.h>
#include <turnpike/trace.h>

#define TRACE_RING (1u << 15) // bytes per worker

struct trace {
	struct records records;
	_Atomic uint64_t client[3]; // the request's, byte by byte
};

// Housekeeping: whether a request can be served; observe_trace_arm as observe_records_arm.
bool observe_trace_request_is_right(const struct tp_trace_request *r);
int observe_trace_arm(struct trace *t, const struct tp_trace_request *r);

// In place of stage_run, by worker `w->id`.
void observe_trace_run(struct trace *t, struct stage_worker *w, struct stage_pkt *pkts, unsigned n,
	uint64_t now_ns);
