// SPDX-License-Identifier: BSD-3-Clause
// Cores and memory that the host lets a process have.
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include <conf/conf.h>

#define PROC_CGROUP_SELF "/proc/self/cgroup"
#define PROC_CGROUP_ROOT "/sys/fs/cgroup"

// Takes the cores out of the set. False, with the set as it was: none would be left.
bool proc_cores_without(cpu_set_t *set, const uint32_t *cores, uint32_t n);

// The least memory.max of the process's control group and those above it; UINT64_MAX without one.
// `self`: PROC_CGROUP_SELF, `root`: PROC_CGROUP_ROOT.
uint64_t proc_memory_limit(const char *self, const char *root);

// Logs `memory_short` with the remedy where the limit is below `need` bytes: later the kernel would
// end the process without a word.
bool proc_memory_suffices(uint64_t need, const char *self, const char *root, const char *remedy);
// Memory of the workers for datagrams in fragments, on ordinary pages.
uint64_t proc_fragment_memory(const struct conf_dataplane *d);
// Memory of the data plane that is charged to its control group: packet buffers and its files of
// the segment, each 0 where they are in huge pages, fragments, and the process.
uint64_t proc_dataplane_memory(const struct conf_dataplane *d, uint64_t buffers, uint64_t files);

// Memory of the data plane for the buckets of one slot of the limits array, on ordinary pages that
// are there as slots are used.
#define PROC_BUCKETS_BYTES 128u

// Keeps everything that is mapped from being swapped out. 0, or a negative errno: the limit of
// locked memory does not allow it.
int proc_memory_lock(void);
