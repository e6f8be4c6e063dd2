// SPDX-License-Identifier: BSD-3-Clause
#include "isolation.h"

#include <stdio.h>
#include <stdlib.h>

#define LIST_OCTETS 4096u

static bool list_has(const char *list, unsigned core)
{
	while (*list >= '0' && *list <= '9') {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (core >= first && core <= last)
			return true;
		list = *end == ',' ? end + 1 : end;
	}
	return false;
}

static void append(char *list, unsigned core)
{
	size_t len = strlen(list);

	snprintf(list + len, ISOLATION_LIST_MAX - len, "%s%u", len > 0 ? "," : "", core);
}

void isolation_judge(struct isolation *i, const char *isolated, const char *nohz_full,
	const unsigned *cores, unsigned n_cores)
{
	memset(i, 0, sizeof(*i));
	for (unsigned c = 0; c < n_cores; c++) {
		if (!list_has(isolated, cores[c])) {
			i->n_shared++;
			append(i->shared, cores[c]);
		}
		if (!list_has(nohz_full, cores[c])) {
			i->n_ticking++;
			append(i->ticking, cores[c]);
		}
	}
}

// Adds a file's list to `list`; nothing where there is no such file.
static void file_add(const char *path, char *list, size_t size)
{
	size_t len = strlen(list);
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return;
	if (len > 0 && len + 1 < size) {
		list[len++] = ',';
		list[len] = '\0';
	}
	if (fgets(list + len, (int)(size - len), f) == NULL || list[len] == '\n')
		list[len > 0 ? len - 1 : 0] = '\0';
	list[strcspn(list, "\n")] = '\0';
	fclose(f);
}

void isolation_read(struct isolation *i, const unsigned *cores, unsigned n_cores)
{
	char isolated[LIST_OCTETS] = "", nohz_full[LIST_OCTETS] = "";

	file_add("/sys/devices/system/cpu/isolated", isolated, sizeof(isolated));
	file_add("/sys/fs/cgroup/cpuset.cpus.isolated", isolated, sizeof(isolated));
	file_add("/sys/devices/system/cpu/nohz_full", nohz_full, sizeof(nohz_full));
	isolation_judge(i, isolated, nohz_full, cores, n_cores);
}
