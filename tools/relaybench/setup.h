// SPDX-License-Identifier: BSD-3-Clause
// relaybench setup: how many set-ups (Allocate, CreatePermission, ChannelBind) the control thread
// does per second, what they cost in memory, and how it takes their end.
#pragma once

#include <stdio.h>

#include <jansson.h>

#include "ground.h"

#define BENCH_SETUP_BATCHES_MAX 64u

struct bench_setup_options {
	uint32_t allocations;
	uint32_t batch; // clients whose requests are signed, then measured, together
	uint32_t users; // client i is user i modulo this
	bool rest;	// time-limited credentials instead of configured users
	bool end;	// then restarts and ends all of them
	int core;	// -1: the last one that the process may use
	bool small_pages;
	bool no_boost;
	bool json;
	const char *output; // JSON file; NULL: none
	const char *page;   // "help" or "version": print it and leave
	int argc;	    // as given, for the report
	char **argv;
};

// 0, or -EINVAL after a message on stderr.
int bench_setup_options_read(struct bench_setup_options *o, int argc, char **argv);
void bench_setup_options_help(FILE *out);

// Of a batch.
struct bench_setup_batch {
	double wall_s;
	double cpu_s; // of the control thread, polls of empty rings left out
};

// Steps of the control loop.
struct bench_setup_steps {
	uint64_t n;
	double wall_s;
	double cpu_s;
	double longest_wall_us; // of one step
	double longest_cpu_us;
};

struct bench_setup_result {
	const struct bench_setup_options *options;
	int core;
	bool huge_pages;
	bool boosted;
	uint32_t relay_addresses;
	unsigned n_batches;
	struct bench_setup_batch batches[BENCH_SETUP_BATCHES_MAX];
	uint32_t batch_clients[BENCH_SETUP_BATCHES_MAX];
	uint64_t segment_octets; // of the files that grow with the number of allocations
	uint64_t ring_octets;	 // of the others
	double resident_octets;	 // of the control process's own memory
	bool ended;
	double recovery_s;
	struct bench_setup_steps ending;
};

// Measures and reports; answers the exit status.
int bench_setup(struct bench_ground *g, const struct bench_setup_options *o);

// setup_report.c
json_t *bench_setup_report_json(const struct bench_setup_result *r); // new; NULL without memory
void bench_setup_report_text(const struct bench_setup_result *r, FILE *out);
