// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include <stage/stage.h>

#include <bench/clock.h>
#include <bench/cores.h>
#include <bench/host.h>
#include <bench/lines.h>
#include "memory.h"
#include "rig.h"

#define VERIFIED_PACKETS 4096u

static int memory_round(struct bench_rig *s, struct bench_memory *m, struct bench_cell *c,
	const struct bench_traffic *t, struct bench_distribution *distribution)
{
	const struct shm_tables *tables = bench_fixture_shm(s->fixture);
	struct bench_round *r = bench_cell_round(c);
	struct bench_burst_figures f;
	double before = bench_spin(), after;
	int rc;

	// Before and after the packets, as the core changes its speed meanwhile.
	r->line = bench_lines_cycles(tables->file.base, tables->file.size);
	bench_sample_reset(&s->sample);
	rc = bench_memory_run(m, t, distribution, (uint64_t)(s->options->seconds * 1e9), &s->sample,
		s->wrong, sizeof(s->wrong));
	if (rc != 0)
		return rc;
	f = bench_sample_figures(&s->sample, s->overhead);
	after = bench_spin();
	r->line = (r->line + bench_lines_cycles(tables->file.base, tables->file.size)) / 2;
	r->spin = fmax(before, after);
	r->spin_least = fmin(before, after);
	r->relay = f.mean / STAGE_BURST;
	r->relay_median = f.median / STAGE_BURST;
	r->relay_p99 = f.p99 / STAGE_BURST;
	r->interrupted = f.interrupted;
	c->packets += s->sample.packets;
	return 0;
}

static int memory_cell(struct bench_rig *s, struct bench_memory *m, enum bench_direction direction,
	uint16_t payload)
{
	struct bench_cell *c = bench_rig_cell(s, BENCH_SOURCE_MEMORY, direction, payload);
	const struct bench_options *o = s->options;
	struct bench_traffic t;
	struct bench_distribution distribution;
	int rc;

	if (c == NULL)
		return -ENOMEM;
	bench_traffic_init(&t, &s->population, direction, payload, o->seed);
	bench_distribution_init(&distribution, s->population.n_flows, o->zipf, o->seed);
	rc = bench_memory_verify(
		m, &t, &distribution, VERIFIED_PACKETS, s->wrong, sizeof(s->wrong));
	for (unsigned i = 0; i < o->rounds && rc == 0; i++) {
		if (bench_host_stopped())
			return -EINTR;
		rc = memory_round(s, m, c, &t, &distribution);
	}
	return rc;
}

int bench_rig_memory(struct bench_rig *s)
{
	const struct bench_options *o = s->options;
	struct bench_memory *m = NULL;
	struct shm_error err = {.text = ""};
	int rc = bench_memory_create(&m, s->fixture, &s->place, &err);

	if (rc != 0) {
		snprintf(s->wrong, sizeof(s->wrong), "%.150s", err.text);
		return rc;
	}
	bench_cores_on(s->result->core);
	for (unsigned d = 0; d < o->n_directions && rc == 0; d++)
		for (unsigned p = 0; p < o->n_payloads && rc == 0; p++)
			if (bench_rig_fits(s, o->directions[d]))
				rc = memory_cell(s, m, o->directions[d], o->payloads[p]);
	bench_memory_destroy(m);
	return rc;
}
