// SPDX-License-Identifier: BSD-3-Clause
#include "result.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

// A round whose core changed its speed compares unlike things. Speeds that differ from round to
// round are no matter for the ratios, which are taken within one, unless the core was all but gone.
#define UNEVEN	  1.15
#define THROTTLED 2.0

const char *bench_rival_name(enum bench_rival rival)
{
	static const char *const names[BENCH_RIVALS] = {"io", "macswap", "5tswap"};

	return names[rival];
}

int bench_result_init(struct bench_result *r, const struct bench_options *o)
{
	*r = (struct bench_result){.options = o};
	r->max_cells = 2 * o->n_channels * o->n_directions * o->n_payloads * o->n_families;
	r->cells = calloc(r->max_cells, sizeof(*r->cells));
	return r->cells == NULL ? -ENOMEM : 0;
}

void bench_result_fini(struct bench_result *r)
{
	free(r->cells);
	r->cells = NULL;
}

struct bench_cell *bench_result_cell(struct bench_result *r)
{
	return r->n_cells < r->max_cells ? &r->cells[r->n_cells++] : NULL;
}

struct bench_round *bench_cell_round(struct bench_cell *c)
{
	struct bench_round *r = &c->rounds[c->n_rounds++];

	*r = (struct bench_round){.spin = NAN,
		.spin_least = NAN,
		.relay = NAN,
		.relay_median = NAN,
		.relay_p99 = NAN,
		.line = NAN,
		.receive = NAN,
		.transmit = NAN,
		.loop = {NAN, NAN}};
	for (unsigned i = 0; i < BENCH_RIVALS; i++)
		r->rivals[i] = (struct bench_rate){NAN, NAN};
	return r;
}

void bench_result_settle(struct bench_result *r)
{
	r->best_spin = INFINITY;
	for (unsigned c = 0; c < r->n_cells; c++)
		for (unsigned i = 0; i < r->cells[c].n_rounds; i++)
			r->best_spin = fmin(r->best_spin, r->cells[c].rounds[i].spin_least);
	for (unsigned c = 0; c < r->n_cells; c++) {
		struct bench_cell *cell = &r->cells[c];

		for (unsigned i = 0; i < cell->n_rounds; i++) {
			struct bench_round *round = &cell->rounds[i];

			round->throttled = round->spin > round->spin_least * UNEVEN ||
					   round->spin > r->best_spin * THROTTLED;
		}
	}
}

unsigned bench_cell_kept(const struct bench_cell *c)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < c->n_rounds; i++)
		kept += !c->rounds[i].throttled;
	return kept;
}

struct bench_spread bench_cell_spread(
	const struct bench_cell *c, double (*value)(const struct bench_round *r))
{
	double values[BENCH_ROUNDS_MAX];
	bool all = bench_cell_kept(c) == 0;
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_rounds; i++)
		if (all || !c->rounds[i].throttled)
			values[n++] = value(&c->rounds[i]);
	return bench_spread_of(values, n);
}

static double round_relay(const struct bench_round *r)
{
	return r->relay;
}

static double round_line(const struct bench_round *r)
{
	return r->line;
}

double bench_result_lines_bar(const struct bench_result *r, const struct bench_cell *c)
{
	if (c->source != BENCH_SOURCE_MEMORY || c->channels <= BENCH_FEW_CHANNELS)
		return NAN;
	for (unsigned i = 0; i < r->n_cells; i++) {
		const struct bench_cell *few = &r->cells[i];

		if (few->source == c->source && few->channels == BENCH_FEW_CHANNELS &&
			few->family == c->family && few->direction == c->direction &&
			few->payload == c->payload)
			return BENCH_LINES_SLACK *
			       (bench_cell_spread(few, round_relay).median +
				       BENCH_LINES * bench_cell_spread(c, round_line).median);
	}
	return NAN;
}
