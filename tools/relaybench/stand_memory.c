// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include <stage/stage.h>

#include "clock.h"
#include "cores.h"
#include "ground.h"
#include "memory.h"
#include "stand.h"

#define VERIFIED_PACKETS 4096u

static int memory_round(struct bench_stand *s, struct bench_memory *m, struct bench_cell *c,
	const struct bench_traffic *t, struct bench_pick *pick)
{
	struct bench_round *r = bench_cell_round(c);
	struct bench_burst_figures f;
	double before = bench_spin(), after;
	int rc;

	bench_sample_reset(&s->sample);
	rc = bench_memory_run(m, t, pick, (uint64_t)(s->options->seconds * 1e9), &s->sample,
		s->wrong, sizeof(s->wrong));
	if (rc != 0)
		return rc;
	f = bench_sample_figures(&s->sample, s->overhead);
	after = bench_spin();
	r->spin = fmax(before, after);
	r->spin_least = fmin(before, after);
	r->relay = f.mean / STAGE_BURST;
	r->relay_median = f.median / STAGE_BURST;
	r->relay_p99 = f.p99 / STAGE_BURST;
	r->interrupted = f.interrupted;
	c->packets += s->sample.packets;
	return 0;
}

static int memory_cell(struct bench_stand *s, struct bench_memory *m,
	enum bench_direction direction, uint16_t payload)
{
	struct bench_cell *c = bench_stand_cell(s, BENCH_SOURCE_MEMORY, direction, payload);
	const struct bench_options *o = s->options;
	struct bench_traffic t;
	struct bench_pick pick;
	int rc;

	if (c == NULL)
		return -ENOMEM;
	bench_traffic_init(&t, &s->population, direction, payload, o->seed);
	bench_pick_init(&pick, s->population.n_flows, o->zipf, o->seed);
	rc = bench_memory_verify(m, &t, &pick, VERIFIED_PACKETS, s->wrong, sizeof(s->wrong));
	for (unsigned i = 0; i < o->rounds && rc == 0; i++) {
		if (bench_ground_stopped())
			return -EINTR;
		rc = memory_round(s, m, c, &t, &pick);
	}
	return rc;
}

int bench_stand_memory(struct bench_stand *s)
{
	const struct bench_options *o = s->options;
	struct bench_memory *m = NULL;
	struct shm_error err = {.text = ""};
	int rc = bench_memory_create(&m, s->scene, &s->place, &err);

	if (rc != 0) {
		snprintf(s->wrong, sizeof(s->wrong), "%.150s", err.text);
		return rc;
	}
	bench_cores_on(s->result->core);
	for (unsigned d = 0; d < o->n_directions && rc == 0; d++)
		for (unsigned p = 0; p < o->n_payloads && rc == 0; p++)
			if (bench_stand_fits(s, o->directions[d]))
				rc = memory_cell(s, m, o->directions[d], o->payloads[p]);
	bench_memory_destroy(m);
	return rc;
}
