// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <fdpass/wake.h>
#include <io/cycles.h>
#include <io/eal.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <urcu-qsbr.h>

#define KICK_GAP_NS TP_NS_PER_MS

// Zeroed memory of the node that the worker runs on, or of another that has some.
static struct worker *worker_alloc(unsigned id)
{
	struct worker *w =
		rte_zmalloc_socket("worker", sizeof(*w), TP_CACHE_LINE, io_eal_worker_node(id));

	return w != NULL ? w : rte_zmalloc("worker", sizeof(*w), TP_CACHE_LINE);
}

// A twin hands its frames over without a descriptor.
static void idle_start(struct worker *w)
{
	int fds[TP_ARRAY_LEN(w->queues)];

	worker_idle_init(&w->idle);
	if (w->settings.busy || w->twins)
		return;
	for (unsigned i = 0; i < w->n_queues; i++) {
		const struct queue *q = &w->queues[i];
		const struct io_port *p = &w->settings.ports[q->port];

		fds[i] = q->queue < p->n_xsk_fds ? p->xsk_fds[q->queue] : -1;
	}
	worker_idle_watch(&w->idle, w->settings.wake_fd, fds, w->n_queues);
	if (w->settings.local != NULL && w->settings.id == 0)
		worker_idle_add(&w->idle, io_local_ready_fd(w->settings.local));
}

struct worker *worker_create(const struct worker_settings *s)
{
	struct worker *w = worker_alloc(s->id);
	uint8_t seed[32];

	if (w == NULL || getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
		rte_free(w);
		return NULL;
	}
	w->settings = *s;
	w->stage.id = s->id;
	w->stage.stats = &w->own_stats;
	w->stage.n_ports = s->n_ports;
	for (unsigned i = 0; i < s->n_ports; i++) {
		const struct io_port *p = &s->ports[i];
		struct stage_port *sp = &w->stage.ports[i];

		memcpy(sp->mac, p->mac, sizeof(sp->mac));
		sp->mtu = p->mtu;
		sp->any_mac = p->any_mac;
		sp->kernel = io_port_kernel(p);
		w->twins = w->twins || p->twin != NULL;
		for (uint16_t q = (uint16_t)s->id;
			q < p->n_rx_queues && w->n_queues < TP_ARRAY_LEN(w->queues);
			q += (uint16_t)s->n_workers)
			w->queues[w->n_queues++] = (struct queue){p->id, q, (uint8_t)i};
	}
	w->stage.local_peers = s->local_peers;
	w->stage.n_local_peers = s->n_local_peers;
	w->stage.local_mtu = s->local_mtu;
	txqueue_init(&w->txqueue, &w->stage, s->ports, s->n_ports, (uint16_t)s->id,
		io_cycles_hz() / 1000000 * s->hold_us);
	txqueue_observe(&w->txqueue, s->observe, &w->clock);
	stage_worker_init(&w->stage, seed);
	if (fragments_init(&w->fragments, s->exchange, s->id, s->fragment_mib) != 0) {
		rte_free(w);
		return NULL;
	}
	idle_start(w);
	return w;
}

void worker_destroy(struct worker *w)
{
	if (w != NULL) {
		worker_idle_fini(&w->idle);
		fragments_fini(&w->fragments);
	}
	rte_free(w);
}

void worker_share(struct worker *w, bool shared)
{
	atomic_store_explicit(&w->shared, shared, memory_order_relaxed);
}

int worker_tid(const struct worker *w)
{
	return atomic_load_explicit(&w->tid, memory_order_relaxed);
}

struct tp_worker_stats *worker_stats(struct worker *w, const struct snapshot *snapshot)
{
	return snapshot->segment == NULL ? &w->own_stats
					 : &snapshot->segment->state.workers[w->settings.id];
}

