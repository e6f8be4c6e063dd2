// SPDX-License-Identifier: BSD-3-Clause
// Results: cells of a matrix, each with rounds. Cycles are those of the time stamp counter.
#pragma once

#include <jansson.h>

#include "options.h"
#include <bench/sample.h>

enum bench_rival { BENCH_IO, BENCH_MACSWAP, BENCH_5TSWAP, BENCH_RIVALS };

// "io", "macswap", "5tswap": forwarding modes of dpdk-testpmd.
const char *bench_rival_name(enum bench_rival rival);

// One kind of forwarding in one round; per packet. NaN: not measured.
struct bench_rate {
	double cycles;
	double pps; // per second that it had the core
};

struct bench_round {
	double spin;	   // the slowest of bench_spin before, between and after
	double spin_least; // the quickest
	bool throttled;	   // settled by bench_result_settle
	double relay;	   // cycles per packet, mean of bursts
	double relay_median;
	double relay_p99; // of bursts
	double interrupted;
	double line; // cycles per random cache line of the tables
	double receive, transmit;
	struct bench_rate loop; // receive, relay logic and transmit
	struct bench_rate rivals[BENCH_RIVALS];
};

struct bench_cell {
	unsigned source; // BENCH_SOURCE_*
	enum bench_family family;
	enum bench_direction direction;
	uint16_t payload;
	uint32_t channels;
	bool readdressed; // replay: packets get a random flow's addresses when they are received
	uint64_t packets; // forwarded while it was measured; none was not
	unsigned n_rounds;
	struct bench_round rounds[BENCH_ROUNDS_MAX];
};

struct bench_result {
	const struct bench_options *options;
	bool huge_pages;
	bool boosted;
	int core;
	double best_spin;
	unsigned n_cells, max_cells;
	struct bench_cell *cells;
};

int bench_result_init(struct bench_result *r, const struct bench_options *o); // -ENOMEM
void bench_result_fini(struct bench_result *r);

// A cell with n_rounds 0, or NULL when there are max_cells.
struct bench_cell *bench_result_cell(struct bench_result *r);
// All of it not measured yet.
struct bench_round *bench_cell_round(struct bench_cell *c);

// Marks the rounds whose core changed its speed by over 15 % between their two sides, or ran at
// less than half of its best in this run.
void bench_result_settle(struct bench_result *r);

// Rounds that are not throttled.
unsigned bench_cell_kept(const struct bench_cell *c);

// Median and range over the rounds that are not throttled, over all where every one was; `value`
// picks the figure.
struct bench_spread bench_cell_spread(
	const struct bench_cell *c, double (*value)(const struct bench_round *r));

// The bar of a cell of many channels, in cycles per packet: the cost of the same packets at
// BENCH_FEW_CHANNELS, where the tables are in the caches, and BENCH_LINES random lines.
#define BENCH_FEW_CHANNELS 1000u
#define BENCH_LINES	   4u // of a packet: its bucket, the two of its entry, its counters
#define BENCH_LINES_SLACK  1.2

// NaN for replay, for no more than BENCH_FEW_CHANNELS and where these were not measured.
double bench_result_lines_bar(const struct bench_result *r, const struct bench_cell *c);

// report.c
json_t *bench_report_json(const struct bench_result *r); // new; NULL without memory
void bench_report_table(const struct bench_result *r, FILE *out);
