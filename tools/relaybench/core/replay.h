// SPDX-License-Identifier: BSD-3-Clause
// The data plane's worker as it is, from net_pcap (a capture over and over) to net_null, attached
// to the fixture's tables as the data plane attaches. The worker has one core to itself; the
// calling thread sleeps elsewhere meanwhile.
//
// EAL starts once per process: bench_replay_start, then any number of captures.
#pragma once

#include <shm/place.h>

#include <fixture/fixture.h>
#include "attribution.h"

#define BENCH_CAPTURE_PACKETS 16384u
#define BENCH_BUFFERS	      65536u // of the packet pool; testpmd is given as many
#define BENCH_WORKERS_MAX     3u     // a worker's queue keeps a whole capture in the pool

struct bench_replay;

// Octets of huge pages that it needs.
uint64_t bench_replay_octets(void);

// On failure *wrong says why.
int bench_replay_start(
	bool huge_pages, const int *cores, unsigned n_cores, char *wrong, size_t wrong_size);
void bench_replay_stop(void); // fine when it is not started

// Opens the ports, with a queue for each of the workers (no more than cores), and attaches to the
// fixture of `place`.
int bench_replay_open(struct bench_replay **out, const struct bench_fixture *fixture,
	const struct shm_place *place, const char *capture, unsigned n_workers, char *wrong,
	size_t wrong_size);
void bench_replay_close(struct bench_replay *r); // NULL is fine

struct bench_replay_interval {
	uint64_t packets; // received within `cpu_ns`
	uint64_t cpu_ns;  // that the workers had their cores, all together
	uint64_t total;	  // packets of the whole interval, warm-up included
};

// Lets the workers run for `ns` after a warm-up, one through `attribution` unless that is NULL.
// -EPROTO when the workers counted anything but packets of this direction, all of them sent.
int bench_replay_run(struct bench_replay *r, struct bench_attribution *attribution,
	enum bench_direction direction, uint64_t ns, struct bench_replay_interval *interval,
	char *wrong, size_t wrong_size);
