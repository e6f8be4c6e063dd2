// SPDX-License-Identifier: BSD-3-Clause
// Whether the kernel keeps other processes, and its own tick, off the workers' cores. Any thread.
#pragma once

#include <turnpike/base.h>

#define ISOLATION_LIST_MAX 160u

// Cores as the kernel writes lists of them: "2-5,8". Longer lists are cut.
struct isolation {
	unsigned n_shared; // other processes may be run there
	char shared[ISOLATION_LIST_MAX];
	unsigned n_ticking; // the timer interrupts even a core with one runnable thread
	char ticking[ISOLATION_LIST_MAX];
};

// `isolated` and `nohz_full` are the kernel's lists; empty ones name no core.
void isolation_judge(struct isolation *i, const char *isolated, const char *nohz_full,
	const unsigned *cores, unsigned n_cores);

// With the lists of this machine: isolcpus= and isolated cpuset partitions; nohz_full=.
void isolation_read(struct isolation *i, const unsigned *cores, unsigned n_cores);
