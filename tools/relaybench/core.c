// SPDX-License-Identifier: BSD-3-Clause
#include "core.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <stage/stage.h>

#include "clock.h"
#include "memory.h"

#define SAMPLES_MAX	 (1u << 18)
#define VERIFIED_PACKETS 4096u
#define PORT_OUT	 1u

// One population's tables, and what goes through them.
struct stand {
	const struct bench_options *options;
	struct bench_result *result;
	struct shm_place place;
	struct bench_scene *scene;
	struct bench_population population;
	struct bench_sample sample;
	double overhead;
	char wrong[160];
};

static int core_choose(int wanted)
{
	cpu_set_t allowed;

	if (wanted >= 0)
		return wanted;
	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int c = CPU_SETSIZE - 1; c > 0; c--)
		if (CPU_ISSET(c, &allowed))
			return c;
	return 0;
}

static int core_pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == 0)
		return 0;
	fprintf(stderr, "relaybench: core %d: %s\n", core, strerror(errno));
	return -errno;
}

static void progress(const struct bench_cell *c)
{
	fprintf(stderr, "relaybench: %s %s, family %s, %u octets, %u channels\n",
		c->source == BENCH_SOURCE_REPLAY ? "replay" : "memory",
		bench_direction_name(c->direction), bench_family_name(c->family), c->payload,
		c->channels);
}

static struct bench_cell *cell_begin(
	struct stand *s, unsigned source, enum bench_direction direction, uint16_t payload)
{
	struct bench_cell *c = bench_result_cell(s->result);

	if (c == NULL)
		return NULL;
	c->source = source;
	c->family = s->population.family;
	c->direction = direction;
	c->payload = payload;
	c->channels = s->population.n_flows;
	progress(c);
	return c;
}

// ---- memory -------------------------------------------------------------------------------------

static int memory_round(struct stand *s, struct bench_memory *m, struct bench_cell *c,
	const struct bench_template *t, struct bench_pick *pick)
{
	struct bench_round *r = bench_cell_round(c);
	struct bench_burst_figures f;
	double spin = bench_spin();
	int rc;

	bench_sample_reset(&s->sample);
	rc = bench_memory_run(m, t, pick, (uint64_t)(s->options->seconds * 1e9), &s->sample,
		s->wrong, sizeof(s->wrong));
	if (rc != 0)
		return rc;
	f = bench_sample_figures(&s->sample, s->overhead);
	r->spin = fmax(spin, bench_spin());
	r->relay = f.mean / STAGE_BURST;
	r->relay_median = f.median / STAGE_BURST;
	r->relay_p99 = f.p99 / STAGE_BURST;
	r->interrupted = f.interrupted;
	c->packets += s->sample.packets;
	return 0;
}

static int memory_cell(
	struct stand *s, struct bench_memory *m, enum bench_direction direction, uint16_t payload)
{
	struct bench_cell *c = cell_begin(s, BENCH_SOURCE_MEMORY, direction, payload);
	const struct bench_options *o = s->options;
	struct bench_template t;
	struct bench_pick pick;
	int rc;

	if (c == NULL)
		return -ENOMEM;
	bench_template_init(&t, &s->population, direction, payload, o->seed);
	bench_pick_init(&pick, s->population.n_flows, o->zipf, o->seed);
	rc = bench_memory_verify(m, &t, &pick, VERIFIED_PACKETS, s->wrong, sizeof(s->wrong));
	for (unsigned i = 0; i < o->rounds && rc == 0; i++) {
		if (bench_ground_stopped())
			return -EINTR;
		rc = memory_round(s, m, c, &t, &pick);
	}
	return rc;
}

// ---- the matrix ---------------------------------------------------------------------------------

static bool direction_here(const struct stand *s, enum bench_direction d)
{
	return (d == BENCH_HAIRPIN) == s->population.hairpin;
}

