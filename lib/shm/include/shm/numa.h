// SPDX-License-Identifier: BSD-3-Clause
// On which NUMA nodes the memory of the segment should be: those of the ports, whose queues and
// packet buffers are there as well. Any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_NUMA_NODES_MAX 64u
#define SHM_SYSFS	   "/sys"

// The node of a kernel interface or of a PCI device (the address may be followed by a comma and
// anything), -1 where sysfs names none: virtual devices, machines of one node, no such device.
int shm_numa_of_interface(const char *sysfs, const char *interface);
int shm_numa_of_pci(const char *sysfs, const char *address);

// Asks for the file's pages, none of which are there yet, to come from the nodes (a bit each): from
// the only one for as long as it has any, in turn from several. Returns the mapping that holds the
// policy: hugetlbfs forgets the policy with its last mapping, so shm_numa_done comes after the
// space is reserved. NULL with errno of mbind (EINVAL: the machine lacks one of the nodes).
void *shm_numa_place(int fd, size_t size, uint64_t nodes);
void shm_numa_done(void *mapping, size_t size);

// Whether the pages of a mapping lie on the nodes, by a sample of them. Pages that are not there
// yet, and a kernel that does not tell, count as right.
bool shm_numa_lies_on(void *base, size_t size, uint64_t nodes);
