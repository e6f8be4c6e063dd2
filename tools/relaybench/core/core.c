// SPDX-License-Identifier: BSD-3-Clause
#include "core.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bench/clock.h>
#include <bench/cores.h>
#include <bench/output.h>
#include <bench/program.h>
#include "instructions.h"
#include "rig.h"
#ifdef HAVE_REPLAY
#include "replay.h"
#include "scale.h"
#endif

#define SAMPLES_MAX (1u << 18)
#define PORT_OUT    1u
#define POPULATIONS 3u // peers outside, joined in pairs, some of each

bool bench_rig_fits(const struct bench_rig *s, enum bench_direction d)
{
	return bench_direction_fits(d, &s->population);
}

struct bench_cell *bench_rig_cell(
	struct bench_rig *s, unsigned source, enum bench_direction direction, uint16_t payload)
{
	struct bench_cell *c = bench_result_cell(s->result);

	if (c == NULL)
		return NULL;
	c->source = source;
	c->family = s->population.family;
	c->direction = direction;
	c->payload = payload;
	c->channels = s->population.n_flows;
	fprintf(stderr, "relaybench: %s %s, family %s, %u bytes, %u channels\n",
		source == BENCH_SOURCE_REPLAY ? "replay" : "memory",
		bench_direction_name(direction), bench_family_name(c->family), payload,
		c->channels);
	return c;
}

static int population_run(struct bench_host *g, struct bench_rig *s)
{
	struct shm_error err = {.text = ""};
	int rc = bench_host_place(g, &s->place, &err);

	if (rc == 0)
		rc = bench_fixture_create(&s->fixture, &s->population, PORT_OUT, &s->place, &err);
	if (rc != 0) {
		snprintf(s->wrong, sizeof(s->wrong), "%.150s", err.text);
		return rc;
	}
	fprintf(stderr, "relaybench: %u channels set up in %.2f s\n", s->population.n_flows,
		(double)s->fixture->fill_ns / 1e9);
	if (s->options->sources & BENCH_SOURCE_MEMORY)
		rc = bench_rig_memory(s);
#ifdef HAVE_REPLAY
	if (rc == 0 && s->options->sources & BENCH_SOURCE_REPLAY)
		rc = bench_rig_replay(s);
#endif
	bench_fixture_destroy(s->fixture);
	s->fixture = NULL;
	bench_host_clear(&s->place);
	return rc;
}

static bool any_direction(const struct bench_rig *s)
{
	for (unsigned d = 0; d < s->options->n_directions; d++)
		if (bench_rig_fits(s, s->options->directions[d]))
			return true;
	return false;
}

static int matrix_run(struct bench_host *g, struct bench_rig *s)
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
		uint64_t octets = bench_fixture_octets(&p);

		most = octets > most ? octets : most;
	}
#ifdef HAVE_REPLAY
	if (o->sources & BENCH_SOURCE_REPLAY)
		most += bench_replay_octets() * (o->no_testpmd ? 1 : 2);
#endif
	return most;
}

static int source_start(struct bench_rig *s)
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

static int cells_run(struct bench_host *h, struct bench_rig *s)
{
	struct bench_result *r = s->result;
	int rc;

	r->core = bench_cores_init(s->options->core);
	if (r->core < 0)
		return r->core;
	r->boosted = !s->options->no_boost && geteuid() == 0;
	r->huge_pages = !s->options->small_pages && bench_host_take_huge(h, huge_need(s->options));
	rc = source_start(s);
	return rc == 0 ? matrix_run(h, s) : rc;
}

static int core_run(struct bench_host *h, const struct bench_options *o)
{
	struct bench_result result;
	struct bench_rig s = {.options = o, .result = &result, .overhead = bench_cycles_overhead()};
	int rc = bench_result_init(&result, o);

	if (rc == 0)
		rc = bench_sample_init(&s.sample, SAMPLES_MAX);
	if (rc == 0)
		rc = cells_run(h, &s);
	if (rc != 0 && rc != -EINTR)
		fprintf(stderr, "relaybench: %s\n", s.wrong[0] != '\0' ? s.wrong : strerror(-rc));
	// A failure does not take away the cells before it.
	if (rc == 0 || (rc != -EINTR && result.n_cells > 1)) {
		int written;

		bench_result_settle(&result);
		written = report(&result);
		rc = rc == 0 ? written : rc;
	}
	source_stop();
	bench_sample_fini(&s.sample);
	bench_result_fini(&result);
	return rc == 0 ? BENCH_EXIT_OK : BENCH_EXIT_WRONG;
}

static int run(struct bench_host *h, void *arg)
{
	const struct bench_options *o = arg;

	if (o->instructions)
		return bench_instructions(h, o);
#ifdef HAVE_REPLAY
	if (o->workers > 1)
		return bench_scale(h, o);
#endif
	return core_run(h, o);
}

// Looks for other people's programs before anything is measured. False: it cannot be done without.
static bool programs_find(struct bench_options *o)
{
	if (o->instructions)
		return bench_program_find("valgrind", "valgrind", "");
	if (o->no_testpmd || (o->sources & BENCH_SOURCE_REPLAY) == 0)
		return true;
	if (o->workers > 1)
		return bench_program_find(
			"dpdk-testpmd", "dpdk-dev", "; --workers compares with it");
	o->no_testpmd = !bench_program_find("dpdk-testpmd", "dpdk-dev", ": going on without it");
	return true;
}

int bench_core_main(int argc, char **argv)
{
	struct bench_options o;

	int rc = bench_options_read(&o, argc, argv);

	if (rc != 0)
		return rc > 0 ? BENCH_EXIT_OK : BENCH_EXIT_USAGE;
	if (!programs_find(&o))
		return BENCH_EXIT_WRONG;
	return bench_host_supervise(run, &o, !o.no_boost);
}
