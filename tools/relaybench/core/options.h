// SPDX-License-Identifier: BSD-3-Clause
// The command line of relaybench core. Lists are comma-separated.
#pragma once

#include <stdio.h>

#include <bench/exit.h>
#include <traffic/frame.h>

#define BENCH_LIST_MAX	    8u
#define BENCH_ROUNDS_MAX    64u

#define BENCH_SOURCE_MEMORY 1u
#define BENCH_SOURCE_REPLAY 2u

struct bench_options {
	uint32_t channels[BENCH_LIST_MAX];
	unsigned n_channels;
	enum bench_direction directions[BENCH_DIRECTIONS];
	unsigned n_directions;
	uint16_t payloads[BENCH_LIST_MAX];
	unsigned n_payloads;
	enum bench_family families[BENCH_FAMILIES];
	unsigned n_families;
	unsigned sources; // BENCH_SOURCE_*
	unsigned rounds;
	double seconds; // of each measured interval
	double zipf;	// 0: uniform
	uint64_t seed;
	unsigned workers; // more than 1: measures how they scale, and nothing else
	int core;	  // -1: the last one that the process may use
	bool small_pages;
	bool no_boost;
	bool no_testpmd;
	bool instructions;   // counts these and measures nothing else
	bool json;	     // on stdout instead of the table
	const char *capture; // replayed instead of one made for the cell; NULL: none
	const char *output;  // JSON file; NULL: none
	int argc;	     // as given, for the report
	char **argv;
};

// As options_read.
int bench_options_read(struct bench_options *o, int argc, char **argv);
