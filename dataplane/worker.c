// SPDX-License-Identifier: BSD-3-Clause
#include "worker.h"

#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <io/eal.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <urcu-qsbr.h>

#include "clock.h"
#include "outbox.h"

#define IDLE_POLLS_MAX 1000u
#define IDLE_SLEEP_NS  50000
#define KICK_GAP_NS    TP_NS_PER_MS

struct queue {
	uint16_t id; // DPDK's port
	uint16_t queue;
	uint8_t port; // ours
};

struct worker {
	struct stage_worker stage;
	struct worker_settings settings;
	uint64_t view_serial;		  // of the view applied; 0: none yet
	const _Atomic uint32_t *sleeping; // the control process's flag, or NULL
	struct clock clock;
	uint64_t cycles; // at the start of this loop
	uint64_t now_ns; // likewise
	uint64_t kicked_ns;
	uint32_t idle_polls;
	bool twins; // some port has one
	unsigned n_queues;
	struct queue queues[TP_PORTS_MAX * TP_WORKERS_MAX];
	struct outboxes outboxes;
	struct tp_worker_stats own_stats;
	_Atomic int tid;
};

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

static inline void fill_pkt(struct stage_pkt *pkt, struct rte_mbuf *m, uint8_t port)
{
	rte_prefetch0(rte_pktmbuf_mtod(m, void *));
	pkt->data = rte_pktmbuf_mtod(m, uint8_t *);
	pkt->len = m->data_len;
	pkt->headroom = rte_pktmbuf_headroom(m);
	pkt->tailroom = rte_pktmbuf_tailroom(m);
	pkt->rx_port = port;
	pkt->cookie = m;
}

static inline struct rte_mbuf *settle_mbuf(const struct stage_pkt *pkt)
{
	struct rte_mbuf *m = pkt->cookie;

	m->data_off = (uint16_t)(pkt->data - (uint8_t *)m->buf_addr);
	m->data_len = pkt->len;
	m->pkt_len = pkt->len;
	m->ol_flags = 0;
	return m;
}

static inline void post(struct worker *w, const struct stage_pkt *pkt)
{
	outboxes_put(&w->outboxes, pkt->tx_port, settle_mbuf(pkt), w->cycles);
}

// Frames longer than a buffer come as chains: nothing that the port's MTU allows.
__attribute__((noinline)) static uint16_t drop_chains(
	struct worker *w, struct rte_mbuf **packets, struct stage_pkt *pkts, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (packets[i]->nb_segs == 1) {
			packets[kept] = packets[i];
			pkts[kept++] = pkts[i];
			continue;
		}
		stage_drop_count(&w->stage, TP_DROP_too_big, 1);
		rte_pktmbuf_free(packets[i]);
	}
	return kept;
}

static inline uint16_t fill_pkts(struct worker *w, const struct queue *q, struct rte_mbuf **packets,
	struct stage_pkt *pkts, uint16_t n)
{
	unsigned chained = 0;

	for (uint16_t i = 0; i < n; i++) {
		fill_pkt(&pkts[i], packets[i], q->port);
		chained |= packets[i]->nb_segs ^ 1u;
	}
	return chained == 0 ? n : drop_chains(w, packets, pkts, n);
}

// A copy: the frame's buffer stays with this core's cache of them.
static void give_kernel(struct worker *w, const struct stage_pkt *pkt)
{
	struct io_twin *twin = w->settings.ports[pkt->rx_port].twin;

	if (twin != NULL && !io_twin_give(twin, w->settings.id, pkt->data, pkt->len))
		stage_drop_count(&w->stage, TP_DROP_kernel_full, 1);
}

// What is not sent goes back. Neighbours mostly leave by the same port, so they are put in its box
// together.
static void post_burst(struct worker *w, const struct stage_pkt *pkts, uint16_t n)
{
	struct rte_mbuf *run[STAGE_BURST], *done[STAGE_BURST];
	unsigned n_run = 0, n_done = 0, port = 0;
	uint64_t octets = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct stage_pkt *pkt = &pkts[i];

		if (pkt->verdict != STAGE_SEND) {
			if (pkt->verdict == STAGE_KERNEL)
				give_kernel(w, pkt);
			done[n_done++] = pkt->cookie;
			continue;
		}
		if (pkt->tx_port != port) {
			outboxes_put_run(&w->outboxes, port, run, n_run, octets, w->cycles);
			n_run = 0;
			octets = 0;
			port = pkt->tx_port;
		}
		octets += pkt->len;
		run[n_run++] = settle_mbuf(pkt);
	}
	outboxes_put_run(&w->outboxes, port, run, n_run, octets, w->cycles);
	outboxes_end_burst(&w->outboxes);
	if (n_done > 0)
		rte_pktmbuf_free_bulk(done, n_done);
}

static unsigned poll_queue(struct worker *w, const struct queue *q)
{
	struct rte_mbuf *packets[STAGE_BURST];
	struct stage_pkt pkts[STAGE_BURST];
	uint16_t received = rte_eth_rx_burst(q->id, q->queue, packets, STAGE_BURST), n;

	if (received == 0) {
		outboxes_flush(&w->outboxes);
		return 0;
	}
	n = fill_pkts(w, q, packets, pkts, received);
	if (watch_is_on(w->settings.watch))
		watch_run(w->settings.watch, &w->stage, pkts, n, w->now_ns);
	else
		stage_run(&w->stage, pkts, n, w->now_ns);
	post_burst(w, pkts, n);
	return received;
}

static unsigned poll_inject(struct worker *w)
{
	struct rte_mbuf *packets[STAGE_BURST];
	struct stage_pkt pkts[STAGE_BURST];
	unsigned n = stage_inject_pending(&w->stage);
	unsigned made;

	if (n == 0)
		return 0;
	if (n > STAGE_BURST)
		n = STAGE_BURST;
	// No buffer free: the messages wait on their ring.
	if (rte_pktmbuf_alloc_bulk(w->settings.pool, packets, n) != 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		fill_pkt(&pkts[i], packets[i], 0);
	made = stage_inject(&w->stage, pkts, n);
	for (unsigned i = 0; i < made; i++)
		post(w, &pkts[i]);
	outboxes_end_burst(&w->outboxes);
	rte_pktmbuf_free_bulk(packets + made, n - made);
	return n;
}

// What the kernel sends by a twin leaves by one worker, so that its order stays.
static unsigned take_kernel(struct worker *w, unsigned port)
{
	struct rte_mbuf *packets[STAGE_BURST];
	uint64_t octets;
	unsigned n;

	if (port % w->settings.n_workers != w->settings.id)
		return 0;
	n = io_port_take_kernel(
		&w->settings.ports[port], w->settings.pool, packets, STAGE_BURST, &octets);
	tp_count(&w->stage.stats->path_packets[TP_PATH_from_kernel], n);
	tp_count(&w->stage.stats->path_octets[TP_PATH_from_kernel], octets);
	for (unsigned i = 0; i < n; i++)
		outboxes_put(&w->outboxes, port, packets[i], w->cycles);
	if (n > 0)
		outboxes_end_burst(&w->outboxes);
	return n;
}

static unsigned poll_twins(struct worker *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->settings.n_ports; i++) {
		if (w->settings.ports[i].twin == NULL)
			continue;
		io_twin_wake(w->settings.ports[i].twin, w->settings.id, w->now_ns);
		n += take_kernel(w, i);
	}
	return n;
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
