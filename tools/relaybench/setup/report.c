// SPDX-License-Identifier: BSD-3-Clause
#include "setup.h"

#include <errno.h>
#include <math.h>

#include <jansson.h>

#include <bench/output.h>
#include <bench/sample.h>

#define LABEL "through the rings, no NIC, no kernel"

static double get_wall_rate(const struct bench_setup_result *r, unsigned i)
{
	return r->batch_clients[i] / r->batches[i].wall_s;
}

static double get_cpu_rate(const struct bench_setup_result *r, unsigned i)
{
	return r->batch_clients[i] / r->batches[i].cpu_s;
}

static double get_cpu_us(const struct bench_setup_result *r, unsigned i)
{
	return r->batches[i].cpu_s / r->batch_clients[i] * 1e6;
}

static struct bench_spread spread_of(const struct bench_setup_result *r,
	double (*get)(const struct bench_setup_result *r, unsigned i))
{
	double values[BENCH_SETUP_BATCHES_MAX];

	for (unsigned i = 0; i < r->n_batches; i++)
		values[i] = get(r, i);
	return bench_spread_of(values, r->n_batches);
}

static double each(const struct bench_setup_result *r, double octets)
{
	return octets / r->options->allocations;
}

// ---- JSON ---------------------------------------------------------------------------------------

static json_t *json_rounded(double v, double scale)
{
	return isfinite(v) ? json_real(round(v * scale) / scale) : json_null();
}

static json_t *json_spread(const struct bench_setup_result *r,
	double (*get)(const struct bench_setup_result *r, unsigned i), double scale)
{
	struct bench_spread s = spread_of(r, get);

	return json_pack("{s:o, s:o, s:o}", "median", json_rounded(s.median, scale), "low",
		json_rounded(s.low, scale), "high", json_rounded(s.high, scale));
}

static json_t *json_memory(const struct bench_setup_result *r)
{
	return json_pack("{s:o, s:I, s:I, s:o}", "segment_bytes_per_allocation",
		json_rounded(each(r, (double)r->segment_octets), 10), "segment_bytes",
		(json_int_t)r->segment_octets, "ring_bytes", (json_int_t)r->ring_octets,
		"control_heap_bytes_per_allocation", json_rounded(each(r, r->resident_octets), 10));
}

static json_t *json_end(const struct bench_setup_result *r)
{
	const struct bench_setup_steps *e = &r->ending;

	if (!r->ended)
		return json_null();
	return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o}", "recovery_seconds",
		json_rounded(r->recovery_s, 1e4), "steps", (json_int_t)e->n, "seconds",
		json_rounded(e->wall_s, 1e4), "cpu_seconds", json_rounded(e->cpu_s, 1e4),
		"longest_step_us", json_rounded(e->longest_wall_us, 10), "longest_step_cpu_us",
		json_rounded(e->longest_cpu_us, 10));
}

static json_t *json_reload(const struct bench_setup_result *r)
{
	const struct bench_setup_reload *l = &r->reload;

	if (!r->reloaded)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:I}", "call_us",
		json_rounded(l->call_wall_us, 10), "call_cpu_us", json_rounded(l->call_cpu_us, 10),
		"longest_wait_before_us", json_rounded(l->wait_before_us, 10),
		"longest_wait_during_us", json_rounded(l->wait_during_us, 10), "steps",
		(json_int_t)l->sweep.n, "longest_step_us",
		json_rounded(l->sweep.longest_wall_us, 10), "longest_step_cpu_us",
		json_rounded(l->sweep.longest_cpu_us, 10), "permissions_revoked",
		(json_int_t)l->revoked);
}

json_t *bench_setup_report_json(const struct bench_setup_result *r)
{
	const struct bench_setup_options *o = r->options;

	return bench_output_make(o->argc, o->argv,
		json_pack("{s:s, s:i, s:b, s:b, s:I, s:I, s:s, s:I, s:i, s:o, s:o, s:o, s:o, s:o, "
			  "s:o}",
			"label", LABEL, "core", r->core, "huge_pages", r->huge_pages, "boosted",
			r->boosted, "allocations", (json_int_t)o->allocations, "users",
			(json_int_t)o->users, "credentials", o->rest ? "rest" : "static",
			"relay_addresses", (json_int_t)r->relay_addresses, "batches",
			(int)r->n_batches, "setups_per_second", json_spread(r, get_wall_rate, 1),
			"setups_per_cpu_second", json_spread(r, get_cpu_rate, 1),
			"cpu_us_per_setup", json_spread(r, get_cpu_us, 100), "memory",
			json_memory(r), "reload", json_reload(r), "end", json_end(r)));
}

// ---- text ---------------------------------------------------------------------------------------

void bench_setup_report_text(const struct bench_setup_result *r, FILE *out)
{
	const struct bench_setup_options *o = r->options;
	struct bench_spread wall = spread_of(r, get_wall_rate), cpu = spread_of(r, get_cpu_rate);

	fprintf(out,
		"Allocate, CreatePermission and ChannelBind, %s; %u allocations of %u %s users on "
		"%u\n"
		"relay addresses, %s pages; medians and ranges of %u batches.\n\n",
		LABEL, o->allocations, o->users, o->rest ? "time-limited" : "configured",
		r->relay_addresses, r->huge_pages ? "2 MiB" : "4 KiB", r->n_batches);
	fprintf(out, "set-ups per second       %10.0f  (%.0f to %.0f)\n", wall.median, wall.low,
		wall.high);
	fprintf(out, "set-ups per CPU second   %10.0f  (%.0f to %.0f), %.2f us each\n", cpu.median,
		cpu.low, cpu.high, 1e6 / cpu.median);
	fprintf(out, "segment per allocation   %10.1f bytes (rings: %.1f MiB in all)\n",
		each(r, (double)r->segment_octets), (double)r->ring_octets / (1 << 20));
	fprintf(out, "control process's heap   %10.1f bytes per allocation\n",
		each(r, r->resident_octets));
	if (r->reloaded)
		fprintf(out,
			"a reload took            %10.0f us (%.0f us of CPU), its sweep %llu steps "
			"of at "
			"most\n"
			"%.0f us (%.0f us of CPU); %u permissions ended; longest wait for an "
			"answer "
			"%.0f us\n"
			"before, %.0f us during it\n",
			r->reload.call_wall_us, r->reload.call_cpu_us,
			(unsigned long long)r->reload.sweep.n, r->reload.sweep.longest_wall_us,
			r->reload.sweep.longest_cpu_us, r->reload.revoked, r->reload.wait_before_us,
			r->reload.wait_during_us);
	if (!r->ended)
		return;
	fprintf(out, "taken over at restart in %10.3f s\n", r->recovery_s);
	fprintf(out,
		"all ended in             %10.3f s, %.3f s of CPU in %llu steps of the loop; the\n"
		"longest took %.0f us (%.0f us of CPU)\n",
		r->ending.wall_s, r->ending.cpu_s, (unsigned long long)r->ending.n,
		r->ending.longest_wall_us, r->ending.longest_cpu_us);
}
