// SPDX-License-Identifier: BSD-3-Clause
#include "scale.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <traffic/capture.h>
#include <bench/clock.h>
#include <bench/cores.h>
#include <bench/output.h>
#include "replay.h"
#include "testpmd.h"

#define PORT_OUT    1u
#define POPULATIONS 3u // peers outside, joined in pairs, some of each
#define RIVAL	    BENCH_5TSWAP

// Packets per second: one worker, all of them; one testpmd core, all of them.
struct scale_round {
	double ours[2];
	double testpmd[2];
};

struct scale {
	const struct bench_options *o;
	int cores[BENCH_WORKERS_MAX];
	bool huge_pages;
	struct shm_place place;
	struct bench_fixture *fixture;
	struct bench_testpmd testpmd[2];
	char capture[SHM_PATH_MAX + 16];
	char wrong[160];
	json_t *cells;
};

static unsigned workers_of(const struct scale *s, unsigned which)
{
	return which == 0 ? 1 : s->o->workers;
}

// Packets per second of core time, times the cores: the rate while they have their cores.
static int ours_run(struct scale *s, unsigned which, enum bench_direction direction, double *pps)
{
	unsigned n = workers_of(s, which);
	uint64_t ns = (uint64_t)(s->o->seconds * 1e9);
	struct bench_replay_interval interval;
	struct bench_replay *r = NULL;
	int rc = bench_replay_open(
		&r, s->fixture, &s->place, s->capture, n, s->wrong, sizeof(s->wrong));

	if (rc == 0)
		rc = bench_replay_run(
			r, NULL, direction, ns, &interval, s->wrong, sizeof(s->wrong));
	bench_replay_close(r);
	if (rc == 0)
		*pps = (double)interval.packets * n * 1e9 / (double)interval.cpu_ns;
	return rc;
}

static int testpmd_run(struct scale *s, unsigned which, double *pps)
{
	struct bench_rate rate;
	int rc = bench_testpmd_run(&s->testpmd[which], RIVAL, (uint64_t)(s->o->seconds * 1e9),
		&rate, s->wrong, sizeof(s->wrong));

	*pps = rate.pps;
	return rc;
}

// One and all in turns, so that both see the same neighbours.
static int round_run(struct scale *s, enum bench_direction direction, struct scale_round *r)
{
	int rc = 0;

	for (unsigned which = 0; which < 2 && rc == 0; which++) {
		rc = ours_run(s, which, direction, &r->ours[which]);
		if (rc == 0)
			rc = testpmd_run(s, which, &r->testpmd[which]);
	}
	return rc;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double gain_ours(const struct scale_round *r)
{
	return r->ours[1] / r->ours[0];
}

static double gain_testpmd(const struct scale_round *r)
{
	return r->testpmd[1] / r->testpmd[0];
}

static double ratio(const struct scale_round *r)
{
	return gain_ours(r) / gain_testpmd(r);
}

static double median(
	const struct scale_round *rounds, unsigned n, double (*of)(const struct scale_round *r))
{
	double values[BENCH_ROUNDS_MAX];

	for (unsigned i = 0; i < n; i++)
		values[i] = of(&rounds[i]);
	qsort(values, n, sizeof(values[0]), compare);
	return n % 2 != 0 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void cell_add(struct scale *s, enum bench_direction direction, uint32_t channels,
	const struct scale_round *rounds)
{
	unsigned n = s->o->rounds;
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:[f,f], s:[f,f], s:f}", "ours_pps", rounds[i].ours[0],
				      rounds[i].ours[1], "testpmd_pps", rounds[i].testpmd[0],
				      rounds[i].testpmd[1], "ratio", ratio(&rounds[i])));
	json_array_append_new(s->cells,
		json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:o}", "direction",
			bench_direction_name(direction), "channels", (int)channels, "workers",
			(int)s->o->workers, "gain", median(rounds, n, gain_ours), "gain_testpmd",
			median(rounds, n, gain_testpmd), "ratio", median(rounds, n, ratio),
			"rounds", list));
}

static int testpmds_start(struct scale *s)
{
	int rc = 0;

	for (unsigned which = 0; which < 2 && rc == 0; which++)
		// Not on a core of its own: that may be a thread of the one that is measured, and
		// then one core alone would look slow, and two like a gain.
		rc = bench_testpmd_start(&s->testpmd[which], s->capture, s->cores,
			workers_of(s, which), s->cores[0], s->huge_pages,
			!s->o->no_boost && geteuid() == 0, s->wrong, sizeof(s->wrong));
	return rc;
}

