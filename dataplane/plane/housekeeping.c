// SPDX-License-Identifier: BSD-3-Clause
#include <plane/plane.h>

#include <stdio.h>
#include <string.h>

#include <log/log.h>
#include <proc/notify.h>
#include <proc/sandbox.h>
#include <proc/start.h>

#include <plane/advice.h>
#include <plane/haste.h>
#include <worker/clock.h>

#define TICK_NS	       (10 * TP_NS_PER_MS)
#define SECOND_NS      TP_NS_PER_S
#define STUCK_NS       TP_NS_PER_S
#define GRACE_LATE_NS  (100 * TP_NS_PER_MS)
#define SWITCHES_ALARM 1000u // involuntary ones in a second
#define REMIND_NS      (60 * TP_NS_PER_S)
#define VERIFY_SECONDS 10u
#define NEIGHBOURS_NS  TP_NS_PER_S

struct housekeeping {
	uint64_t next_second_ns;
	uint64_t grace_max_ns;
	uint32_t next_hop_seq;
	uint64_t neighbours_ns; // of the last look at all of them
	unsigned seconds;
	bool neighbours_pending;
	bool lock_reported;
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
	case ATTACH_UNNAMED:
		log_event(LOG_EV_SEGMENT_LOST,
			LOG_FIELDS(log_str("problem", "the name of a file is gone; packets go on"),
				log_str("remedy", "keep both processes running for as long as "
						  "calls matter; find what removes files there")));
		break;
	case ATTACH_REPLACED:
		log_event(
			LOG_EV_SEGMENT_LOST, LOG_FIELDS(log_str("problem", "a file was replaced")));
		break;
	case ATTACH_REFUSED:
		log_event(LOG_EV_SEGMENT_REFUSED,
			LOG_FIELDS(log_str("cause", shm_cause_name(err->cause)),
				log_str("problem", err->text), log_str("remedy", err->remedy)));
		break;
	case ATTACH_SHORT:
		log_event(LOG_EV_CELLS_SHORT,
			LOG_FIELDS(log_str("problem", err->text), log_str("remedy", err->remedy)));
		break;
	case ATTACH_NOTHING:
	case ATTACH_CHANGED:
		break;
	}
}

static void tend_segment(struct plane *p)
{
	struct shm_error err = {.cause = SHM_OK};
	enum attach_event event = plane_attach_tick(&p->attach, &err);

	log_attach(p, event, &err);
	if (event == ATTACH_DONE) {
		p->attached_ns = clock_boottime_ns();
		for (unsigned i = 0; i < p->ports.n; i++)
			plane_attach_link(&p->attach, i, p->ports.states[i].up);
	}
	if (event == ATTACH_DONE || event == ATTACH_CHANGED)
		plane_claims_apply(&p->claims, &p->ports, &p->attach.claimed);
}

static void tend_clients(struct plane *p, uint64_t now_ns)
{
	unsigned came, went;

	plane_socket_poll(&p->socket, &came, &went);
	if (p->socket.asked) {
		p->socket.asked = false;
		observe_ask(&p->observe, &p->socket.request, p->socket.request_fd, now_ns);
		p->socket.request_fd = -1;
	}
	if (went > 0)
		observe_control_left(&p->observe, now_ns);
	for (; went > 0; went--)
		log_event(LOG_EV_CONTROL_DOWN, NULL);
	for (; came > 0; came--)
		log_event(LOG_EV_CONTROL_UP, NULL);
	observe_tick(&p->observe, now_ns);
}

static int apply_edge(void *plane, const struct edge_rings *rings)
{
	struct plane *p = plane;

	return plane_attach_edge(&p->attach, rings);
}

static void tend_edge(struct plane *p)
{
	const struct attach *a = &p->attach;

	plane_edge_tick(&p->edge, &a->place, a->mapped ? a->segment.tables.pair_id : 0,
		p->n_workers, apply_edge, p);
}

