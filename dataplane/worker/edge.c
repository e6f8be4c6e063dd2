// SPDX-License-Identifier: BSD-3-Clause
#include <worker/edge.h>

#include <fdpass/wake.h>

#define WAKE_GAP_NS  (50 * TP_NS_PER_US)
#define WAITS_MAX    4 // for a thread that takes nothing
// Parts of a ring that are free when it is nearly full, and when it is drained.
#define FULL_PART    8u
#define DRAINED_PART 4u

void worker_edge_apply(
	struct worker_edge *e, struct stage_worker *stage, const struct edge_rings *rings)
{
	e->rings = rings != NULL && stage->id < rings->n_workers ? rings : NULL;
	e->says_sleeping = false;
	stage->edge_in = e->in;
	stage->edge_out = e->out;
	stage->edge_slots = e->slots;
	stage->n_edge = e->rings == NULL ? 0 : rings->n_threads;
	// A wake that is held back outlives the snapshot: its thread sleeps on messages.
	stage->edge_given &= stage->n_edge == 0 ? 0 : UINT64_MAX >> (64 - stage->n_edge);
	stage->stream_out = e->stream_out;
	stage->stream_out_max = e->rings == NULL ? 0 : STAGE_BURST;
	e->full = 0;
	e->yields = 0;
	memset(e->waits, 0, sizeof(e->waits));
	memset(e->slots, 0, sizeof(e->slots));
	for (unsigned t = 0; t < stage->n_edge; t++) {
		e->in[t] = shm_streams_consumer(&rings->stream, &rings->edge, stage->id, t);
		e->out[t] = shm_streams_producer(&rings->stream, &rings->edge, stage->id, t);
	}
}

// A thread publishes that it sleeps, then looks at its rings; the fence stands between the rings'
// heads and its flag.
void worker_edge_wake(struct worker_edge *e, struct stage_worker *stage, uint64_t now_ns)
{
	atomic_thread_fence(memory_order_seq_cst);
	for (uint64_t left = stage->edge_given; left != 0; left &= left - 1) {
		unsigned t = (unsigned)__builtin_ctzll(left);
		bool sleeps = atomic_load_explicit(&e->rings->edge.header->sides[t].sleeping,
				      memory_order_relaxed) != 0;

		if (sleeps && now_ns - e->woken_ns[t] < WAKE_GAP_NS)
			continue;
		stage->edge_given &= ~(1ull << t);
		if (!sleeps)
			continue;
		e->woken_ns[t] = now_ns;
		// Not a timer: an error, which harms nobody but the edge.
		(void)fdpass_wake(e->rings->timers[t]);
	}
}

static bool is_awake(const struct worker_edge *e, unsigned t)
{
	return atomic_load_explicit(
		       &e->rings->edge.header->sides[t].sleeping, memory_order_relaxed) == 0;
}

// A thread that has not run yet may run anywhere.
static bool is_here(const struct worker_edge *e, unsigned t, unsigned core)
{
	uint32_t cpu =
		atomic_load_explicit(&e->rings->edge.header->sides[t].cpu, memory_order_relaxed);

	return cpu == 0 || cpu - 1 == core;
}

bool worker_edge_works(const struct worker_edge *e, const struct stage_worker *stage, unsigned core)
{
	for (unsigned t = 0; t < stage->n_edge; t++) {
		if (is_awake(e, t) && is_here(e, t, core))
			return true;
	}
	return false;
}

// A thread that hangs, or is stopped, is awake and takes nothing.
static bool is_worth_waiting(struct worker_edge *e, unsigned t)
{
	uint32_t tail = atomic_load_explicit(e->out[t].tail, memory_order_relaxed);

	if (tail != e->tails[t])
		e->waits[t] = 0;
	e->tails[t] = tail;
	if (e->waits[t] == WAITS_MAX)
		return false;
	e->waits[t]++;
	return true;
}

static bool is_full(struct worker_edge *e, unsigned t)
{
	const struct tp_ring_producer *r = &e->out[t];
	bool was_full = (e->full >> t & 1) != 0;
	bool full = tp_ring_free(r) < r->n_slots / (was_full ? DRAINED_PART : FULL_PART);

	e->full = (e->full & ~(1ull << t)) | (uint64_t)full << t;
	return full;
}

bool worker_edge_behind(struct worker_edge *e, const struct stage_worker *stage, unsigned core)
{
	bool behind = false;

	for (unsigned t = 0; t < stage->n_edge; t++) {
		if (is_full(e, t) && is_here(e, t, core))
			behind = is_worth_waiting(e, t) || behind;
	}
	behind = behind && e->yields < WORKER_EDGE_YIELDS_MAX;
	e->yields = behind ? (uint8_t)(e->yields + 1) : 0;
	return behind;
}

static void say(struct worker_edge *e, unsigned worker, bool sleeps)
{
	e->says_sleeping = sleeps;
	atomic_store(&e->rings->stream.header->sides[worker].sleeping, sleeps ? 1 : 0);
}

bool worker_edge_sleep(struct worker_edge *e, const struct stage_worker *stage)
{
	if (e->rings == NULL)
		return true;
	say(e, stage->id, true);
	atomic_thread_fence(memory_order_seq_cst);
	if (stage_edge_pending(stage, 1) == 0)
		return true;
	say(e, stage->id, false);
	return false;
}

void worker_edge_awake(struct worker_edge *e, const struct stage_worker *stage)
{
	if (e->says_sleeping)
		say(e, stage->id, false);
}
