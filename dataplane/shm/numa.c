// SPDX-License-Identifier: BSD-3-Clause
#include <shm/numa.h>

#include <errno.h>
#include <numaif.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <turnpike/base.h>

static int node_read(const char *path)
{
	FILE *f = fopen(path, "re");
	int node = -1;

	if (f == NULL)
		return -1;
	if (fscanf(f, "%d", &node) != 1 || node < 0 || node >= (int)SHM_NUMA_NODES_MAX)
		node = -1;
	fclose(f);
	return node;
}

int shm_numa_of_interface(const char *sysfs, const char *interface)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/class/net/%s/device/numa_node", sysfs, interface);
	return node_read(path);
}

int shm_numa_of_pci(const char *sysfs, const char *address)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%.*s/numa_node", sysfs,
		(int)strcspn(address, ","), address);
	return node_read(path);
}

int shm_numa_place(int fd, size_t size, uint64_t nodes)
{
	unsigned long mask = nodes;
	int mode = (nodes & (nodes - 1)) == 0 ? MPOL_PREFERRED : MPOL_INTERLEAVE;
	void *base;
	int rc = 0;

	_Static_assert(sizeof(mask) * 8 >= SHM_NUMA_NODES_MAX, "a bit for each node");
	// Huge pages must not be set aside for this mapping too.
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	// The kernel takes one bit less than it is told.
	if (mbind(base, size, mode, &mask, SHM_NUMA_NODES_MAX + 1, 0) < 0)
		rc = -errno;
	munmap(base, size);
	return rc;
}
