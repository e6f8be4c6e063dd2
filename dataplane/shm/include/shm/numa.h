// SPDX-License-Identifier: BSD-3-Clause
// On which NUMA nodes the memory of the segment should be: those of the ports, whose queues and
// packet buffers are there as well. Any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHM_NUMA_NODES_MAX 64u
#define SHM_SYSFS	   "/sys"

// The node of a kernel interface or of a PCI device (the address may be followed by a comma and
// anything), -1 where sysfs names none: virtual devices, machines of one node, no such device.
int shm_numa_of_interface(const char *sysfs, const char *interface);
int shm_numa_of_pci(const char *sysfs, const char *address);

// Asks for the file's pages, of which there are none yet, to come from the nodes (a bit each): from
// the one that is named as long as it has any, in turn from several. The wish stays with the file
// and holds for whoever touches a page first. 0, or a negative errno of mbind (-EINVAL: the machine
// lacks one of the nodes).
int shm_numa_place(int fd, size_t size, uint64_t nodes);
