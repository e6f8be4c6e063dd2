// SPDX-License-Identifier: BSD-3-Clause
#include "watch.h"

int watch_init(struct watch *watch, unsigned n_workers)
{
	int err = trace_init(&watch->trace, n_workers);

	return err != 0 ? err : capture_init(&watch->capture, n_workers);
}

void watch_fini(struct watch *watch)
{
	capture_fini(&watch->capture);
	trace_fini(&watch->trace);
}

void watch_run(struct watch *watch, struct stage_worker *w, struct stage_pkt *pkts, unsigned n,
	uint64_t now_ns)
{
	struct capture_burst burst;

	capture_before(&watch->capture, &burst, w->id, pkts, n, now_ns);
	if (trace_is_armed(&watch->trace))
		trace_run(&watch->trace, w, pkts, n, now_ns);
	else
		stage_run(w, pkts, n, now_ns);
	capture_after(&watch->capture, &burst, w->id, pkts);
}
