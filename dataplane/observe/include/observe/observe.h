// SPDX-License-Identifier: BSD-3-Clause
// Observers of the packet path: a trace, a capture, or both. Without any, a worker pays one branch
// per burst and one per batch sent.
#pragma once

#include <observe/capture.h>
#include <observe/stream.h>
#include <observe/trace.h>

struct observe {
	struct trace trace;
	struct capture capture;
	struct stream traced; // of the trace; housekeeping's
	struct stream captured;
};

union observe_request {
	struct tp_observe_request ask;
	struct tp_trace_request trace;
	struct tp_capture_request capture;
};

// -ENOMEM.
int observe_init(struct observe *o, unsigned n_workers);
// Tells the readers that the data plane stops.
void observe_fini(struct observe *o, uint64_t now_ns);

// Bytes of a request that begins with this magic; 0: there is none.
size_t observe_request_size(uint32_t magic);
// Takes over `fd` (-1: there came none) and starts, or tells it why not and closes it. A trace ends
// the one before; a second capture is refused.
void observe_ask(struct observe *o, const union observe_request *r, int fd, uint64_t now_ns);
// The control process is gone. Nobody would tell when another allocation gets the addresses of the
// one that is captured, so the capture ends.
void observe_control_left(struct observe *o, uint64_t now_ns);
// Sends the records there are.
void observe_tick(struct observe *o, uint64_t now_ns);

// NULL: never.
static inline bool observe_is_on(const struct observe *o)
{
	return __builtin_expect(
		o != NULL && (observe_records_are_armed(&o->trace.records) ||
				     observe_records_are_armed(&o->capture.records)),
		0);
}

// In place of stage_run, at most STAGE_BURST frames.
void observe_run(struct observe *o, struct stage_worker *w, struct stage_pkt *pkts, unsigned n,
	uint64_t now_ns);
// In place of stage_run_messages, likewise.
void observe_run_messages(struct observe *o, struct stage_worker *w, struct stage_pkt *pkts,
	const struct stage_message *messages, unsigned n, uint64_t now_ns);
// In place of stage_edge_give.
void observe_give(struct observe *o, struct stage_worker *w, uint64_t now_ns);
