// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <math.h>

#include <jansson.h>

#include <bench/clock.h>
#include <bench/output.h>
#include "result.h"

#define LABEL_MEMORY "memory, relay logic alone"
#define LABEL_REPLAY "replay, no NIC, no kernel"

// ---- figures of a round -------------------------------------------------------------------------

static double get_relay(const struct bench_round *r)
{
	return r->relay;
}

static double get_relay_median(const struct bench_round *r)
{
	return r->relay_median;
}

static double get_relay_p99(const struct bench_round *r)
{
	return r->relay_p99;
}

static double get_receive(const struct bench_round *r)
{
	return r->receive;
}

static double get_transmit(const struct bench_round *r)
{
	return r->transmit;
}

static double get_loop_cycles(const struct bench_round *r)
{
	return r->loop.cycles;
}

static double get_loop_pps(const struct bench_round *r)
{
	return r->loop.pps;
}

static double get_line(const struct bench_round *r)
{
	return r->line;
}

static double get_interrupted(const struct bench_round *r)
{
	return r->interrupted;
}

static double get_io_cycles(const struct bench_round *r)
{
	return r->rivals[BENCH_IO].cycles;
}

static double get_macswap_cycles(const struct bench_round *r)
{
	return r->rivals[BENCH_MACSWAP].cycles;
}

static double get_5tswap_cycles(const struct bench_round *r)
{
	return r->rivals[BENCH_5TSWAP].cycles;
}

static double get_io_pps(const struct bench_round *r)
{
	return r->rivals[BENCH_IO].pps;
}

static double get_macswap_pps(const struct bench_round *r)
{
	return r->rivals[BENCH_MACSWAP].pps;
}

static double get_5tswap_pps(const struct bench_round *r)
{
	return r->rivals[BENCH_5TSWAP].pps;
}

static double get_relay_ratio(const struct bench_round *r)
{
	return r->relay / r->rivals[BENCH_5TSWAP].cycles;
}

static double get_rate_ratio(const struct bench_round *r)
{
	return r->loop.pps / r->rivals[BENCH_5TSWAP].pps;
}

static const struct {
	const char *group; // NULL: the cell itself
	const char *name;
	double (*get)(const struct bench_round *r);
	double scale; // decimals that are kept: 1 / scale
} figures[] = {
	{"cycles_per_packet", "relay", get_relay, 100},
	{"cycles_per_packet", "relay_burst_median", get_relay_median, 100},
	{"cycles_per_packet", "relay_burst_p99", get_relay_p99, 100},
	{"cycles_per_packet", "receive", get_receive, 100},
	{"cycles_per_packet", "transmit", get_transmit, 100},
	{"cycles_per_packet", "loop", get_loop_cycles, 100},
	{"cycles_per_packet", "testpmd_io", get_io_cycles, 100},
	{"cycles_per_packet", "testpmd_macswap", get_macswap_cycles, 100},
	{"cycles_per_packet", "testpmd_5tswap", get_5tswap_cycles, 100},
	{"packets_per_second", "loop", get_loop_pps, 1},
	{"packets_per_second", "testpmd_io", get_io_pps, 1},
	{"packets_per_second", "testpmd_macswap", get_macswap_pps, 1},
	{"packets_per_second", "testpmd_5tswap", get_5tswap_pps, 1},
	{"ratios", "relay_cycles_to_5tswap_cycles", get_relay_ratio, 1000},
	{"ratios", "loop_rate_to_5tswap_rate", get_rate_ratio, 1000},
	{NULL, "random_line_cycles", get_line, 100},
	{NULL, "interrupted_bursts", get_interrupted, 1e6},
};

// ---- JSON ---------------------------------------------------------------------------------------

static json_t *json_number(double v, double scale)
{
	return isfinite(v) ? json_real(round(v * scale) / scale) : json_null();
}

static json_t *json_spread(const struct bench_spread *s, double scale)
{
	return json_pack("{s:o, s:o, s:o}", "median", json_number(s->median, scale), "low",
		json_number(s->low, scale), "high", json_number(s->high, scale));
}

static json_t *group_of(json_t *cell, const char *name)
{
	json_t *group = name == NULL ? cell : json_object_get(cell, name);

	if (group == NULL) {
		group = json_object();
		json_object_set_new(cell, name, group);
	}
	return group;
}

