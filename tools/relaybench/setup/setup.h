// SPDX-License-Identifier: BSD-3-Clause
// relaybench setup: set-ups (Allocate, CreatePermission, ChannelBind) per second of the control
// thread, their cost in memory, and the time to end them.
#pragma once

#include <stdio.h>

#include <jansson.h>

#include <bench/host.h>

#define BENCH_SETUP_BATCHES_MAX 64u

struct bench_setup_options {
	uint32_t allocations;
	uint32_t batch; // clients whose requests are signed, then measured, together
	uint32_t users; // client i is user i modulo this
	bool rest;	// time-limited credentials instead of configured users
	bool end;	// then restarts and ends all of them
	bool reload;	// then reloads a policy that denies part of the peers
	int core;	// -1: the last one that the process may use
	bool small_pages;
	bool no_boost;
	bool json;
	const char *output; // JSON file; NULL: none
	int argc;	    // as given, for the report
	char **argv;
};

// As options_read.
int bench_setup_options_read(struct bench_setup_options *o, int argc, char **argv);

// One batch.
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

// A reload under requests.
struct bench_setup_reload {
	double call_wall_us; // reading, comparing and putting into force
	double call_cpu_us;
	double wait_before_us; // longest wait for an answer before it
	double wait_during_us; // and during it
	struct bench_setup_steps sweep;
	uint32_t revoked; // permissions
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
	bool reloaded;
	struct bench_setup_reload reload;
	bool ended;
	double recovery_s;
	struct bench_setup_steps ending;
};

// The whole command. argv[0] is its name; returns the exit status.
int bench_setup_main(int argc, char **argv);

// setup_report.c
json_t *bench_setup_report_json(const struct bench_setup_result *r); // new; NULL without memory
void bench_setup_report_text(const struct bench_setup_result *r, FILE *out);