static void tend_neighbours(struct plane *p, struct housekeeping *h, uint64_t now_ns)
{
	const struct shm_tables *t = &p->attach.segment.tables;
	bool mapped = p->attach.mapped;
	uint32_t seq = 0;

	if (mapped)
		seq = atomic_load_explicit(&t->header->next_hop_seq, memory_order_acquire);
	// Requests that are due again need no change of the tables.
	if (!h->neighbours_pending && seq == h->next_hop_seq &&
		now_ns - h->neighbours_ns < NEIGHBOURS_NS)
		return;
	h->next_hop_seq = seq;
	h->neighbours_ns = now_ns;
	h->neighbours_pending = !plane_neighbour_tick(p->neighbour,
		mapped ? t->next_hop_infos : NULL, mapped ? t->n_next_hops : 0, now_ns);
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
	worker_share(
		w->worker, plane_share_sample(&w->share, w->core, worker_tid(w->worker), now_ns));
	atomic_store_explicit(&stats->involuntary_switches, switches, memory_order_relaxed);
}

void plane_meanwhile(void *plane)
{
	struct plane *p = plane;
	uint64_t now_ns = clock_boottime_ns();

	plane_attach_heartbeat(&p->attach, now_ns);
	for (unsigned i = 0; i < p->n_launched; i++)
		watch_worker(p, i, now_ns);
}

static void log_queues(const struct plane *p, unsigned i)
{
	const struct io_port *port = &p->ports.items[i];
	unsigned unserved = io_port_unserved(port);
	char remedy[96];

	if (unserved == 0)
		return;
	snprintf(remedy, sizeof(remedy), "ethtool -L %s combined %u, or restart turnpike-dataplane",
		port->link.name, port->n_rx_queues);
	log_event(LOG_EV_QUEUE_UNSERVED,
		LOG_FIELDS(log_u64("port", i), log_str("interface", io_port_interface(port)),
			log_u64("queues", port->link.rx_queues), log_u64("unserved", unserved),
			log_str("remedy", remedy)));
}

static void log_change(const struct plane *p, unsigned i, const char *what, const char *remedy)
{
	log_event(LOG_EV_PORT_CHANGED,
		LOG_FIELDS(log_u64("port", i),
			log_str("interface", io_port_interface(&p->ports.items[i])),
			log_str("problem", what), log_str("remedy", remedy)));
}

// An interface that was made again under its old name or number can't be served by the old sockets:
// the next start opens it.
static void watch_port(struct plane *p, unsigned i)
{
	struct io_port *port = &p->ports.items[i];
	bool *up = &p->ports.states[i].up;
	unsigned changed = io_port_refresh(port, up);

	if ((changed & IO_PORT_LINK) != 0) {
		plane_attach_link(&p->attach, i, *up);
		log_event(LOG_EV_PORT_LINK,
			LOG_FIELDS(log_u64("port", i), log_str("device", port->device.name),
				log_bool("up", *up)));
	}
	if ((changed & IO_PORT_MAC) != 0)
		log_change(p, i, "another MAC address", "done: frames leave with it");
	if ((changed & IO_PORT_MTU) != 0)
		log_change(p, i, "another MTU",
			port->link.mtu > port->mtu_max
				? "restart turnpike-dataplane to use all of it"
				: "done: longer frames are dropped as too_big");
	if ((changed & IO_PORT_NAME) != 0)
		log_change(p, i, "another name",
			strcmp(port->link.name, port->device.interface) == 0
				? "done: it is that of dataplane.ports"
				: "packets go on; name it so in dataplane.ports before the next "
				  "start");
	if ((changed & (IO_PORT_MAC | IO_PORT_MTU | IO_PORT_NAME)) != 0)
		plane_attach_port(&p->attach, i);
	if ((changed & IO_PORT_QUEUES) != 0)
		log_queues(p, i);
	if ((changed & IO_PORT_REPLACED) != 0) {
		log_change(p, i, "the interface was removed and made again",
			"none: this process ends, so that its next start opens it");
		p->ended = PROC_EXIT_FAILED;
	}
}

static bool watch_steering(struct plane *p, unsigned i)
{
	struct steer_fault fault;
	int *before = &p->ports.states[i].steering;
	int now = io_port_verify(&p->ports.items[i], &fault);

	if (now != 0 && now != *before)
		log_event(LOG_EV_STEERING_LOST,
			LOG_FIELDS(log_str("interface", io_port_interface(&p->ports.items[i])),
				log_str("problem", fault.problem),
				log_str("remedy", fault.remedy)));
	*before = now > 0 ? 0 : now;
	return now >= 0;
}

