// SPDX-License-Identifier: BSD-3-Clause
// A reload while clients ask: what it costs them, and that nothing is lost by it.
#include "reload.h"

#include <errno.h>
#include <stdio.h>

#include <bench/clock.h>

struct reload {
	struct bench_relay *relay;
	struct bench_setup_reload *result;
	uint64_t wall_ns; // of the step before
	uint64_t cpu_ns;
	int rc;
	char wrong[120];
};

static double us_since(clockid_t clock, uint64_t then_ns)
{
	return (double)(bench_clock_ns(clock) - then_ns) / 1e3;
}

static void mark(struct reload *r)
{
	r->wall_ns = bench_clock_ns(CLOCK_MONOTONIC_RAW);
	r->cpu_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void step_take(struct reload *r)
{
	struct bench_setup_steps *s = &r->result->sweep;
	double wall_us = us_since(CLOCK_MONOTONIC_RAW, r->wall_ns);
	double cpu_us = us_since(CLOCK_THREAD_CPUTIME_ID, r->cpu_ns);

	s->n++;
	s->wall_s += wall_us / 1e6;
	s->cpu_s += cpu_us / 1e6;
	if (wall_us > s->longest_wall_us)
		s->longest_wall_us = wall_us;
	if (cpu_us > s->longest_cpu_us)
		s->longest_cpu_us = cpu_us;
}

// The reload itself first, then the steps of its sweep.
static bool reload_step(void *ctx)
{
	static struct operator_reload outcome;
	struct reload *r = ctx;
	struct turn_server *turn = r->relay->process.core.turn;

	if (r->wall_ns != 0) {
		step_take(r);
		mark(r);
		return turn_deadline(turn) == 0;
	}
	mark(r);
	r->rc = process_reload(&r->relay->process, false, &outcome);
	r->result->call_wall_us = us_since(CLOCK_MONOTONIC_RAW, r->wall_ns);
	r->result->call_cpu_us = us_since(CLOCK_THREAD_CPUTIME_ID, r->cpu_ns);
	if (r->rc < 0)
		snprintf(r->wrong, sizeof(r->wrong), "%.100s", outcome.problem);
	mark(r);
	return r->rc == 0;
}

// Every allocation lives, the permissions of denied peers alone are gone, no counter went back.
static int verify(const struct reload *r, const struct turn_counters *before, uint32_t allocations,
	uint32_t denied, char *wrong, size_t wrong_size)
{
	const struct turn_counters *after = turn_get_counters(r->relay->process.core.turn);
	const uint64_t *x = (const uint64_t *)before, *y = (const uint64_t *)after;
	struct tables_counts c;

	for (size_t i = 0; i < sizeof(*before) / sizeof(*x); i++) {
		if (y[i] < x[i]) {
			snprintf(wrong, wrong_size, "a counter went back by the reload");
			return -EPROTO;
		}
	}
	r->result->revoked = (uint32_t)(after->permissions_revoked - before->permissions_revoked);
	tables_get_counts(r->relay->process.link.tables, bench_clock_ns(CLOCK_BOOTTIME), &c);
	if (c.allocations == allocations && c.permissions == allocations - denied &&
		c.channels == allocations - denied && r->result->revoked == denied)
		return 0;
	snprintf(wrong, wrong_size,
		"after the reload %u allocations, %u permissions, %u channels live, %u were "
		"revoked; "
		"%u of %u peers are denied",
		c.allocations, c.permissions, c.channels, r->result->revoked, denied, allocations);
	return -EPROTO;
}

int bench_reload(struct bench_relay *relay, struct bench_clients *clients,
	const struct bench_relay_shape *shape, int core, struct bench_setup_reload *result,
	char *wrong, size_t wrong_size)
{
	const struct turn_counters before = *turn_get_counters(relay->process.core.turn);
	struct reload r = {.relay = relay, .result = result};
	const struct bench_drive_guest guest = {.step = reload_step, .ctx = &r};
	uint32_t denied;
	int rc = bench_drive_with(
		relay, clients, BENCH_CHANNEL, BENCH_STAGES, core, NULL, &result->wait_before_us);

	if (rc == 0)
		rc = bench_relay_deny(relay, shape, &denied);
	if (rc == 0)
		rc = bench_drive_with(relay, clients, BENCH_CHANNEL, BENCH_STAGES, core, &guest,
			&result->wait_during_us);
	if (rc == 0 && r.rc < 0) {
		snprintf(wrong, wrong_size, "%s", r.wrong);
		rc = r.rc;
	}
	return rc == 0 ? verify(&r, &before, shape->allocations, denied, wrong, wrong_size) : rc;
}
