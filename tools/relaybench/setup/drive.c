// SPDX-License-Identifier: BSD-3-Clause
#include "drive.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <bench/clock.h>
#include <bench/cores.h>

#define WINDOW	     256u // clients that wait for an answer
#define PATIENCE_NS  (5 * TP_NS_PER_S)
#define END_NS	     (60 * TP_NS_PER_S)
#define EMPTY_MAX_US 2 // an empty poll that took longer was interrupted

struct drive {
	struct bench_relay *relay;
	struct bench_clients *clients;
	enum bench_stage to;
	uint8_t *stage;	 // [clients->n] the request that waits for its answer
	uint32_t *ready; // ring of WINDOW clients whose next request may go
	uint32_t n_ready, head;
	uint32_t next; // client that has not begun
	uint32_t waiting;
	uint32_t done;
	int core;
	uint64_t *sent_ns; // [clients->n] NULL: waits are not measured
	uint64_t longest_ns;
	_Atomic uint32_t answered;
	_Atomic int finished; // 1: all answered, 2: given up
};

// ---- the clients' thread ------------------------------------------------------------------------

static void wait_take(struct drive *d, uint32_t i)
{
	uint64_t wait_ns;

	if (d->sent_ns == NULL)
		return;
	wait_ns = bench_clock_ns(CLOCK_MONOTONIC_RAW) - d->sent_ns[i];
	if (wait_ns > d->longest_ns)
		d->longest_ns = wait_ns;
	atomic_fetch_add_explicit(&d->answered, 1, memory_order_relaxed);
}

static bool answer_take(struct drive *d)
{
	struct bench_clients *c = d->clients;
	const struct tp_ring_slot *slot = tp_ring_peek(&d->relay->answers);
	struct bench_message *m;
	uint32_t i;

	if (slot == NULL)
		return false;
	i = bench_flow_of_client(&slot->remote) - c->first;
	if (i < c->n && slot->len <= BENCH_MESSAGE_MAX) {
		m = &c->all[i].answers[d->stage[i]];
		memcpy(m->octets, slot->data, slot->len);
		m->len = slot->len;
		d->stage[i]++;
		d->waiting--;
		wait_take(d, i);
		if (d->stage[i] == d->to)
			d->done++;
		else
			d->ready[(d->head + d->n_ready++) % WINDOW] = i;
	}
	tp_ring_release(&d->relay->answers);
	return true;
}

static bool request_put(struct drive *d, uint32_t i)
{
	// As the packet path sorts them.
	static const unsigned classes[BENCH_STAGES] = {
		TP_PUNT_FIRST, TP_PUNT_NONCE, TP_PUNT_LIVE, TP_PUNT_LIVE};
	const struct bench_message *m = &d->clients->all[i].requests[d->stage[i]];
	struct tp_ring_producer *ring = &d->relay->punts[classes[d->stage[i]]];
	struct tp_ring_slot *slot = tp_ring_reserve(ring);

	if (slot == NULL)
		return false;
	slot->len = m->len;
	slot->local_id = d->relay->listener_id;
	slot->egress = 0;
	slot->remote = d->clients->all[i].addr;
	slot->worker = 0;
	slot->time_ns = bench_clock_ns(CLOCK_BOOTTIME);
	memcpy(slot->data, m->octets, m->len);
	if (d->sent_ns != NULL)
		d->sent_ns[i] = bench_clock_ns(CLOCK_MONOTONIC_RAW);
	tp_ring_publish(ring);
	d->waiting++;
	return true;
}

static bool requests_put(struct drive *d)
{
	bool any = false;

	while (d->n_ready > 0 && request_put(d, d->ready[d->head])) {
		d->head = (d->head + 1) % WINDOW;
		d->n_ready--;
		any = true;
	}
	while (d->waiting + d->n_ready < WINDOW && d->next < d->clients->n &&
		request_put(d, d->next)) {
		d->next++;
		any = true;
	}
	return any;
}

static void *clients_run(void *arg)
{
	struct drive *d = arg;
	uint64_t last_ns = bench_clock_ns(CLOCK_MONOTONIC_RAW);

	bench_cores_off(d->core);
	while (d->done < d->clients->n) {
		bool any = false;

		while (answer_take(d))
			any = true;
		if (requests_put(d) || any) {
			last_ns = bench_clock_ns(CLOCK_MONOTONIC_RAW);
		} else if (bench_clock_ns(CLOCK_MONOTONIC_RAW) - last_ns > PATIENCE_NS) {
			atomic_store(&d->finished, 2);
			return NULL;
		}
	}
	atomic_store(&d->finished, 1);
	return NULL;
}

// ---- the control thread -------------------------------------------------------------------------

