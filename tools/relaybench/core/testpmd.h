// SPDX-License-Identifier: BSD-3-Clause
// dpdk-testpmd on the same kind of ports, as a child that is driven through its prompt and bounded
// in everything it does. It forwards on the core that the worker has in its turn.
#pragma once

#include <sys/types.h>

#include "result.h"

#define BENCH_TESTPMD_CORES 3u

struct bench_testpmd {
	pid_t pid; // 0: none
	unsigned n_workers;
	pid_t workers[BENCH_TESTPMD_CORES]; // threads that forward
	int fd;				    // its terminal
	char text[1 << 16];
	size_t len;
};

// Starts it on `capture`, at rest, with a queue for each of the cores. Its main thread, which never
// rests, has the idle time of `main_core`. -ENOENT when it is not installed; *wrong says why.
int bench_testpmd_start(struct bench_testpmd *t, const char *capture, const int *cores,
	unsigned n_cores, int main_core, bool huge_pages, bool boost, char *wrong,
	size_t wrong_size);

// Forwards for `ns`; pps is the rate of all its cores together. -EPROTO when its report is not
// understood.
int bench_testpmd_run(struct bench_testpmd *t, enum bench_rival rival, uint64_t ns,
	struct bench_rate *rate, char *wrong, size_t wrong_size);

// Ends it, by force after a few seconds. Fine when it is not started.
void bench_testpmd_stop(struct bench_testpmd *t);
