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

static int mode_of(uint64_t nodes)
{
	return (nodes & (nodes - 1)) == 0 ? MPOL_PREFERRED : MPOL_INTERLEAVE;
}

static bool file_wish(struct shm_numa_wish *w, int fd, uint64_t nodes)
{
	unsigned long mask = nodes;
	int saved;

	_Static_assert(sizeof(mask) * 8 >= SHM_NUMA_NODES_MAX, "a bit for each node");
	// Huge pages must not be set aside for this mapping too.
	w->mapping = mmap(NULL, w->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (w->mapping == MAP_FAILED)
		return false;
	// The kernel takes one bit less than it is told.
	if (mbind(w->mapping, w->size, mode_of(nodes), &mask, SHM_NUMA_NODES_MAX + 1, 0) == 0)
		return true;
	saved = errno;
	munmap(w->mapping, w->size);
	errno = saved;
	return false;
}

static bool thread_wish(struct shm_numa_wish *w, uint64_t nodes)
{
	unsigned long mask = nodes;

	return get_mempolicy(&w->mode, w->nodes, SHM_NUMA_KERNEL_NODES_MAX + 1, NULL, 0) == 0 &&
	       set_mempolicy(mode_of(nodes), &mask, SHM_NUMA_NODES_MAX + 1) == 0;
}

bool shm_numa_wish_begin(struct shm_numa_wish *w, int fd, size_t size, uint64_t nodes)
{
	memset(w, 0, sizeof(*w));
	w->size = size;
	if (!file_wish(w, fd, nodes)) {
		w->mapping = NULL;
		return false;
	}
	w->of_thread = thread_wish(w, nodes);
	return true;
}

void shm_numa_wish_end(struct shm_numa_wish *w)
{
	int saved = errno;

	if (w->of_thread)
		(void)set_mempolicy(w->mode, w->mode == MPOL_DEFAULT ? NULL : w->nodes,
			w->mode == MPOL_DEFAULT ? 0 : SHM_NUMA_KERNEL_NODES_MAX + 1);
	if (w->mapping != NULL)
		munmap(w->mapping, w->size);
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
