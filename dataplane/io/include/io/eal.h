// SPDX-License-Identifier: BSD-3-Clause
// DPDK's environment: memory, threads, devices. Once per process, from its main thread.
#pragma once

#include <steer/claim.h>

#include <io/device.h>

struct eal_settings {
	const char *instance;
	const unsigned *cores; // of the workers; lcore i + 1 runs on cores[i]
	unsigned n_cores;
	uint64_t memory_octets;		 // needed by ports and pools
	bool no_huge;			 // 4 KiB pages
	bool of_no_node;		 // the main thread's memory may come from any node
	const struct io_device *devices; // PCI devices among them are allowed, all others ignored
	unsigned n_devices;
};

// Chooses cores for workers out of those the process may run on, the last ones first, so that the
// first is left for everything else. Returns how many could be given a core of their own; the rest
// share. `cores` has n members.
unsigned io_eal_cores_choose(unsigned *cores, unsigned n);

#define IO_EAL_ROOT_DIRECTORY "/var/run" // has EAL's directory where the process is uid 0

// Makes the directory that EAL wants: below the run directory unless the process is uid 0. It can't
// be made once the process's paths are bounded. io_eal_stop removes it.
void io_eal_directory_make(const char *instance, const char *run_directory);

int io_eal_start(const struct eal_settings *s, struct steer_fault *fault);
// Leaves nothing in the file system.
void io_eal_stop(const struct eal_settings *s);

// The core of worker `index`, and its NUMA node.
unsigned io_eal_worker_core(unsigned index);
int io_eal_worker_node(unsigned index);

// Runs `run` on the thread of worker `index`; io_eal_join waits for its end.
int io_eal_launch(unsigned index, int (*run)(void *), void *arg);
void io_eal_join(unsigned n_workers);
