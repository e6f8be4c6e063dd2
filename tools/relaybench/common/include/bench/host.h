// SPDX-License-Identifier: BSD-3-Clause
// Resources that a run takes from the machine, and returns however it ends: huge pages, a directory
// for the segment, a share of the scheduler. The run itself is a child of the process that keeps
// this.
#pragma once

#include <shm/file.h>

// Shared between the two processes; each field has one writer at a time.
struct bench_host {
	long huge_added;	      // pages added to vm.nr_hugepages
	pid_t owner;		      // the owner; the directory is named after it
	char directory[SHM_PATH_MAX]; // to be removed with its contents; empty: none
	char mount[SHM_PATH_MAX];     // hugetlbfs in the child's mount namespace; empty: none
};

// Runs `run(host, arg)` in a child with a session of its own, hands it SIGINT and SIGTERM, waits
// for its end and returns the resources. `boost`: its session goes before all others on the
// machine's cores. Returns the child's exit status.
int bench_host_supervise(int (*run)(struct bench_host *host, void *arg), void *arg, bool boost);

// The rest is the child's.

// Whether it should end: a signal has come.
bool bench_host_stopped(void);

// Puts the session of `pid` before all others on the machine's cores; the scheduler shares cores
// between sessions first, niceness counts inside one only. False: not root, or no autogroups.
bool bench_host_boost(pid_t pid);

// Reserves `size` bytes of huge pages beyond those that are free now and mounts a hugetlbfs that no
// other process sees. False (said on stderr) where that cannot be had: then 4 KiB pages serve.
bool bench_host_take_huge(struct bench_host *g, uint64_t size);

// A place for one segment, in huge pages if they were taken. Its files are removed by
// bench_host_clear.
int bench_host_place(struct bench_host *g, struct shm_place *place, struct shm_error *err);
void bench_host_clear(const struct shm_place *place);
