// SPDX-License-Identifier: BSD-3-Clause
#include <io/huge.h>

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static void directory_of(const char *sysfs, int node, char *path, size_t size)
{
	if (node < 0)
		snprintf(path, size, "%s/kernel/mm/hugepages", sysfs);
	else
		snprintf(path, size, "%s/devices/system/node/node%d/hugepages", sysfs, node);
}

uint64_t io_huge_free(const char *sysfs, int node)
{
	char directory[PATH_MAX], path[PATH_MAX + sizeof(((struct dirent *)0)->d_name) + 16];
	uint64_t octets = 0;
	struct dirent *e;
	DIR *d;

	directory_of(sysfs, node, directory, sizeof(directory));
	d = opendir(directory);
	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		unsigned long kib, pages;
		FILE *f;

		if (sscanf(e->d_name, "hugepages-%lukB", &kib) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%s/free_hugepages", directory, e->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fscanf(f, "%lu", &pages) == 1)
			octets += (uint64_t)kib * 1024 * pages;
		fclose(f);
	}
	closedir(d);
	return octets;
}

static bool node_is_known(const char *sysfs, int node)
{
	char path[PATH_MAX];

	directory_of(sysfs, node, path, sizeof(path));
	return access(path, F_OK) == 0;
}

enum io_huge io_huge_judge(
	const char *sysfs, const uint64_t *need, unsigned n_nodes, unsigned *node)
{
	uint64_t sum = 0;

	*node = 0;
	for (unsigned n = 0; n < n_nodes; n++)
		sum += need[n];
	if (io_huge_free(sysfs, -1) < sum)
		return IO_HUGE_NONE;
	for (unsigned n = 0; n < n_nodes; n++) {
		*node = n;
		if (need[n] > 0 && node_is_known(sysfs, (int)n) &&
			io_huge_free(sysfs, (int)n) < need[n])
			return IO_HUGE_ELSEWHERE;
	}
	return IO_HUGE_LOCAL;
}

bool io_huge_lacks_node(const char *sysfs, unsigned n_nodes)
{
	for (unsigned n = 0; n < n_nodes; n++) {
		if (node_is_known(sysfs, (int)n) && io_huge_free(sysfs, (int)n) == 0)
			return true;
	}
	return false;
}