static void watch_ports(struct plane *p)
{
	bool steered = true, served = true;

	for (unsigned i = 0; i < p->ports.n; i++) {
		watch_port(p, i);
		steered &= watch_steering(p, i);
		served &= io_port_unserved(&p->ports.items[i]) == 0;
	}
	plane_attach_flag(&p->attach, TP_STATE_STEERING_OFF, !steered);
	plane_attach_flag(&p->attach, TP_STATE_QUEUES_MORE, !served);
	plane_attach_flag(&p->attach, TP_STATE_GUARD_OFF,
		p->claims.guarded && !plane_claims_guard(&p->claims));
}

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

// Packets of ours that found no socket although every queue has one: the driver, or somebody else,
// has emptied the map that leads to them.
static void log_unserved(struct plane *p, unsigned i, uint64_t packets, uint64_t now_ns)
{
	struct plane_port_state *state = &p->ports.states[i];
	const struct io_port *port = &p->ports.items[i];

	if (packets == 0 || io_port_unserved(port) > 0 || now_ns < state->unserved_ns)
		return;
	state->unserved_ns = now_ns + REMIND_NS;
	log_event(LOG_EV_QUEUE_UNSERVED,
		LOG_FIELDS(log_u64("port", i), log_str("interface", io_port_interface(port)),
			log_u64("packets", packets), log_str("problem", "packets found no socket"),
			log_str("remedy",
				"restart turnpike-dataplane; if it comes back: xdp: generic")));
}

static void watch_spread(struct plane *p, unsigned i)
{
	uint64_t received[PLANE_SPREAD_QUEUES];
	const struct io_port *port = &p->ports.items[i];
	unsigned n = io_port_count_queues(port, received, PLANE_SPREAD_QUEUES);

	if (plane_spread_judge(&p->ports.states[i].spread, received, n) && !port->spreads)
		plane_advise_spread(port, i);
}

static void count_port(struct plane *p, unsigned i, uint64_t now_ns)
{
	struct plane_port_state *state = &p->ports.states[i];
	struct io_port_counters now, more;

	if (!io_port_count(&p->ports.items[i], &now))
		return;
	more.rx_missed = grown(now.rx_missed, state->counted.rx_missed);
	more.rx_no_buffer = grown(now.rx_no_buffer, state->counted.rx_no_buffer);
	more.rx_errors = grown(now.rx_errors, state->counted.rx_errors);
	more.tx_errors = grown(now.tx_errors, state->counted.tx_errors);
	more.rx_unserved = grown(now.rx_unserved, state->counted.rx_unserved);
	more.rx_ring_full = grown(now.rx_ring_full, state->counted.rx_ring_full);
	more.tx_invalid = grown(now.tx_invalid, state->counted.tx_invalid);
	more.rx_fill_empty = grown(now.rx_fill_empty, state->counted.rx_fill_empty);
	if (!plane_attach_count(&p->attach, i, &more))
		return;
	state->counted = now;
	log_unserved(p, i, more.rx_unserved, now_ns);
	state->missed += more.rx_missed;
	if (state->missed == 0 || now_ns < state->remind_ns)
		return;
	log_event(LOG_EV_PORT_MISSED,
		LOG_FIELDS(log_u64("port", i), log_str("device", p->ports.items[i].device.name),
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
	for (unsigned i = 0; i < p->ports.n; i++) {
		count_port(p, i, now_ns);
		watch_spread(p, i);
	}
	watch_grace(p, h);
	h->neighbours_pending = true;
	if (++h->seconds % VERIFY_SECONDS == 0)
		plane_claims_verify(&p->claims);
	proc_denied_log();
	if (!proc_role_check(&p->place, SHM_ROLE_DATAPLANE, p->role_fd, &h->lock_reported))
		p->ended = PROC_EXIT_BUSY;
	log_tick();
	proc_notify("WATCHDOG=1");
}

int plane_run(struct plane *p, const volatile int *stop)
{
	struct housekeeping h = {.next_second_ns = 0};

	while (!*stop && p->ended == 0) {
		uint64_t now_ns = clock_boottime_ns();

		plane_attach_heartbeat(&p->attach, now_ns);
		tend_segment(p);
		tend_clients(p, now_ns);
		tend_edge(p);
		// The first turn has attached the tables: calls go on.
		if (p->in_haste)
			plane_haste_end();
		p->in_haste = false;
		if (now_ns >= h.next_second_ns) {
			each_second(p, &h, now_ns);
			h.next_second_ns = now_ns + SECOND_NS;
		}
		tend_neighbours(p, &h, now_ns);
		plane_attach_grace(&p->attach, TICK_NS);
	}
	return p->ended;
}
