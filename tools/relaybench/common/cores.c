// SPDX-License-Identifier: BSD-3-Clause
#include <bench/cores.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdbool.h>
#include <string.h>

static cpu_set_t allowed;

int bench_cores_init(int wanted)
{
	CPU_ZERO(&allowed);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return -errno;
	if (wanted >= 0 && wanted < CPU_SETSIZE && CPU_ISSET(wanted, &allowed))
		return wanted;
	if (wanted >= 0) {
		fprintf(stderr, "relaybench: core %d: not among those this process may use\n",
			wanted);
		return -EINVAL;
	}
	for (int c = CPU_SETSIZE - 1; c > 0; c--)
		if (CPU_ISSET(c, &allowed))
			return c;
	return 0;
}

void bench_cores_on(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void bench_cores_off(int core)
{
	cpu_set_t set = allowed;

	CPU_CLR(core, &set);
	sched_setaffinity(0, sizeof(set), CPU_COUNT(&set) != 0 ? &set : &allowed);
}

void bench_cores_all(void)
{
	sched_setaffinity(0, sizeof(allowed), &allowed);
}

int bench_cores_other(int core)
{
	for (int c = 0; c < CPU_SETSIZE; c++)
		if (c != core && CPU_ISSET(c, &allowed))
			return c;
	return core;
}

int bench_cores_next(const int *taken, unsigned n)
{
	for (int c = CPU_SETSIZE - 1; c >= 0; c--) {
		bool used = !CPU_ISSET(c, &allowed);

		for (unsigned i = 0; i < n; i++)
			used = used || taken[i] == c;
		if (!used)
			return c;
	}
	return -1;
}
