// SPDX-License-Identifier: BSD-3-Clause
#include <proc/host.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <log/log.h>
#include <turnpike/fragment.h>

// DPDK, its drivers and the program itself, as measured with one port.
#define DATAPLANE_BASE (48ull << 20)

bool proc_cores_without(cpu_set_t *set, const uint32_t *cores, uint32_t n)
{
	cpu_set_t left = *set;

	for (uint32_t i = 0; i < n; i++) {
		if (cores[i] < CPU_SETSIZE)
			CPU_CLR(cores[i], &left);
	}
	if (CPU_COUNT(&left) == 0)
		return false;
	*set = left;
	return true;
}

// The group's path below the root; an empty text without the unified hierarchy.
static void group_read(const char *self, char *path, size_t size)
{
	FILE *f = fopen(self, "re");
	char line[PATH_MAX];

	path[0] = '\0';
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			snprintf(path, size, "%s", line + 3);
	}
	fclose(f);
}

static uint64_t limit_read(const char *root, const char *group)
{
	char path[2 * PATH_MAX], text[32];
	uint64_t limit = UINT64_MAX;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s/memory.max", root, group);
	f = fopen(path, "re");
	if (f == NULL)
		return limit;
	// "max" is no limit.
	if (fgets(text, sizeof(text), f) != NULL && text[0] >= '0' && text[0] <= '9')
		limit = strtoull(text, NULL, 10);
	fclose(f);
	return limit;
}

uint64_t proc_memory_limit(const char *self, const char *root)
{
	char group[PATH_MAX];
	uint64_t least = UINT64_MAX;

	group_read(self, group, sizeof(group));
	for (char *end; (end = strrchr(group, '/')) != NULL; *end = '\0') {
		uint64_t limit = limit_read(root, group);

		if (limit < least)
			least = limit;
	}
	return least;
}

bool proc_memory_suffices(uint64_t need, const char *self, const char *root, const char *remedy)
{
	uint64_t limit = proc_memory_limit(self, root);

	if (limit >= need)
		return true;
	log_event(LOG_EV_MEMORY_SHORT,
		LOG_FIELDS(log_u64("limit_mib", limit >> 20), log_u64("need_mib", need >> 20),
			log_str("remedy", remedy)));
	return false;
}

uint64_t proc_fragment_memory(const struct conf_dataplane *d)
{
	return d->workers * TP_FRAGMENT_BYTES(d->fragment_mib);
}

uint64_t proc_dataplane_memory(const struct conf_dataplane *d, uint64_t buffers, uint64_t files)
{
	return DATAPLANE_BASE + proc_fragment_memory(d) + buffers + files;
}

int proc_memory_lock(void)
{
	// Pages are locked as they are touched: tables are sparse. Later mappings are not locked,
	// for they would fail where the privilege is gone by then.
	return mlockall(MCL_CURRENT | MCL_ONFAULT) < 0 ? -errno : 0;
}
