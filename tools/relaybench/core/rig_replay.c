// SPDX-License-Identifier: BSD-3-Clause
// Rounds of one cell: the worker as it is, the worker taken apart, then testpmd in each mode, on
// the same core and the same capture, one after the other.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <traffic/capture.h>
#include <bench/clock.h>
#include <bench/cores.h>
#include <bench/host.h>
#include "replay.h"
#include "rig.h"
#include "testpmd.h"

#define SAMPLES_MAX (1u << 18)
#define SKIP_BURSTS 4096u

struct lane {
	struct bench_rig *rig;
	struct bench_cell *cell;
	struct bench_traffic traffic;
	struct bench_attribution attribution;
	struct bench_replay *replay;
	struct bench_testpmd testpmd;
	char capture[SHM_PATH_MAX + 16];
};

static uint64_t interval_ns(const struct lane *l)
{
	return (uint64_t)(l->rig->options->seconds * 1e9);
}

// Notes the core's speed; nobody else of ours runs there now.
static void spin_there(const struct lane *l, struct bench_round *r)
{
	double spin;

	bench_cores_on(l->rig->result->core);
	spin = bench_spin();
	bench_cores_off(l->rig->result->core);
	r->spin = fmax(r->spin, spin); // NAN at first, which both pass over
	r->spin_least = fmin(r->spin_least, spin);
}

static int worker_run_once(struct lane *l, bool timed, struct bench_replay_interval *interval)
{
	struct bench_rig *s = l->rig;
	int rc;

	l->attribution.timed = timed;
	l->attribution.skip = SKIP_BURSTS;
	rc = bench_replay_run(l->replay, &l->attribution, l->cell->direction, interval_ns(l),
		interval, s->wrong, sizeof(s->wrong));
	if (rc == 0)
		l->cell->packets += interval->total;
	return rc;
}

// Mean cycles per packet of the bursts in `sample`.
static double mean_per_packet(struct bench_sample *sample, double overhead)
{
	double per_burst = (double)sample->packets / (double)sample->bursts;

	return bench_sample_figures(sample, overhead).mean / per_burst;
}

// The three parts' shares come from bursts that were not interrupted; their sum is the loop's share
// of the core's time, as for testpmd: time that the host takes away unseen burdens both.
static void attribution_read(struct lane *l, struct bench_round *r, double loop)
{
	struct bench_sample *relay = &l->attribution.relay;
	double overhead = l->rig->overhead;
	double per_burst = (double)relay->packets / (double)relay->bursts;
	// Two pieces, from receive to transmit and from there to receive.
	struct bench_burst_figures f = bench_sample_figures(relay, 2 * overhead);
	double scale;

	r->relay = f.mean / per_burst;
	r->relay_median = f.median / per_burst;
	r->relay_p99 = f.p99 / per_burst;
	r->interrupted = f.interrupted;
	r->receive = mean_per_packet(&l->attribution.receive, overhead);
	r->transmit = mean_per_packet(&l->attribution.transmit, overhead);
	scale = (loop - 4 * overhead / per_burst) / (r->relay + r->receive + r->transmit);
	r->relay *= scale;
	r->receive *= scale;
	r->transmit *= scale;
}

static struct bench_rate rate_of(const struct bench_replay_interval *interval)
{
	double pps = (double)interval->packets * 1e9 / (double)interval->cpu_ns;

	return (struct bench_rate){.cycles = bench_cycles_hz() / pps, .pps = pps};
}

static int ours_run(struct lane *l, struct bench_round *r)
{
	struct bench_replay_interval interval;
	int rc = worker_run_once(l, false, &interval);

	if (rc != 0)
		return rc;
	r->loop = rate_of(&interval);
	bench_sample_reset(&l->attribution.relay);
	bench_sample_reset(&l->attribution.receive);
	bench_sample_reset(&l->attribution.transmit);
	rc = worker_run_once(l, true, &interval);
	if (rc == 0)
		attribution_read(l, r, rate_of(&interval).cycles);
	return rc;
}