// The numbers in the snapshot's structs were checked when the files were mapped.
static void apply_snapshot(struct worker *w, const struct snapshot *v)
{
	const struct segment *s = v->segment;
	struct stage_worker *stage = &w->stage;
	unsigned id = w->settings.id;

	w->snapshot_serial = v->serial;
	w->sleeping = s != NULL ? &s->inject.header->sleeping : NULL;
	stage->locals = v->locals;
	stage->stats = worker_stats(w, v);
	memset(&stage->table, 0, sizeof(stage->table));
	memset(stage->punt, 0, sizeof(stage->punt));
	memset(&stage->inject, 0, sizeof(stage->inject));
	stage->n_next_hops = 0;
	stage->n_port_indexes = 0;
	stage->n_port_sets = 0;
	stage->cells = NULL;
	stage->n_limits = 0;
	worker_edge_apply(&w->edge, stage, s == NULL ? NULL : v->edge);
	if (s == NULL)
		return;
	stage->table = s->tables.table;
	stage->table.n_entries = v->n_entries;
	stage->next_hops = s->tables.next_hops;
	stage->n_next_hops = s->tables.n_next_hops;
	stage->port_indexes = s->tables.port_indexes;
	stage->n_port_indexes = s->tables.n_port_indexes;
	stage->port_sets = s->tables.port_sets;
	stage->n_port_sets = s->tables.n_port_sets;
	stage->cells = shm_state_cell(&s->state, id, 0);
	stage->limits = s->tables.limits;
	stage->limit_cells = &s->state.limit_cells[(size_t)id * s->state.n_limits];
	stage->caps = s->caps;
	stage->n_limits = s->state.n_limits;
	atomic_store_explicit(&stage->stats->lcore, w->settings.core, memory_order_relaxed);
	atomic_store_explicit(&stage->stats->online, 1, memory_order_relaxed);
	for (unsigned c = 0; c < TP_PUNT_CLASSES; c++)
		stage->punt[c] = shm_punt_producer(&s->punt, &s->inject, id, c);
	// With fewer inject rings than workers the answers leave by the others.
	if (id < s->inject.n_workers)
		stage->inject = shm_inject_consumer(&s->punt, &s->inject, id);
}

// ---- the loop ---------------------------------------------------------------------------------

// At most one wake per millisecond; one held back stays pending. The fence stands between the
// ring's head and the flag: the control process sets the flag, then looks at the rings again.
static void kick(struct worker *w)
{
	if (w->sleeping == NULL) {
		w->stage.kick = false;
		return;
	}
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(w->sleeping, memory_order_relaxed) == 0) {
		w->stage.kick = false;
		return;
	}
	if (w->now_ns - w->kicked_ns < KICK_GAP_NS)
		return;
	w->stage.kick = false;
	w->kicked_ns = w->now_ns;
	if (fdpass_wake(w->settings.kick_fd) == 0)
		tp_count(&w->stage.stats->kicks, 1);
}

// Likewise for workers that sleep on their sockets; the others look by themselves.
static void wake_others(struct worker *w)
{
	if (w->now_ns - w->woken_ns < KICK_GAP_NS)
		return;
	w->wake = false;
	w->woken_ns = w->now_ns;
	if (w->settings.wake_fd >= 0)
		(void)fdpass_wake(w->settings.wake_fd);
}

// MTU and MAC address follow the kernel interface's.
static void follow_ports(struct worker *w)
{
	for (unsigned i = 0; i < w->settings.n_ports; i++) {
		const struct io_port *p = &w->settings.ports[i];
		uint64_t mac = atomic_load_explicit(&p->mac_now, memory_order_relaxed);

		w->stage.ports[i].mtu = atomic_load_explicit(&p->mtu, memory_order_relaxed);
		for (unsigned b = 0; b < 6 && mac != 0; b++)
			w->stage.ports[i].mac[b] = (uint8_t)(mac >> 8 * b);
	}
}

static void count_residence(struct worker *w, uint64_t span, unsigned packets)
{
	if (packets > 0)
		stage_residence_count(&w->stage,
			clock_span_ns(&w->clock,
				span < w->clock.limit_cycles ? span : w->clock.limit_cycles),
			packets);
}

// One reading of the clock per loop: it ends the burst before and begins the next.
static void read_clock(struct worker *w, unsigned packets)
{
	struct tp_worker_stats *stats = w->stage.stats;
	struct txqueue *o = &w->txqueue;
	uint64_t cycles = rte_rdtsc();
	uint64_t span = cycles - w->cycles;

	count_residence(w, cycles - o->held_since, o->flushed_held);
	if (packets > 0) {
		tp_count(&stats->busy_cycles, span);
		count_residence(w, span, txqueue_left(o, packets));
	} else {
		tp_count(&stats->idle_cycles, span);
		tp_count(&stats->empty_polls, 1);
	}
	if (clock_stale(&w->clock, cycles)) {
		clock_anchor(&w->clock, cycles, clock_boottime_ns());
		follow_ports(w);
		fragments_expire(&w->fragments, &w->stage, w->now_ns);
	}
	txqueue_next_loop(o);
	w->cycles = cycles;
	w->now_ns = clock_read_ns(&w->clock, cycles);
	tp_count(&stats->loops, 1);
	atomic_store_explicit(&stats->heartbeat_ns, w->now_ns, memory_order_relaxed);
}

