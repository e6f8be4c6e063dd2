// SPDX-License-Identifier: BSD-3-Clause
#include "memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <stage/stage.h>

#include <bench/clock.h>

#define BUFFER_FRONT 128u
#define BUFFER_SIZE  2048u
#define MTU	     1500u
#define WARM_BURSTS  64u
#define BURSTS_MIN   64u // however short the time: the core may be somebody else's for all of it

struct bench_memory {
	struct stage_worker worker;
	struct shm_state state;
	struct stage_locals *locals;
	struct stage_pkt pkts[STAGE_BURST];
	struct bench_packet packets[STAGE_BURST];
	uint8_t buffers[STAGE_BURST][BUFFER_SIZE] TP_ALIGNED(64);
};

static int locals_make(struct bench_memory *m, const struct shm_tables *shm)
{
	struct tp_local *locals = calloc(TP_LOCALS_MAX, sizeof(*locals));
	struct tp_path_config path;

	if (locals != NULL && shm_tables_config(shm, &path, locals) >= 0)
		m->locals = stage_locals_create(locals, &path);
	free(locals);
	return m->locals == NULL ? -ENOMEM : 0;
}

static void worker_fill(struct bench_memory *m, const struct shm_tables *shm)
{
	static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x01};
	static const uint8_t seed[32] = {1};
	struct stage_worker *w = &m->worker;

	stage_worker_init(w, seed);
	w->n_ports = 2;
	for (unsigned i = 0; i < w->n_ports; i++) {
		w->ports[i] = (struct stage_port){.mtu = MTU, .any_mac = true};
		memcpy(w->ports[i].mac, mac, sizeof(mac));
	}
	w->locals = m->locals;
	w->table = shm->table;
	w->next_hops = shm->next_hops;
	w->n_next_hops = shm->n_next_hops;
	w->port_indexes = shm->port_indexes;
	w->n_port_indexes = shm->n_port_indexes;
	w->cells = shm_state_cell(&m->state, 0, 0);
	w->stats = &m->state.workers[0];
}

int bench_memory_create(struct bench_memory **out, const struct bench_fixture *fixture,
	const struct shm_place *place, struct shm_error *err)
{
	const struct shm_tables *shm = bench_fixture_shm(fixture);
	struct bench_memory *m = aligned_alloc(TP_CACHE_LINE, sizeof(*m));
	int rc = -ENOMEM;

	_Static_assert(sizeof(*m) % TP_CACHE_LINE == 0, "aligned_alloc wants it");
	err->cause = SHM_SYSTEM;
	snprintf(err->text, sizeof(err->text), "no memory");
	if (m == NULL)
		return rc;
	memset(m, 0, sizeof(*m));
	rc = shm_state_create(&m->state, place, shm, 1, err);
	if (rc == 0)
		rc = locals_make(m, shm);
	if (rc != 0) {
		bench_memory_destroy(m);
		return rc;
	}
	worker_fill(m, shm);
	*out = m;
	return 0;
}

void bench_memory_destroy(struct bench_memory *m)
{
	if (m == NULL)
		return;
	stage_locals_destroy(m->locals);
	shm_state_close(&m->state);
	free(m);
}

static void burst_fill(struct bench_memory *m, const struct bench_traffic *t,
	struct bench_distribution *distribution)
{
	for (unsigned i = 0; i < STAGE_BURST; i++) {
		uint8_t *frame = m->buffers[i] + BUFFER_FRONT;
		struct bench_packet *p = &m->packets[i];

		*p = bench_traffic_next(t, distribution);
		bench_frame_write(p->kind, frame, p->flow);
		m->pkts[i] = (struct stage_pkt){.data = frame,
			.len = p->kind->len,
			.headroom = BUFFER_FRONT,
			.tailroom = (uint16_t)(BUFFER_SIZE - BUFFER_FRONT - p->kind->len)};
	}
}

// Time that stage_run takes for a burst, and the fate of its packets.
static int burst_run(
	struct bench_memory *m, uint64_t now_ns, uint64_t *cycles, char *wrong, size_t wrong_size)
{
	uint64_t start = bench_cycles();

	stage_run(&m->worker, m->pkts, STAGE_BURST, now_ns);
	*cycles = bench_cycles() - start;
	for (unsigned i = 0; i < STAGE_BURST; i++) {
		const struct stage_pkt *p = &m->pkts[i];

		if (p->verdict == STAGE_SEND)
			continue;
		snprintf(wrong, wrong_size, "flow %u: not forwarded (%s)", m->packets[i].flow,
			p->verdict == STAGE_DROP ? tp_drop_text(p->reason)->name : "punted");
		return -EPROTO;
	}
	return 0;
}

static uint64_t path_count(const struct bench_memory *m, const struct bench_traffic *t)
{
	uint64_t n[TP_PATH_COUNT];

	for (unsigned i = 0; i < TP_PATH_COUNT; i++)
		n[i] = atomic_load(&m->worker.stats->path_packets[i]);
	return bench_traffic_counted(t->direction, n);
}

int bench_memory_verify(struct bench_memory *m, const struct bench_traffic *t,
	struct bench_distribution *distribution, uint32_t n_packets, char *wrong, size_t wrong_size)
{
	uint64_t now_ns = bench_clock_ns(CLOCK_BOOTTIME), cycles;
	uint64_t before = path_count(m, t), counted;
	uint32_t done = 0;

	for (; done < n_packets; done += STAGE_BURST) {
		burst_fill(m, t, distribution);
		if (burst_run(m, now_ns, &cycles, wrong, wrong_size) != 0)
			return -EPROTO;
		for (unsigned i = 0; i < STAGE_BURST; i++) {
			const char *what = bench_frame_verify(m->packets[i].kind,
				m->packets[i].flow, m->pkts[i].data, m->pkts[i].len);

			if (what == NULL)
				continue;
			snprintf(wrong, wrong_size, "flow %u: wrong %s", m->packets[i].flow, what);
			return -EPROTO;
		}
	}
	counted = path_count(m, t) - before;
	if (counted == done)
		return 0;
	snprintf(wrong, wrong_size, "%llu of %u packets counted as %s", (unsigned long long)counted,
		done, bench_direction_name(t->direction));
	return -EPROTO;
}

int bench_memory_count(struct bench_memory *m, const struct bench_traffic *t,
	struct bench_distribution *distribution, uint32_t n_packets, char *wrong, size_t wrong_size)
{
	uint64_t now_ns = bench_clock_ns(CLOCK_BOOTTIME), cycles;
	int rc = 0;

	for (uint32_t done = 0; done < n_packets && rc == 0; done += STAGE_BURST) {
		burst_fill(m, t, distribution);
		rc = burst_run(m, now_ns, &cycles, wrong, wrong_size);
	}
	return rc;
}

int bench_memory_run(struct bench_memory *m, const struct bench_traffic *t,
	struct bench_distribution *distribution, uint64_t ns, struct bench_sample *sample,
	char *wrong, size_t wrong_size)
{
	uint64_t end = bench_cycles() + (uint64_t)((double)ns * bench_cycles_hz() / 1e9);
	uint64_t now_ns = bench_clock_ns(CLOCK_BOOTTIME), cycles;

	for (unsigned warm = WARM_BURSTS; bench_cycles() < end || sample->bursts < BURSTS_MIN;) {
		burst_fill(m, t, distribution);
		if (burst_run(m, now_ns, &cycles, wrong, wrong_size) != 0)
			return -EPROTO;
		if (warm != 0)
			warm--;
		else
			bench_sample_add(sample, cycles, STAGE_BURST);
	}
	return 0;
}
