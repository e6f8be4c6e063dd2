// SPDX-License-Identifier: BSD-3-Clause
#include "plane.h"

#include <stdio.h>

#include <log/log.h>

#include "clock.h"

#define TICK_NS	       (10 * TP_NS_PER_MS)
#define SECOND_NS      TP_NS_PER_S
#define STUCK_NS       TP_NS_PER_S
#define GRACE_LATE_NS  (100 * TP_NS_PER_MS)
#define SWITCHES_ALARM 1000u // involuntary ones in a second
#define REMIND_NS      (60 * TP_NS_PER_S)
#define VERIFY_SECONDS 10u

struct housekeeping {
	uint64_t next_second_ns;
	uint64_t grace_max_ns;
	uint32_t next_hop_seq;
	unsigned seconds;
	bool neighbours_pending;
};

static void log_attach(struct plane *p, enum attach_event event, const struct shm_error *err)
{
	uint64_t since = (clock_boottime_ns() - p->times.start_ns) / TP_NS_PER_MS;

	switch (event) {
	case ATTACH_DONE:
		log_event(LOG_EV_SEGMENT_ATTACHED,
			LOG_FIELDS(log_str("directory", p->attach.place.directory),
				log_u64("since_start_ms", since)));
		break;
	case ATTACH_LOST:
		log_event(LOG_EV_SEGMENT_LOST,
			LOG_FIELDS(log_u64("times", p->attach.segments_lost),
				log_str("remedy",
					"restart turnpike-control if it does not by itself")));
		break;
	case ATTACH_REPLACED:
		log_event(LOG_EV_SEGMENT_LOST,
			LOG_FIELDS(log_str("problem", "a file was replaced or removed")));
		break;
	case ATTACH_REFUSED:
		log_event(LOG_EV_SEGMENT_REFUSED,
			LOG_FIELDS(log_str("cause", shm_cause_name(err->cause)),
				log_str("problem", err->text), log_str("remedy", err->remedy)));
		break;
	case ATTACH_NOTHING:
	case ATTACH_CHANGED:
		break;
	}
}

static void tend_segment(struct plane *p)
{
	struct shm_error err = {.cause = SHM_OK};
	enum attach_event event = attach_tick(&p->attach, &err);

	log_attach(p, event, &err);
	if (event == ATTACH_DONE) {
		p->attached_ns = clock_boottime_ns();
		for (unsigned i = 0; i < p->n_ports; i++)
			attach_link(&p->attach, i, p->port_states[i].up);
	}
	if (event == ATTACH_DONE || event == ATTACH_CHANGED)
		plane_own_apply(p, &p->attach.own);
}

static void tend_trace(struct plane *p, uint64_t now_ns)
{
	struct tp_trace_record record;

	if (p->kick.asked) {
		p->kick.asked = false;
		trace_arm(&p->watch.trace, &p->kick.request, now_ns);
	}
	trace_tick(&p->watch.trace, now_ns);
	for (unsigned i = 0; i < TRACE_RING && trace_take(&p->watch.trace, &record); i++)
		(void)kick_send(&p->kick, &record);
}

static void tend_capture(struct plane *p, uint64_t now_ns)
{
	if (p->kick.capture_asked) {
		p->kick.capture_asked = false;
		feed_ask(&p->feed, &p->watch.capture, &p->kick.capture, p->kick.capture_fd, now_ns);
		p->kick.capture_fd = -1;
	}
	// Nobody would tell us when another allocation gets the addresses.
	if (p->kick.capturer < 0)
		feed_end(&p->feed, &p->watch.capture, TP_CAPTURE_ALONE, now_ns);
	feed_tick(&p->feed, &p->watch.capture, now_ns);
}

static void tend_clients(struct plane *p, uint64_t now_ns)
{
	unsigned came, went;

	kick_poll(&p->kick, &came, &went);
	for (; went > 0; went--)
		log_event(LOG_EV_CONTROL_DOWN, NULL);
	for (; came > 0; came--)
		log_event(LOG_EV_CONTROL_UP, NULL);
	tend_trace(p, now_ns);
	tend_capture(p, now_ns);
}

static void tend_neighbours(struct plane *p, struct housekeeping *h, uint64_t now_ns)
{
	const struct shm_tables *t = &p->attach.segment.tables;
	bool mapped = p->attach.mapped;
	uint32_t seq = 0;

	if (mapped)
		seq = atomic_load_explicit(&t->header->next_hop_seq, memory_order_acquire);
	if (!h->neighbours_pending && seq == h->next_hop_seq)
		return;
	h->next_hop_seq = seq;
	h->neighbours_pending = !neighbour_tick(p->neighbour, mapped ? t->next_hop_infos : NULL,
		mapped ? t->n_next_hops : 0, now_ns);
}

