// SPDX-License-Identifier: BSD-3-Clause
#include <plane/haste.h>

#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

static void set(pid_t thread, int policy)
{
	const struct sched_param param = {.sched_priority = policy == SCHED_RR ? 1 : 0};

	(void)sched_setscheduler(thread, policy, &param);
}

void plane_haste_begin(void)
{
	set(0, SCHED_RR);
}

// DPDK makes threads that it does not name.
void plane_haste_end_others(void)
{
	DIR *d = opendir("/proc/self/task");
	pid_t own = gettid();
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		pid_t thread = atoi(e->d_name);

		if (thread > 0 && thread != own && sched_getscheduler(thread) == SCHED_RR)
			set(thread, SCHED_OTHER);
	}
	if (d != NULL)
		closedir(d);
}

void plane_haste_end(void)
{
	set(0, SCHED_OTHER);
}
