// SPDX-License-Identifier: BSD-3-Clause
// DPDK's environment: memory, threads, devices. Once per process, from its main thread.
#pragma once

#include <steer/own.h>

#include <io/device.h>

struct eal_settings {
	const char *instance;
	const unsigned *cores; // of the workers; lcore i + 1 runs on cores[i]
	unsigned n_cores;
	uint64_t memory_octets;		 // what ports and pools will need
	bool no_huge;			 // 4 KiB pages
	const struct io_device *devices; // PCI devices among them are allowed, all others ignored
	unsigned n_devices;
};

// Octets of free huge pages, all sizes.
uint64_t eal_huge_free(void);

// Chooses cores for workers out of those the process may run on, the last ones first, so that the
// first is left for everything else. Returns how many could be given a core of their own; the rest
// share. `cores` has n members.
unsigned eal_cores_choose(unsigned *cores, unsigned n);

int eal_start(const struct eal_settings *s, struct steer_fault *fault);
// Leaves nothing in the file system.
void eal_stop(const struct eal_settings *s);

// The NUMA node of worker `index`'s core.
int eal_worker_node(unsigned index);

// Runs `run` on the thread of worker `index`; eal_join waits for its end.
int eal_launch(unsigned index, int (*run)(void *), void *arg);
void eal_join(unsigned n_workers);
