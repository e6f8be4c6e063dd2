// SPDX-License-Identifier: BSD-3-Clause
// Traces the packets of one client. A worker looks at one word per burst; only while a trace is
// armed do its packets go through the stages one by one, with the cycle counter read around each.
// Housekeeping arms, disarms and takes the records; workers write them, each to a ring of its own.
#pragma once

#include <stdatomic.h>

#include <stage/stage.h>
#include <turnpike/trace.h>

#define TRACE_RING 256u // records; a power of two

struct trace_ring {
	_Atomic uint32_t head TP_ALIGNED(64); // the worker's
	_Atomic uint32_t lost;
	_Atomic uint32_t tail TP_ALIGNED(64); // housekeeping's
	struct tp_trace_record records[TRACE_RING];
};

struct trace {
	_Atomic uint32_t armed;	    // number of the trace; 0: none
	_Atomic uint32_t left;	    // packets; wraps below 0 when workers meet
	_Atomic uint64_t client[3]; // the request's, octet by octet
	uint64_t until_ns;	    // housekeeping's
	unsigned n_workers;
	struct trace_ring *rings;
};

// -ENOMEM.
int trace_init(struct trace *t, unsigned n_workers);
void trace_fini(struct trace *t);

// A request that makes no sense, and one for 0 packets, disarms.
void trace_arm(struct trace *t, const struct tp_trace_request *r, uint64_t now_ns);
// Disarms when the time is over.
void trace_tick(struct trace *t, uint64_t now_ns);
// The oldest record of any worker; false: there is none.
bool trace_take(struct trace *t, struct tp_trace_record *out);

// NULL: never.
static inline bool trace_is_armed(const struct trace *t)
{
	return t != NULL && atomic_load_explicit(&t->armed, memory_order_relaxed) != 0;
}

// In place of stage_run, by worker `w->id`.
void trace_run(struct trace *t, struct stage_worker *w, struct stage_pkt *pkts, unsigned n,
	uint64_t now_ns);
