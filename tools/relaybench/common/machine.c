// SPDX-License-Identifier: BSD-3-Clause
#include <bench/machine.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bench/clock.h>

#ifdef HAVE_REPLAY
#include <rte_version.h>
#endif

// The value behind "NAME : " of the first such line.
static void cpuinfo_read(const char *name, char *value, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(value, size, "unknown");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *colon = strchr(line, ':');

		if (colon == NULL || strncmp(line, name, strlen(name)) != 0)
			continue;
		colon += strspn(colon, ": \t");
		colon[strcspn(colon, "\n")] = '\0';
		snprintf(value, size, "%s", colon);
		break;
	}
	if (f != NULL)
		fclose(f);
}

static bool is_virtual(void)
{
	char flags[4096] = "";
	FILE *f = fopen("/proc/cpuinfo", "re");
	bool found = false;

	while (f != NULL && !found && fgets(flags, sizeof(flags), f) != NULL)
		found = strncmp(flags, "flags", 5) == 0 && strstr(flags, " hypervisor") != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

json_t *bench_machine_describe(void)
{
	char model[128], family[16], number[16];
	struct utsname kernel = {.release = "unknown"};
	const char *dpdk = "not built";

	cpuinfo_read("model name", model, sizeof(model));
	cpuinfo_read("cpu family", family, sizeof(family));
	cpuinfo_read("model\t", number, sizeof(number));
	uname(&kernel);
	// The local part of a version may name a host.
	kernel.release[strspn(kernel.release, "0123456789.")] = '\0';
#ifdef HAVE_REPLAY
	dpdk = rte_version();
#endif
	return json_pack("{s:s, s:s, s:s, s:b, s:i, s:f, s:I, s:s, s:s}", "cpu", model,
		"cpu_family", family, "cpu_model", number, "virtual", is_virtual(), "cores",
		(int)sysconf(_SC_NPROCESSORS_ONLN), "tsc_ghz", round(bench_cycles_hz() / 1e6) / 1e3,
		"memory_mib",
		(json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / (1 << 20), "kernel",
		kernel.release, "dpdk", dpdk);
}