static int memory_all(struct stand *s)
{
	const struct bench_options *o = s->options;
	struct bench_memory *m = NULL;
	struct shm_error err = {.text = ""};
	int rc = bench_memory_create(&m, s->scene, &s->place, &err);

	if (rc != 0) {
		snprintf(s->wrong, sizeof(s->wrong), "%.150s", err.text);
		return rc;
	}
	for (unsigned d = 0; d < o->n_directions && rc == 0; d++)
		for (unsigned p = 0; p < o->n_payloads && rc == 0; p++)
			if (direction_here(s, o->directions[d]))
				rc = memory_cell(s, m, o->directions[d], o->payloads[p]);
	bench_memory_destroy(m);
	return rc;
}

static int population_run(struct bench_ground *g, struct stand *s)
{
	struct shm_error err = {.text = ""};
	int rc = bench_ground_place(g, &s->place, &err);

	if (rc == 0)
		rc = bench_scene_create(&s->scene, &s->population, PORT_OUT, &s->place, &err);
	if (rc != 0) {
		snprintf(s->wrong, sizeof(s->wrong), "%.150s", err.text);
		return rc;
	}
	fprintf(stderr, "relaybench: %u channels set up in %.2f s\n", s->population.n_flows,
		(double)s->scene->fill_ns / 1e9);
	if (s->options->sources & BENCH_SOURCE_MEMORY)
		rc = memory_all(s);
	bench_scene_destroy(s->scene);
	s->scene = NULL;
	bench_ground_clear(&s->place);
	return rc;
}

static bool any_direction(const struct stand *s)
{
	for (unsigned d = 0; d < s->options->n_directions; d++)
		if (direction_here(s, s->options->directions[d]))
			return true;
	return false;
}

static int matrix_run(struct bench_ground *g, struct stand *s)
{
	const struct bench_options *o = s->options;
	int rc = 0;

	for (unsigned n = 0; n < o->n_channels; n++)
		for (unsigned f = 0; f < o->n_families; f++)
			for (unsigned hairpin = 0; hairpin < 2 && rc == 0; hairpin++) {
				s->population = (struct bench_population){.n_flows = o->channels[n],
					.family = o->families[f],
					.hairpin = hairpin != 0};
				if (any_direction(s))
					rc = population_run(g, s);
			}
	return rc;
}

static uint64_t huge_need(const struct bench_options *o)
{
	uint64_t most = 0;

	for (unsigned n = 0; n < o->n_channels; n++) {
		const struct bench_population p = {.n_flows = o->channels[n]};
		uint64_t octets = bench_scene_octets(&p);

		most = octets > most ? octets : most;
	}
	return most;
}

static int report(const struct bench_result *r)
{
	const struct bench_options *o = r->options;
	int rc = 0;

	if (o->output != NULL) {
		FILE *f = fopen(o->output, "we");

		if (f == NULL || bench_report_json(r, f) != 0)
			rc = -EIO;
		if (f != NULL && fclose(f) != 0)
			rc = -EIO;
		if (rc != 0)
			fprintf(stderr, "relaybench: %s: %s\n", o->output, strerror(errno));
	}
	if (!o->json)
		bench_report_table(r, stdout);
	else if (bench_report_json(r, stdout) != 0)
		rc = -EIO;
	return fflush(stdout) == 0 ? rc : -EIO;
}

int bench_core(struct bench_ground *g, const struct bench_options *o)
{
	struct bench_result result;
	struct stand s = {.options = o, .result = &result, .overhead = bench_cycles_overhead()};
	int rc = bench_result_init(&result, o);

	if (rc == 0)
		rc = bench_sample_init(&s.sample, SAMPLES_MAX);
	if (rc == 0) {
		result.core = core_choose(o->core);
		result.boosted = !o->no_boost && geteuid() == 0;
		rc = core_pin(result.core);
	}
	if (rc == 0) {
		result.huge_pages = !o->small_pages && bench_ground_take_huge(g, huge_need(o));
		rc = matrix_run(g, &s);
		if (rc != 0 && rc != -EINTR)
			fprintf(stderr, "relaybench: %s\n",
				s.wrong[0] != '\0' ? s.wrong : strerror(-rc));
	}
	if (rc == 0) {
		bench_result_settle(&result);
		rc = report(&result);
	}
	bench_sample_fini(&s.sample);
	bench_result_fini(&result);
	return rc == 0 ? BENCH_EXIT_OK : BENCH_EXIT_WRONG;
}