// A failure of testpmd leaves a hole: the relay's own figures do not need it.
static void rivals_run(struct lane *l, struct bench_round *r)
{
	char wrong[sizeof(l->rig->wrong)];

	for (unsigned i = 0; i < BENCH_RIVALS; i++)
		if (bench_testpmd_run(&l->testpmd, i, interval_ns(l), &r->rivals[i], wrong,
			    sizeof(wrong)) != 0)
			fprintf(stderr, "relaybench: left out of this round: %s: %s\n",
				bench_rival_name(i), wrong);
}

static int round_run(struct lane *l)
{
	struct bench_round *r = bench_cell_round(l->cell);
	int rc;

	spin_there(l, r);
	rc = ours_run(l, r);
	spin_there(l, r);
	if (rc == 0 && l->testpmd.pid != 0)
		rivals_run(l, r);
	spin_there(l, r);
	return rc;
}

static int lane_open(struct lane *l)
{
	struct bench_rig *s = l->rig;
	const struct bench_options *o = s->options;
	int rc = bench_sample_init(&l->attribution.relay, SAMPLES_MAX);

	if (rc == 0)
		rc = bench_sample_init(&l->attribution.receive, SAMPLES_MAX);
	if (rc == 0)
		rc = bench_sample_init(&l->attribution.transmit, SAMPLES_MAX);
	bench_traffic_init(
		&l->traffic, &s->population, l->cell->direction, l->cell->payload, o->seed);
	bench_distribution_init(
		&l->attribution.distribution, s->population.n_flows, o->zipf, o->seed);
	snprintf(l->capture, sizeof(l->capture), "%s/capture.pcap", s->place.run_directory);
	if (o->capture != NULL)
		snprintf(l->capture, sizeof(l->capture), "%s", o->capture);
	else if (rc == 0)
		rc = bench_capture_write(l->capture, &l->traffic, &l->attribution.distribution,
			BENCH_CAPTURE_PACKETS);
	if (rc != 0)
		snprintf(s->wrong, sizeof(s->wrong), "%.100s: %s", l->capture, strerror(-rc));
	// More flows than the capture has packets: they would not be visited at random.
	l->cell->readdressed = o->capture == NULL && s->population.n_flows > BENCH_CAPTURE_PACKETS;
	l->attribution.readdress = l->cell->readdressed ? &l->traffic : NULL;
	if (rc == 0)
		rc = bench_replay_open(&l->replay, s->fixture, &s->place, l->capture, 1, s->wrong,
			sizeof(s->wrong));
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
	bench_sample_fini(&l->attribution.relay);
	bench_sample_fini(&l->attribution.receive);
	bench_sample_fini(&l->attribution.transmit);
	if (l->rig->options->capture == NULL)
		unlink(l->capture);
}

static int cell_run(struct bench_rig *s, enum bench_direction direction, uint16_t payload)
{
	struct lane *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return -ENOMEM;
	l->rig = s;
	l->cell = bench_rig_cell(s, BENCH_SOURCE_REPLAY, direction, payload);
	rc = l->cell == NULL ? -ENOMEM : lane_open(l);
	for (unsigned i = 0; i < s->options->rounds && rc == 0; i++)
		rc = bench_host_stopped() ? -EINTR : round_run(l);
	lane_close(l);
	free(l);
	return rc;
}

int bench_rig_replay(struct bench_rig *s)
{
	const struct bench_options *o = s->options;
	int rc = 0;

	bench_cores_off(s->result->core);
	for (unsigned d = 0; d < o->n_directions && rc == 0; d++)
		for (unsigned p = 0; p < o->n_payloads && rc == 0; p++)
			if (bench_rig_fits(s, o->directions[d]))
				rc = cell_run(s, o->directions[d], o->payloads[p]);
	return rc;
}