static void control_run(struct drive *d, struct bench_setup_batch *b)
{
	uint64_t cpu_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t wall_ns = bench_clock_ns(CLOCK_MONOTONIC_RAW);
	uint64_t most = (uint64_t)(bench_cycles_hz() * EMPTY_MAX_US / 1e6), idle = 0;

	while (atomic_load_explicit(&d->finished, memory_order_relaxed) == 0) {
		uint64_t start = bench_cycles(), span;

		if (process_loop_step(&d->relay->process, bench_clock_ns(CLOCK_BOOTTIME)) > 0)
			continue;
		span = bench_cycles() - start;
		idle += span < most ? span : most;
	}
	b->wall_s = (double)(bench_clock_ns(CLOCK_MONOTONIC_RAW) - wall_ns) / 1e9;
	b->cpu_s = (double)(bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns) / 1e9 -
		   (double)idle / bench_cycles_hz();
}

static void guest_run(struct drive *d, const struct bench_drive_guest *guest)
{
	bool more = guest != NULL;

	while (more || atomic_load_explicit(&d->finished, memory_order_relaxed) == 0) {
		if (more && atomic_load_explicit(&d->answered, memory_order_relaxed) >=
				    d->clients->n / 2)
			more = guest->step(guest->ctx);
		process_loop_step(&d->relay->process, bench_clock_ns(CLOCK_BOOTTIME));
		bench_relay_grace(d->relay);
	}
}

int bench_drive_with(struct bench_relay *relay, struct bench_clients *c, enum bench_stage from,
	enum bench_stage to, int core, const struct bench_drive_guest *guest, double *longest_us)
{
	struct drive d = {.relay = relay, .clients = c, .to = to, .core = core};
	pthread_t thread;
	int rc = -ENOMEM;

	d.stage = malloc(c->n);
	d.ready = calloc(WINDOW, sizeof(*d.ready));
	d.sent_ns = calloc(c->n, sizeof(*d.sent_ns));
	if (d.stage != NULL && d.ready != NULL && d.sent_ns != NULL) {
		memset(d.stage, (int)from, c->n);
		bench_cores_on(core);
		rc = -pthread_create(&thread, NULL, clients_run, &d);
		if (rc == 0) {
			guest_run(&d, guest);
			pthread_join(thread, NULL);
			rc = atomic_load(&d.finished) == 1 ? 0 : -ETIMEDOUT;
		}
		bench_cores_all();
	}
	*longest_us = (double)d.longest_ns / 1e3;
	free(d.stage);
	free(d.ready);
	free(d.sent_ns);
	return rc;
}

int bench_drive(struct bench_relay *relay, struct bench_clients *c, enum bench_stage from,
	enum bench_stage to, int core, struct bench_setup_batch *b)
{
	struct drive d = {.relay = relay, .clients = c, .to = to, .core = core};
	pthread_t thread;
	int rc = -ENOMEM;

	d.stage = malloc(c->n);
	d.ready = calloc(WINDOW, sizeof(*d.ready));
	if (d.stage == NULL || d.ready == NULL)
		goto done;
	memset(d.stage, (int)from, c->n);
	bench_cores_on(core);
	rc = -pthread_create(&thread, NULL, clients_run, &d);
	if (rc == 0) {
		control_run(&d, b);
		pthread_join(thread, NULL);
		rc = atomic_load(&d.finished) == 1 ? 0 : -ETIMEDOUT;
	}
	bench_cores_all();
done:
	free(d.stage);
	free(d.ready);
	return rc;
}

// ---- the end ------------------------------------------------------------------------------------

static bool all_ended(const struct bench_relay *relay, uint64_t now_ns)
{
	struct tables_counts c;

	tables_get_counts(relay->process.link.tables, now_ns, &c);
	return c.allocations == 0 && c.entries_retired == 0;
}

int bench_drive_end(struct bench_relay *relay, uint32_t ahead_s, struct bench_setup_steps *steps)
{
	uint64_t begin_ns = bench_clock_ns(CLOCK_MONOTONIC_RAW), wall_ns;
	uint64_t ahead_ns = ahead_s * TP_NS_PER_S;

	*steps = (struct bench_setup_steps){0};
	do {
		uint64_t now_ns = bench_clock_ns(CLOCK_BOOTTIME) + ahead_ns;
		uint64_t cpu_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);
		double cpu_us, wall_us;

		wall_ns = bench_clock_ns(CLOCK_MONOTONIC_RAW);
		process_loop_step(&relay->process, now_ns);
		wall_us = (double)(bench_clock_ns(CLOCK_MONOTONIC_RAW) - wall_ns) / 1e3;
		cpu_us = (double)(bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns) / 1e3;
		steps->n++;
		steps->cpu_s += cpu_us / 1e6;
		if (wall_us > steps->longest_wall_us)
			steps->longest_wall_us = wall_us;
		if (cpu_us > steps->longest_cpu_us)
			steps->longest_cpu_us = cpu_us;
		bench_relay_grace(relay);
		if (steps->n % 64 == 0 && all_ended(relay, now_ns))
			break;
	} while (wall_ns - begin_ns < END_NS);
	steps->wall_s = (double)(wall_ns - begin_ns) / 1e9;
	return wall_ns - begin_ns < END_NS ? 0 : -ETIMEDOUT;
}
