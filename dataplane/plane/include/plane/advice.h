// SPDX-License-Identifier: BSD-3-Clause
// Start-up advice: configurations that work but perform badly, logged with the remedy. Any thread.
#pragma once

#include <io/port.h>

#define PLANE_ISOLATION_LIST_MAX 160u

// Cores as the kernel writes lists of them: "2-5,8". Longer lists are cut.
struct plane_isolation {
	unsigned n_shared; // other processes may be run there
	char shared[PLANE_ISOLATION_LIST_MAX];
	unsigned n_ticking; // the timer interrupts even a core with one runnable thread
	char ticking[PLANE_ISOLATION_LIST_MAX];
};

// Whether the kernel keeps other processes, and its own tick, off these cores. `isolated` and
// `nohz_full` are the kernel's lists; empty ones name no core.
void plane_isolation_judge(struct plane_isolation *i, const char *isolated, const char *nohz_full,
	const unsigned *cores, unsigned n_cores);

// Advises on cores that are not isolated by the lists of this machine: isolcpus= and isolated
// cpuset partitions; nohz_full=. True: other processes may be run on some of them.
bool plane_advise_cores(const unsigned *cores, unsigned n_cores);
// Whether the interface takes the tags off frames before XDP sees them, so that a frame of another
// VLAN would be served as an untagged one; with the command that ends it.
#define PLANE_REMEDY_MAX 160u
bool plane_advise_tags(const struct steer_link *l, char remedy[PLANE_REMEDY_MAX]);
// Advises on a port whose packets come by one queue although its driver does not distribute by UDP
// ports.
void plane_advise_spread(const struct io_port *port, unsigned index);
// Advises on a started port that has fewer queues than workers, or is not on their NUMA node.
void plane_advise_port(const struct io_port *port, unsigned index, unsigned n_workers);
