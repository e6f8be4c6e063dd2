// SPDX-License-Identifier: BSD-3-Clause
// On which NUMA nodes the memory of the segment should be: those of the ports, whose queues and
// packet buffers are there as well. Any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_NUMA_NODES_MAX	  64u
#define SHM_NUMA_KERNEL_NODES_MAX 1024u // that any kernel knows
#define SHM_SYSFS		  "/sys"

// The node of a kernel interface or of a PCI device (the address may be followed by a comma and
// anything), -1 where sysfs names none: virtual devices, machines of one node, no such device.
int shm_numa_of_interface(const char *sysfs, const char *interface);
int shm_numa_of_pci(const char *sysfs, const char *address);

// A wish for the pages of a file while it lasts.
struct shm_numa_wish {
	void *mapping;
	size_t size;
	int mode; // the thread's policy before
	unsigned long nodes[SHM_NUMA_KERNEL_NODES_MAX / (8 * sizeof(unsigned long))];
	bool of_thread;
};

// Asks for the file's pages that are reserved until the wish ends to come from the nodes (a bit
// each): from the only one for as long as it has any, in turn from several. tmpfs keeps the wish
// with the file; hugetlbfs looks at the calling thread's policy alone. False with errno of mbind
// (EINVAL: the machine lacks one of the nodes): there is no wish, and shm_numa_wish_end does
// nothing.
bool shm_numa_wish_begin(struct shm_numa_wish *w, int fd, size_t size, uint64_t nodes);
void shm_numa_wish_end(struct shm_numa_wish *w);

// Whether the pages of a mapping lie on the nodes, by a sample of them. Pages that are not there
// yet, and a kernel that does not tell, count as right.
bool shm_numa_lies_on(void *base, size_t size, uint64_t nodes);