// The lowest real-time priority stands above all ordinary programs, and below whatever else an
// operator has made real-time.
static void set_realtime(struct worker *w, bool on)
{
	const struct sched_param param = {.sched_priority = on ? 1 : 0};

	if (!w->settings.realtime || w->is_realtime == on)
		return;
	if (sched_setscheduler(0, on ? SCHED_RR : SCHED_OTHER, &param) == 0)
		w->is_realtime = on;
}

enum rest_kind { REST_UNTIL_WORK, REST_SHORT, REST_FOR_EDGE };

static void sleep_now(struct worker *w, enum rest_kind kind)
{
	uint64_t from;

	tp_count(&w->stage.stats->sleeps, 1);
	// From here to the next look at the snapshot nothing of the segment may be touched.
	urcu_qsbr_thread_offline();
	from = rte_rdtsc();
	set_realtime(w, true);
	if (kind == REST_FOR_EDGE)
		worker_idle_yield();
	else
		worker_idle_sleep(&w->idle, kind == REST_SHORT);
	worker_pace_slept(&w->pace, from, rte_rdtsc());
	urcu_qsbr_thread_online();
}

static bool is_shared(const struct worker *w)
{
	return atomic_load_explicit(&w->shared, memory_order_relaxed);
}

// A thread of the edge that wants this core says nothing while the worker polls.
static void rest(struct worker *w)
{
	bool shared = is_shared(w);

	txqueue_flush(&w->txqueue);
	if (w->settings.busy ||
		(!worker_pace_sleeps(&w->pace, w->cycles, shared) &&
			!(shared && worker_edge_works(&w->edge, &w->stage, w->settings.core))))
		return;
	if (w->idle.epoll_fd >= 0 && !worker_edge_sleep(&w->edge, &w->stage))
		return;
	sleep_now(w, w->stage.kick || w->stage.edge_given != 0 || w->wake ? REST_SHORT
									  : REST_UNTIL_WORK);
}

// More packets would be lost at the ring that the edge's thread has no time to empty. They wait in
// the receive queues, for WORKER_EDGE_YIELDS_MAX times 200 us at most; those of the burst have left
// before the sleep, which is no work.
static void give_way(struct worker *w, unsigned packets)
{
	txqueue_flush(&w->txqueue);
	read_clock(w, packets);
	sleep_now(w, REST_FOR_EDGE);
}

// Wakes the edge's threads. Returns whether one of them may need this core now.
static bool settle_edge(struct worker *w)
{
	worker_edge_wake(&w->edge, &w->stage, w->now_ns);
	return !w->settings.busy && is_shared(w) &&
	       worker_edge_behind(&w->edge, &w->stage, w->settings.core);
}

int worker_run(void *arg)
{
	struct worker *w = arg;
	unsigned packets = 0;
	bool behind = false;

	// The default slack would double the shortest sleeps.
	prctl(PR_SET_TIMERSLACK, 1000);
	atomic_store_explicit(&w->tid, gettid(), memory_order_relaxed);
	urcu_qsbr_register_thread();
	w->cycles = rte_rdtsc();
	clock_init(&w->clock, io_cycles_hz(), w->cycles, clock_boottime_ns());
	worker_pace_init(&w->pace, io_cycles_hz(), w->cycles);
	set_realtime(w, true);
	while (!atomic_load_explicit(w->settings.stop, memory_order_relaxed)) {
		const struct snapshot *v = snapshot_read(w->settings.snapshot);

		if (v->serial != w->snapshot_serial)
			apply_snapshot(w, v);
		worker_edge_awake(&w->edge, &w->stage);
		read_clock(w, packets);
		packets = 0;
		if (behind && settle_edge(w)) {
			give_way(w, 0);
			continue;
		}
		for (unsigned i = 0; i < w->n_queues; i++)
			packets += worker_poll_queue(w, &w->queues[i]);
		packets += worker_poll_inject(w);
		if (w->edge.rings != NULL)
			packets += worker_poll_edge(w);
		packets += worker_poll_fragments(w);
		if (w->twins)
			packets += worker_poll_twins(w);
		if (w->settings.local != NULL)
			packets += worker_poll_local(w);
		if (w->stage.kick)
			kick(w);
		behind = w->stage.edge_given != 0 && settle_edge(w);
		if (w->wake)
			wake_others(w);
		urcu_qsbr_quiescent_state();
		if (behind) {
			give_way(w, packets);
			packets = 0;
		} else if (packets > 0) {
			worker_pace_busy(&w->pace);
		} else {
			rest(w);
		}
		if (w->is_realtime && worker_pace_worn(&w->pace, w->cycles))
			set_realtime(w, false);
	}
	txqueue_flush(&w->txqueue);
	urcu_qsbr_unregister_thread();
	return 0;
}
