// SPDX-License-Identifier: BSD-3-Clause
#include <observe/observe.h>

#include <unistd.h>

int observe_init(struct observe *o, unsigned n_workers)
{
	int err;

	memset(o, 0, sizeof(*o));
	observe_stream_init(&o->traced, &o->trace.records);
	observe_stream_init(&o->captured, &o->capture.records);
	err = observe_records_init(&o->trace.records, n_workers, TRACE_RING);
	return err != 0 ? err : observe_records_init(&o->capture.records, n_workers, CAPTURE_RING);
}

void observe_fini(struct observe *o, uint64_t now_ns)
{
	observe_stream_stop(&o->traced, TP_OBSERVE_STOPPED, now_ns);
	observe_stream_stop(&o->captured, TP_OBSERVE_STOPPED, now_ns);
	observe_records_fini(&o->trace.records);
	observe_records_fini(&o->capture.records);
}

size_t observe_request_size(uint32_t magic)
{
	switch (magic) {
	case TP_TRACE_REQUEST_MAGIC:
		return sizeof(struct tp_trace_request);
	case TP_CAPTURE_REQUEST_MAGIC:
		return sizeof(struct tp_capture_request);
	default:
		return 0;
	}
}

static enum tp_observe_state trace_try(
	struct observe *o, const struct tp_trace_request *r, uint64_t now_ns)
{
	if (!observe_trace_request_is_right(r))
		return TP_OBSERVE_UNUSABLE;
	observe_stream_stop(&o->traced, TP_OBSERVE_ENDED, now_ns);
	return observe_trace_arm(&o->trace, r) == 0 ? TP_OBSERVE_RUNS : TP_OBSERVE_NO_MEMORY;
}

static enum tp_observe_state capture_try(struct observe *o, const struct tp_capture_request *r)
{
	if (o->captured.fd >= 0)
		return TP_OBSERVE_BUSY;
	if (!observe_capture_request_is_right(r))
		return TP_OBSERVE_UNUSABLE;
	return observe_capture_arm(&o->capture, r) == 0 ? TP_OBSERVE_RUNS : TP_OBSERVE_NO_MEMORY;
}

void observe_ask(struct observe *o, const union observe_request *r, int fd, uint64_t now_ns)
{
	bool trace = r->ask.magic == TP_TRACE_REQUEST_MAGIC;
	struct stream *s = trace ? &o->traced : &o->captured;

	if (r->ask.count == 0 && (r->ask.number == 0 || r->ask.number == s->records->number))
		observe_stream_end(s, TP_OBSERVE_ENDED, now_ns);
	if (r->ask.count == 0 || fd < 0 || !observe_stream_is_reader(fd)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	observe_stream_begin(s, fd,
		trace ? trace_try(o, &r->trace, now_ns) : capture_try(o, &r->capture),
		r->ask.seconds, now_ns);
}

void observe_control_left(struct observe *o, uint64_t now_ns)
{
	observe_stream_end(&o->captured, TP_OBSERVE_ALONE, now_ns);
}

void observe_tick(struct observe *o, uint64_t now_ns)
{
	observe_stream_tick(&o->traced, now_ns);
	observe_stream_tick(&o->captured, now_ns);
}

void observe_run(struct observe *o, struct stage_worker *w, struct stage_pkt *pkts, unsigned n,
	uint64_t now_ns)
{
	struct capture_burst burst;

	observe_capture_before(&o->capture, &burst, w->id, pkts, n, now_ns);
	if (observe_records_are_armed(&o->trace.records))
		observe_trace_run(&o->trace, w, pkts, NULL, n, now_ns);
	else
		stage_run(w, pkts, n, now_ns);
	observe_capture_after(&o->capture, &burst, w->id, pkts);
}

void observe_run_messages(struct observe *o, struct stage_worker *w, struct stage_pkt *pkts,
	const struct stage_message *messages, unsigned n, uint64_t now_ns)
{
	struct capture_burst burst;

	observe_capture_messages(&o->capture, &burst, w->id, pkts, messages, n, now_ns);
	if (observe_records_are_armed(&o->trace.records))
		observe_trace_run(&o->trace, w, pkts, messages, n, now_ns);
	else
		stage_run_messages(w, pkts, messages, n, now_ns);
	observe_capture_after(&o->capture, &burst, w->id, pkts);
}

void observe_give(struct observe *o, struct stage_worker *w, uint64_t now_ns)
{
	struct capture_burst burst;

	observe_capture_giving(&o->capture, &burst, w->id, w->stream_out, w->n_stream_out, now_ns);
	stage_edge_give(w, now_ns);
	observe_capture_given(&o->capture, &burst, w->id, w->stream_out);
}