static json_t *json_cell(const struct bench_result *r, const struct bench_cell *c)
{
	double bar = bench_result_lines_bar(r, c);
	bool replay = c->source == BENCH_SOURCE_REPLAY;
	json_t *j;

	j = json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:b, s:I, s:i, s:i}", "source",
		replay ? "replay" : "memory", "label", replay ? LABEL_REPLAY : LABEL_MEMORY,
		"direction", bench_direction_name(c->direction), "family",
		bench_family_name(c->family), "payload", (int)c->payload, "channels",
		(json_int_t)c->channels, "readdressed", c->readdressed, "packets_forwarded",
		(json_int_t)c->packets, "rounds", (int)c->n_rounds, "rounds_throttled",
		(int)(c->n_rounds - bench_cell_kept(c)));
	for (size_t i = 0; i < TP_ARRAY_LEN(figures) && j != NULL; i++) {
		struct bench_spread s = bench_cell_spread(c, figures[i].get);

		if (s.n != 0)
			json_object_set_new(group_of(j, figures[i].group), figures[i].name,
				json_spread(&s, figures[i].scale));
	}
	if (isfinite(bar))
		json_object_set_new(j, "lines_bar",
			json_pack("{s:i, s:o, s:o}", "lines", (int)BENCH_LINES, "cycles",
				json_number(bar, 100), "ratio",
				json_number(bench_cell_spread(c, get_relay).median / bar, 1000)));
	return j;
}

json_t *bench_report_json(const struct bench_result *r)
{
	const struct bench_options *o = r->options;
	json_t *cells = json_array();

	for (unsigned i = 0; i < r->n_cells; i++)
		json_array_append_new(cells, json_cell(r, &r->cells[i]));
	return bench_output_make(o->argc, o->argv,
		json_pack("{s:I, s:f, s:f, s:i, s:b, s:b, s:o, s:o}", "seed", (json_int_t)o->seed,
			"zipf", o->zipf, "seconds", o->seconds, "core", r->core, "huge_pages",
			r->huge_pages, "boosted", r->boosted, "best_spin_cycles",
			json_number(r->best_spin, 1000), "cells", cells));
}

// ---- table --------------------------------------------------------------------------------------

static void print_number(FILE *out, int width, const char *format, double v)
{
	char text[32] = "-";

	if (isfinite(v))
		snprintf(text, sizeof(text), format, v);
	fprintf(out, "%*s", width, text);
}

static void print_row(FILE *out, const struct bench_result *r, const struct bench_cell *c)
{
	struct bench_spread relay = bench_cell_spread(c, get_relay);
	char range[48];

	snprintf(range, sizeof(range), "%.1f..%.1f", relay.low, relay.high);
	fprintf(out, "%-6s  %-14s  %-4s  %5u  %8u  ",
		c->source == BENCH_SOURCE_REPLAY ? "replay" : "memory",
		bench_direction_name(c->direction), bench_family_name(c->family), c->payload,
		c->channels);
	print_number(out, 6, "%.1f", relay.median);
	fprintf(out, "  %-14s", range);
	print_number(out, 6, "%.1f", bench_cell_spread(c, get_relay_p99).median);
	print_number(out, 8, "%.1f", bench_cell_spread(c, get_receive).median);
	print_number(out, 8, "%.1f", bench_cell_spread(c, get_transmit).median);
	print_number(out, 8, "%.1f", bench_cell_spread(c, get_loop_cycles).median);
	print_number(out, 8, "%.2f", bench_cell_spread(c, get_loop_pps).median / 1e6);
	print_number(out, 8, "%.1f", bench_cell_spread(c, get_5tswap_cycles).median);
	print_number(out, 8, "%.2f", bench_cell_spread(c, get_relay_ratio).median);
	print_number(out, 7, "%.2f", bench_cell_spread(c, get_rate_ratio).median);
	print_number(out, 7, "%.1f", bench_cell_spread(c, get_line).median);
	print_number(out, 7, "%.1f", bench_result_lines_bar(r, c));
	fprintf(out, "  %u/%u\n", bench_cell_kept(c), c->n_rounds);
}

void bench_report_table(const struct bench_result *r, FILE *out)
{
	fprintf(out,
		"Cycles per packet, medians over rounds; %.3f GHz counter, %s pages, seed %llu.\n"
		"replay: replay, no NIC, no kernel. memory: relay logic alone.\n\n"
		"source  direction       fam.  bytes  channels   relay  range         p99   "
		"receive transmit    loop  Mpkt/s  5tswap  ratio   rate   line    bar  rounds\n",
		bench_cycles_hz() / 1e9, r->huge_pages ? "2 MiB" : "4 KiB",
		(unsigned long long)r->options->seed);
	for (unsigned i = 0; i < r->n_cells; i++)
		print_row(out, r, &r->cells[i]);
	fprintf(out,
		"\nratio: relay cycles to the whole of testpmd 5tswap; rate: whole loop's packets "
		"to "
		"its.\nline: cycles per random cache line of the tables; bar: %.1f times the "
		"cycles at "
		"%u\nchannels and %u such lines.\n",
		BENCH_LINES_SLACK, BENCH_FEW_CHANNELS, BENCH_LINES);
}