static uint64_t read_switches(int tid)
{
	char path[64], line[128];
	unsigned long long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "nonvoluntary_ctxt_switches: %llu", &n) == 1)
			break;
	}
	fclose(f);
	return n;
}

static void watch_worker(struct plane *p, unsigned i, uint64_t now_ns)
{
	struct plane_worker_state *w = &p->workers[i];
	struct tp_worker_stats *stats = worker_stats(w->worker, p->attach.current);
	uint64_t beat = atomic_load_explicit(&stats->heartbeat_ns, memory_order_relaxed);
	uint64_t switches = read_switches(worker_tid(w->worker));
	// A beat of before belongs to an earlier process.
	uint64_t since = beat > p->attached_ns ? beat : p->attached_ns;
	bool stuck = beat != 0 && since < now_ns && now_ns - since > STUCK_NS;

	if (stuck && !w->stuck)
		log_event(LOG_EV_WORKER_STUCK,
			LOG_FIELDS(log_u64("worker", i), log_u64("core", w->core),
				log_u64("age_ms", (now_ns - since) / TP_NS_PER_MS)));
	w->stuck = stuck;
	if (w->switches != 0 && switches > w->switches + SWITCHES_ALARM && now_ns >= w->remind_ns) {
		log_event(LOG_EV_WORKER_PREEMPTED,
			LOG_FIELDS(log_u64("worker", i), log_u64("core", w->core),
				log_u64("times_in_a_second", switches - w->switches),
				log_str("remedy", "keep other processes off this core")));
		w->remind_ns = now_ns + REMIND_NS;
	}
	w->switches = switches;
	atomic_store_explicit(&stats->involuntary_switches, switches, memory_order_relaxed);
}

static void watch_ports(struct plane *p)
{
	for (unsigned i = 0; i < p->n_ports; i++) {
		bool *up = &p->port_states[i].up;

		if (!io_port_refresh(&p->ports[i], up))
			continue;
		attach_link(&p->attach, i, *up);
		log_event(LOG_EV_PORT_LINK,
			LOG_FIELDS(log_u64("port", i), log_str("device", p->ports[i].device.name),
				log_bool("up", *up)));
	}
}

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static void count_port(struct plane *p, unsigned i, uint64_t now_ns)
{
	struct plane_port_state *state = &p->port_states[i];
	struct io_port_counters now, more;

	if (!io_port_count(&p->ports[i], &now))
		return;
	more.rx_missed = grown(now.rx_missed, state->counted.rx_missed);
	more.rx_no_buffer = grown(now.rx_no_buffer, state->counted.rx_no_buffer);
	more.rx_errors = grown(now.rx_errors, state->counted.rx_errors);
	more.tx_errors = grown(now.tx_errors, state->counted.tx_errors);
	if (!attach_count(&p->attach, i, &more))
		return;
	state->counted = now;
	state->missed += more.rx_missed;
	if (state->missed == 0 || now_ns < state->remind_ns)
		return;
	log_event(LOG_EV_PORT_MISSED,
		LOG_FIELDS(log_u64("port", i), log_str("device", p->ports[i].device.name),
			log_u64("packets", state->missed),
			log_str("remedy",
				"keep other processes off the workers' cores; relayctl worker "
				"show")));
	state->missed = 0;
	state->remind_ns = now_ns + REMIND_NS;
}

static void watch_grace(struct plane *p, struct housekeeping *h)
{
	uint64_t longest;

	if (!p->attach.mapped)
		return;
	longest = atomic_load_explicit(
		&p->attach.segment.state.header->gp_max_ns, memory_order_relaxed);
	if (longest > h->grace_max_ns && longest > GRACE_LATE_NS)
		log_event(LOG_EV_GRACE_PERIOD_LATE,
			LOG_FIELDS(log_u64("took_ms", longest / TP_NS_PER_MS)));
	h->grace_max_ns = longest;
}

static void each_second(struct plane *p, struct housekeeping *h, uint64_t now_ns)
{
	for (unsigned i = 0; i < p->n_launched; i++)
		watch_worker(p, i, now_ns);
	watch_ports(p);
	for (unsigned i = 0; i < p->n_ports; i++)
		count_port(p, i, now_ns);
	watch_grace(p, h);
	h->neighbours_pending = true;
	if (++h->seconds % VERIFY_SECONDS == 0)
		plane_own_verify(p);
	log_tick();
}

void plane_run(struct plane *p, const volatile int *stop)
{
	struct housekeeping h = {.next_second_ns = 0};

	while (!*stop) {
		uint64_t now_ns = clock_boottime_ns();

		attach_heartbeat(&p->attach, now_ns);
		tend_segment(p);
		tend_clients(p, now_ns);
		if (now_ns >= h.next_second_ns) {
			each_second(p, &h, now_ns);
			h.next_second_ns = now_ns + SECOND_NS;
		}
		tend_neighbours(p, &h, now_ns);
		attach_grace(&p->attach, TICK_NS);
	}
}
