// SPDX-License-Identifier: BSD-3-Clause
// Rounds of one cell: the worker as it is, the worker taken apart, then testpmd in each mode, on
// the same core and the same capture, one after the other.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture.h"
#include "clock.h"
#include "cores.h"
#include "ground.h"
#include "replay.h"
#include "stand.h"
#include "testpmd.h"

#define SAMPLES_MAX (1u << 18)
#define SKIP_BURSTS 4096u

struct lane {
	struct bench_stand *stand;
	struct bench_cell *cell;
	struct bench_traffic traffic;
	struct bench_split split;
	struct bench_replay *replay;
	struct bench_testpmd testpmd;
	char capture[SHM_PATH_MAX + 16];
};

static uint64_t span_ns(const struct lane *l)
{
	return (uint64_t)(l->stand->options->seconds * 1e9);
}

// Notes the core's speed; nobody else of ours runs there now.
static void spin_there(const struct lane *l, struct bench_round *r)
{
	double spin;

	bench_cores_on(l->stand->result->core);
	spin = bench_spin();
	bench_cores_off(l->stand->result->core);
	r->spin = fmax(r->spin, spin); // NAN at first, which both pass over
	r->spin_least = fmin(r->spin_least, spin);
}

static int worker_run_once(struct lane *l, bool timed, struct bench_replay_span *span)
{
	struct bench_stand *s = l->stand;
	int rc;

	l->split.timed = timed;
	l->split.skip = SKIP_BURSTS;
	rc = bench_replay_run(l->replay, &l->split, l->cell->direction, span_ns(l), span, s->wrong,
		sizeof(s->wrong));
	if (rc == 0)
		l->cell->packets += span->total;
	return rc;
}

// Mean cycles per packet of what `sample` holds.
static double mean_per_packet(struct bench_sample *sample, double overhead)
{
	double per_burst = (double)sample->packets / (double)sample->bursts;

	return bench_sample_figures(sample, overhead).mean / per_burst;
}

// The three parts' shares come from bursts that were not interrupted; their sum is what the loop
// took of the core's time, as it is for testpmd: what the host takes away unseen is on the account
// of both.
static void split_read(struct lane *l, struct bench_round *r, double loop)
{
	struct bench_sample *relay = &l->split.relay;
	double overhead = l->stand->overhead;
	double per_burst = (double)relay->packets / (double)relay->bursts;
	// Two pieces, from receive to transmit and from there to receive.
	struct bench_burst_figures f = bench_sample_figures(relay, 2 * overhead);
	double scale;

	r->relay = f.mean / per_burst;
	r->relay_median = f.median / per_burst;
	r->relay_p99 = f.p99 / per_burst;
	r->interrupted = f.interrupted;
	r->receive = mean_per_packet(&l->split.receive, overhead);
	r->transmit = mean_per_packet(&l->split.transmit, overhead);
	scale = (loop - 4 * overhead / per_burst) / (r->relay + r->receive + r->transmit);
	r->relay *= scale;
	r->receive *= scale;
	r->transmit *= scale;
}

static struct bench_rate rate_of(const struct bench_replay_span *span)
{
	double pps = (double)span->packets * 1e9 / (double)span->cpu_ns;

	return (struct bench_rate){.cycles = bench_cycles_hz() / pps, .pps = pps};
}

static int ours_run(struct lane *l, struct bench_round *r)
{
	struct bench_replay_span span;
	int rc = worker_run_once(l, false, &span);

	if (rc != 0)
		return rc;
	r->loop = rate_of(&span);
	bench_sample_reset(&l->split.relay);
	bench_sample_reset(&l->split.receive);
	bench_sample_reset(&l->split.transmit);
	rc = worker_run_once(l, true, &span);
	if (rc == 0)
		split_read(l, r, rate_of(&span).cycles);
	return rc;
}

static int round_run(struct lane *l)
{
	struct bench_stand *s = l->stand;
	struct bench_round *r = bench_cell_round(l->cell);
	int rc;

	spin_there(l, r);
	rc = ours_run(l, r);
	spin_there(l, r);
	for (unsigned i = 0; i < BENCH_RIVALS && rc == 0 && l->testpmd.pid != 0; i++)
		rc = bench_testpmd_run(
			&l->testpmd, i, span_ns(l), &r->rivals[i], s->wrong, sizeof(s->wrong));
	spin_there(l, r);
	return rc;
}

static int lane_open(struct lane *l)
{
	struct bench_stand *s = l->stand;
	const struct bench_options *o = s->options;
	int rc = bench_sample_init(&l->split.relay, SAMPLES_MAX);

	if (rc == 0)
		rc = bench_sample_init(&l->split.receive, SAMPLES_MAX);
	if (rc == 0)
		rc = bench_sample_init(&l->split.transmit, SAMPLES_MAX);
	bench_traffic_init(
		&l->traffic, &s->population, l->cell->direction, l->cell->payload, o->seed);
	bench_pick_init(&l->split.pick, s->population.n_flows, o->zipf, o->seed);
	snprintf(l->capture, sizeof(l->capture), "%s/capture.pcap", s->place.run_directory);
	if (o->capture != NULL)
		snprintf(l->capture, sizeof(l->capture), "%s", o->capture);
	else if (rc == 0)
		rc = bench_capture_write(
			l->capture, &l->traffic, &l->split.pick, BENCH_CAPTURE_PACKETS);
	if (rc != 0)
		snprintf(s->wrong, sizeof(s->wrong), "%.100s: %s", l->capture, strerror(-rc));
	// More flows than the capture has packets: they would not be visited at random.
	l->cell->readdressed = o->capture == NULL && s->population.n_flows > BENCH_CAPTURE_PACKETS;
	l->split.readdress = l->cell->readdressed ? &l->traffic : NULL;
	if (rc == 0)
		rc = bench_replay_open(
			&l->replay, s->scene, &s->place, l->capture, 1, s->wrong, sizeof(s->wrong));
	if (rc == 0 && !o->no_testpmd)
		rc = bench_testpmd_start(&l->testpmd, l->capture, &s->result->core, 1,
			bench_cores_other(s->result->core), s->result->huge_pages,
			s->result->boosted, s->wrong, sizeof(s->wrong));
	return rc;
}

static void lane_close(struct lane *l)
{
	bench_testpmd_stop(&l->testpmd);
	bench_replay_close(l->replay);
	bench_sample_fini(&l->split.relay);
	bench_sample_fini(&l->split.receive);
	bench_sample_fini(&l->split.transmit);
	if (l->stand->options->capture == NULL)
		unlink(l->capture);
}

static int cell_run(struct bench_stand *s, enum bench_direction direction, uint16_t payload)
{
	struct lane *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return -ENOMEM;
	l->stand = s;
	l->cell = bench_stand_cell(s, BENCH_SOURCE_REPLAY, direction, payload);
	rc = l->cell == NULL ? -ENOMEM : lane_open(l);
	for (unsigned i = 0; i < s->options->rounds && rc == 0; i++)
		rc = bench_ground_stopped() ? -EINTR : round_run(l);
	lane_close(l);
	free(l);
	return rc;
}

int bench_stand_replay(struct bench_stand *s)
{
	const struct bench_options *o = s->options;
	int rc = 0;

	bench_cores_off(s->result->core);
	for (unsigned d = 0; d < o->n_directions && rc == 0; d++)
		for (unsigned p = 0; p < o->n_payloads && rc == 0; p++)
			if (bench_stand_fits(s, o->directions[d]))
				rc = cell_run(s, o->directions[d], o->payloads[p]);
	return rc;
}