static int direction_run(struct scale *s, enum bench_direction direction)
{
	struct scale_round rounds[BENCH_ROUNDS_MAX];
	const struct bench_population *p = &s->fixture->population;
	struct bench_traffic t;
	struct bench_distribution distribution;
	int rc;

	fprintf(stderr, "relaybench: replay %s, %u workers, %u channels\n",
		bench_direction_name(direction), s->o->workers, p->n_flows);
	bench_traffic_init(&t, p, direction, s->o->payloads[0], s->o->seed);
	bench_distribution_init(&distribution, p->n_flows, s->o->zipf, s->o->seed);
	snprintf(s->capture, sizeof(s->capture), "%s/capture.pcap", s->place.run_directory);
	rc = bench_capture_write(s->capture, &t, &distribution, BENCH_CAPTURE_PACKETS);
	if (rc == 0)
		rc = testpmds_start(s);
	for (unsigned i = 0; i < s->o->rounds && rc == 0; i++)
		rc = bench_host_stopped() ? -EINTR : round_run(s, direction, &rounds[i]);
	for (unsigned which = 0; which < 2; which++)
		bench_testpmd_stop(&s->testpmd[which]);
	if (rc == 0)
		cell_add(s, direction, p->n_flows, rounds);
	unlink(s->capture);
	return rc;
}

static int population_run(struct bench_host *g, struct scale *s, uint32_t channels, unsigned kind)
{
	const struct bench_population p = {.n_flows = channels,
		.family = s->o->families[0],
		.hairpin = kind == 1,
		.mixed = kind == 2};
	struct shm_error err = {.text = ""};
	int rc = bench_host_place(g, &s->place, &err);

	if (rc == 0)
		rc = bench_fixture_create(&s->fixture, &p, PORT_OUT, &s->place, &err);
	if (rc != 0)
		snprintf(s->wrong, sizeof(s->wrong), "%.150s", err.text);
	for (unsigned d = 0; d < s->o->n_directions && rc == 0; d++)
		if (bench_direction_fits(s->o->directions[d], &p))
			rc = direction_run(s, s->o->directions[d]);
	bench_fixture_destroy(s->fixture);
	s->fixture = NULL;
	bench_host_clear(&s->place);
	return rc;
}

static int cores_choose(struct scale *s)
{
	int first = bench_cores_init(s->o->core);

	if (first < 0)
		return first;
	s->cores[0] = first;
	for (unsigned i = 1; i < s->o->workers; i++) {
		s->cores[i] = bench_cores_next(s->cores, i);
		if (s->cores[i] >= 0)
			continue;
		snprintf(
			s->wrong, sizeof(s->wrong), "%u workers need as many cores", s->o->workers);
		return -EINVAL;
	}
	return 0;
}

static uint64_t huge_need(const struct scale *s)
{
	const struct bench_population p = {.n_flows = s->o->channels[s->o->n_channels - 1]};

	return bench_fixture_octets(&p) * 2 + 3 * bench_replay_octets();
}

static int report(const struct scale *s)
{
	const json_t *c;
	size_t i;

	if (!s->o->json) {
		printf("replay, no NIC, no kernel; medians of %u rounds\n"
		       "%-16s %9s %8s %9s %9s %7s\n",
			s->o->rounds, "direction", "channels", "workers", "gain", "testpmd",
			"ratio");
		json_array_foreach((json_t *)(uintptr_t)s->cells, i, c)
			printf("%-16s %9lld %8lld %8.3f x %7.3f x %7.3f\n",
				json_string_value(json_object_get(c, "direction")),
				json_integer_value(json_object_get(c, "channels")),
				json_integer_value(json_object_get(c, "workers")),
				json_real_value(json_object_get(c, "gain")),
				json_real_value(json_object_get(c, "gain_testpmd")),
				json_real_value(json_object_get(c, "ratio")));
	}
	return bench_output_write(bench_output_make(s->o->argc, s->o->argv,
					  json_pack("{s:s, s:O}", "label",
						  "replay, no NIC, no kernel", "cells", s->cells)),
		s->o->output, s->o->json);
}

int bench_scale(struct bench_host *g, const struct bench_options *o)
{
	struct scale s = {.o = o, .cells = json_array()};
	int rc = 0;

	if (o->no_testpmd) {
		rc = -EINVAL;
		snprintf(s.wrong, sizeof(s.wrong),
			"--workers compares with dpdk-testpmd: leave --no-testpmd out");
	}
	if (rc == 0)
		rc = cores_choose(&s);
	if (rc == 0) {
		s.huge_pages = !o->small_pages && bench_host_take_huge(g, huge_need(&s));
		rc = bench_replay_start(
			s.huge_pages, s.cores, o->workers, s.wrong, sizeof(s.wrong));
	}
	for (unsigned n = 0; n < o->n_channels && rc == 0; n++) {
		for (unsigned kind = 0; kind < POPULATIONS && rc == 0; kind++)
			rc = population_run(g, &s, o->channels[n], kind);
	}
	if (rc == 0)
		rc = report(&s);
	else if (rc != -EINTR)
		fprintf(stderr, "relaybench: %s\n", s.wrong[0] != '\0' ? s.wrong : strerror(-rc));
	bench_replay_stop();
	json_decref(s.cells);
	return rc == 0 ? BENCH_EXIT_OK : BENCH_EXIT_WRONG;
}
