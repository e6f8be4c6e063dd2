// SPDX-License-Identifier: BSD-3-Clause
#include <shm/numa.h>

#include <errno.h>
#include <numaif.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <turnpike/base.h>

#define SAMPLE 64u // pages

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

void *shm_numa_place(int fd, size_t size, uint64_t nodes)
{
	unsigned long mask = nodes;
	int mode = (nodes & (nodes - 1)) == 0 ? MPOL_PREFERRED : MPOL_INTERLEAVE;
	void *base;

	_Static_assert(sizeof(mask) * 8 >= SHM_NUMA_NODES_MAX, "a bit for each node");
	// Huge pages must not be set aside for this mapping too.
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED)
		return NULL;
	// The kernel takes one bit less than it is told.
	if (mbind(base, size, mode, &mask, SHM_NUMA_NODES_MAX + 1, 0) == 0)
		return base;
	shm_numa_done(base, size);
	return NULL;
}

void shm_numa_done(void *mapping, size_t size)
{
	int saved = errno;

	if (mapping != NULL)
		munmap(mapping, size);
	errno = saved;
}

bool shm_numa_lies_on(void *base, size_t size, uint64_t nodes)
{
	void *pages[SAMPLE];
	int status[SAMPLE];
	size_t step = size / SAMPLE / 4096 * 4096;

	for (size_t i = 0; i < SAMPLE; i++)
		pages[i] = (uint8_t *)base + i * step;
	if (move_pages(0, SAMPLE, pages, NULL, status, 0) != 0)
		return true;
	for (size_t i = 0; i < SAMPLE; i++)
		if (status[i] >= 0 && ((uint64_t)1 << status[i] & nodes) == 0)
			return false;
	return true;
}
