// SPDX-License-Identifier: BSD-3-Clause
#include "worker_private.h"

#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <io/eal.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <urcu-qsbr.h>

#define IDLE_POLLS_MAX 1000u
#define IDLE_SLEEP_NS  50000
#define KICK_GAP_NS    TP_NS_PER_MS

// Zeroed memory of the node that the worker runs on, or of another that has some.
static struct worker *worker_alloc(unsigned id)
{
	struct worker *w =
		rte_zmalloc_socket("worker", sizeof(*w), TP_CACHE_LINE, eal_worker_node(id));

	return w != NULL ? w : rte_zmalloc("worker", sizeof(*w), TP_CACHE_LINE);
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
	outboxes_init(&w->outboxes, &w->stage, s->ports, s->n_ports, (uint16_t)s->id,
		rte_get_tsc_hz() / 1000000 * s->hold_us);
	outboxes_watch(&w->outboxes, s->watch, &w->clock);
	stage_worker_init(&w->stage, seed);
	return w;
}

void worker_destroy(struct worker *w)
{
	rte_free(w);
}

int worker_tid(const struct worker *w)
{
	return atomic_load_explicit(&w->tid, memory_order_relaxed);
}

struct tp_worker_stats *worker_stats(struct worker *w, const struct view *view)
{
	return view->segment == NULL ? &w->own_stats
				     : &view->segment->state.workers[w->settings.id];
}

// The numbers in the view's structs were checked when the files were mapped.
static void apply_view(struct worker *w, const struct view *v)
{
	const struct segment *s = v->segment;
	struct stage_worker *stage = &w->stage;
	unsigned id = w->settings.id;
	bool rings = s != NULL && id < s->punt.n_workers && id < s->inject.n_workers;

	w->view_serial = v->serial;
	w->sleeping = rings ? &s->inject.header->sleeping : NULL;
	stage->locals = v->locals;
	stage->stats = worker_stats(w, v);
	memset(&stage->table, 0, sizeof(stage->table));
	memset(stage->punt, 0, sizeof(stage->punt));
	memset(&stage->inject, 0, sizeof(stage->inject));
	stage->n_next_hops = 0;
	stage->n_port_indexes = 0;
	stage->cells = NULL;
	if (s == NULL)
		return;
	stage->table = s->tables.table;
	stage->next_hops = s->tables.next_hops;
	stage->n_next_hops = s->tables.n_next_hops;
	stage->port_indexes = s->tables.port_indexes;
	stage->n_port_indexes = s->tables.n_port_indexes;
	stage->cells = shm_state_cell(&s->state, id, 0);
	atomic_store_explicit(&stage->stats->lcore, w->settings.core, memory_order_relaxed);
	atomic_store_explicit(&stage->stats->online, 1, memory_order_relaxed);
	if (!rings)
		return;
	for (unsigned c = 0; c < TP_PUNT_CLASSES; c++)
		stage->punt[c] = shm_punt_producer(&s->punt, &s->inject, id, c);
	stage->inject = shm_inject_consumer(&s->punt, &s->inject, id);
}

// At most one wake per millisecond; one held back stays pending. The fence stands between the
// ring's head and the flag: the control process sets the flag, then looks at the rings again.
static void kick(struct worker *w)
{
	const uint64_t one = 1;

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
	if (write(w->settings.kick_fd, &one, sizeof(one)) == sizeof(one))
		tp_count(&w->stage.stats->kicks, 1);
}

static void follow_mtu(struct worker *w)
{
	for (unsigned i = 0; i < w->settings.n_ports; i++)
		w->stage.ports[i].mtu =
			atomic_load_explicit(&w->settings.ports[i].mtu, memory_order_relaxed);
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
	struct outboxes *o = &w->outboxes;
	uint64_t cycles = rte_rdtsc();
	uint64_t span = cycles - w->cycles;

	count_residence(w, cycles - o->late_since, o->left_late);
	if (packets > 0) {
		tp_count(&stats->busy_cycles, span);
		count_residence(w, span, outboxes_left(o, packets));
	} else {
		tp_count(&stats->idle_cycles, span);
		tp_count(&stats->empty_polls, 1);
	}
	if (clock_stale(&w->clock, cycles)) {
		clock_anchor(&w->clock, cycles, clock_boottime_ns());
		follow_mtu(w);
	}
	outboxes_turn(o);
	w->cycles = cycles;
	w->now_ns = clock_read_ns(&w->clock, cycles);
	tp_count(&stats->loops, 1);
	atomic_store_explicit(&stats->heartbeat_ns, w->now_ns, memory_order_relaxed);
}

static void rest(struct worker *w)
{
	const struct timespec nap = {.tv_nsec = IDLE_SLEEP_NS};

	outboxes_flush(&w->outboxes);
	if (w->settings.busy || ++w->idle_polls < IDLE_POLLS_MAX)
		return;
	tp_count(&w->stage.stats->sleeps, 1);
	// From here to the next look at the view nothing of the segment may be touched.
	urcu_qsbr_thread_offline();
	clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	urcu_qsbr_thread_online();
}

int worker_run(void *arg)
{
	struct worker *w = arg;
	unsigned packets = 0;

	// The default slack would double the shortest sleeps.
	prctl(PR_SET_TIMERSLACK, 1000);
	atomic_store_explicit(&w->tid, gettid(), memory_order_relaxed);
	urcu_qsbr_register_thread();
	w->cycles = rte_rdtsc();
	clock_init(&w->clock, rte_get_tsc_hz(), w->cycles, clock_boottime_ns());
	while (!atomic_load_explicit(w->settings.stop, memory_order_relaxed)) {
		const struct view *v = view_read(w->settings.view);

		if (v->serial != w->view_serial)
			apply_view(w, v);
		read_clock(w, packets);
		packets = 0;
		for (unsigned i = 0; i < w->n_queues; i++)
			packets += poll_queue(w, &w->queues[i]);
		packets += poll_inject(w);
		if (w->twins)
			packets += poll_twins(w);
		if (w->stage.kick)
			kick(w);
		urcu_qsbr_quiescent_state();
		if (packets > 0)
			w->idle_polls = 0;
		else
			rest(w);
	}
	outboxes_flush(&w->outboxes);
	urcu_qsbr_unregister_thread();
	return 0;
}
