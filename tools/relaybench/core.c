// SPDX-License-Identifier: BSD-3-Clause
#include "core.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "cores.h"
#include "output.h"
#include "stand.h"
#ifdef HAVE_REPLAY
#include "replay.h"
#endif

#define SAMPLES_MAX (1u << 18)
#define PORT_OUT    1u
#define POPULATIONS 3u // peers outside, joined in pairs, some of each

bool bench_stand_fits(const struct bench_stand *s, enum bench_direction d)
{
	return bench_direction_fits(d, &s->population);
}

struct bench_cell *bench_stand_cell(
	struct bench_stand *s, unsigned source, enum bench_direction direction, uint16_t payload)
{
	struct bench_cell *c = bench_result_cell(s->result);

	if (c == NULL)
		return NULL;
	c->source = source;
	c->family = s->population.family;
	c->direction = direction;
	c->payload = payload;
	c->channels = s->population.n_flows;
	fprintf(stderr, "relaybench: %s %s, family %s, %u octets, %u channels\n",
		source == BENCH_SOURCE_REPLAY ? "replay" : "memory",
		bench_direction_name(direction), bench_family_name(c->family), payload,
		c->channels);
	return c;
}

static int population_run(struct bench_ground *g, struct bench_stand *s)
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
		rc = bench_stand_memory(s);
#ifdef HAVE_REPLAY
	if (rc == 0 && s->options->sources & BENCH_SOURCE_REPLAY)
		rc = bench_stand_replay(s);
#endif
	bench_scene_destroy(s->scene);
	s->scene = NULL;
	bench_ground_clear(&s->place);
	return rc;
}

static bool any_direction(const struct bench_stand *s)
{
	for (unsigned d = 0; d < s->options->n_directions; d++)
		if (bench_stand_fits(s, s->options->directions[d]))
			return true;
	return false;
}

static int matrix_run(struct bench_ground *g, struct bench_stand *s)
{
	const struct bench_options *o = s->options;
	int rc = 0;

	for (unsigned n = 0; n < o->n_channels; n++)
		for (unsigned f = 0; f < o->n_families; f++)
			for (unsigned kind = 0; kind < POPULATIONS && rc == 0; kind++) {
				s->population = (struct bench_population){.n_flows = o->channels[n],
					.family = o->families[f],
					.hairpin = kind == 1,
					.mixed = kind == 2};
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
#ifdef HAVE_REPLAY
	if (o->sources & BENCH_SOURCE_REPLAY)
		most += bench_replay_octets() * (o->no_testpmd ? 1 : 2);
#endif
	return most;
}

static int source_start(struct bench_stand *s)
{
#ifdef HAVE_REPLAY
	if (s->options->sources & BENCH_SOURCE_REPLAY)
		return bench_replay_start(
			s->result->huge_pages, &s->result->core, 1, s->wrong, sizeof(s->wrong));
#endif
	(void)s;
	return 0;
}

static void source_stop(void)
{
#ifdef HAVE_REPLAY
	bench_replay_stop();
#endif
}

static int report(const struct bench_result *r)
{
	const struct bench_options *o = r->options;

	if (!o->json)
		bench_report_table(r, stdout);
	return bench_output_write(bench_report_json(r), o->output, o->json);
}

int bench_core(struct bench_ground *g, const struct bench_options *o)
{
	struct bench_result result;
	struct bench_stand s = {
		.options = o, .result = &result, .overhead = bench_cycles_overhead()};
	int rc = bench_result_init(&result, o);

	if (rc == 0)
		rc = bench_sample_init(&s.sample, SAMPLES_MAX);
	if (rc == 0) {
		result.core = bench_cores_init(o->core);
		result.boosted = !o->no_boost && geteuid() == 0;
		rc = result.core < 0 ? result.core : 0;
	}
	if (rc == 0) {
		result.huge_pages = !o->small_pages && bench_ground_take_huge(g, huge_need(o));
		rc = source_start(&s);
		if (rc == 0)
			rc = matrix_run(g, &s);
		if (rc != 0 && rc != -EINTR)
			fprintf(stderr, "relaybench: %s\n",
				s.wrong[0] != '\0' ? s.wrong : strerror(-rc));
	}
	if (rc == 0) {
		bench_result_settle(&result);
		rc = report(&result);
	}
	source_stop();
	bench_sample_fini(&s.sample);
	bench_result_fini(&result);
	return rc == 0 ? BENCH_EXIT_OK : BENCH_EXIT_WRONG;
}
