// SPDX-License-Identifier: BSD-3-Clause
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <turnpike/base.h>

bool streams_server_ticks(const char *line, uint64_t *user, uint64_t *kernel)
{
	const char *end = strrchr(line, ')');

	// State, ten numbers, then the two.
	return end != NULL &&
	       sscanf(end + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64,
		       user, kernel) == 2;
}

static bool stat_read(pid_t pid, struct streams_server *s)
{
	uint64_t tick_ns = TP_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK), user, kernel;
	char path[64], line[1024];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	ok = fgets(line, sizeof(line), f) != NULL && streams_server_ticks(line, &user, &kernel);
	fclose(f);
	if (ok) {
		s->user_ns += user * tick_ns;
		s->kernel_ns += kernel * tick_ns;
	}
	return ok;
}

static void threads_read(pid_t pid, struct streams_server *s)
{
	char path[300];
	struct dirent *e;
	uint64_t ns;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, e->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fscanf(f, "%" SCNu64, &ns) == 1)
			s->cpu_ns += ns;
		fclose(f);
	}
	if (d != NULL)
		closedir(d);
}

static void memory_read(pid_t pid, struct streams_server *s)
{
	char path[64], line[256];
	uint64_t kib;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "Rss: %" SCNu64, &kib) == 1)
			s->resident += kib * 1024;
		else if (sscanf(line, "Pss: %" SCNu64, &kib) == 1)
			s->proportional += kib * 1024;
		else if (sscanf(line, "Private_Dirty: %" SCNu64, &kib) == 1)
			s->private_dirty += kib * 1024;
	}
	if (f != NULL)
		fclose(f);
}

int streams_server_read(const struct streams_options *o, struct streams_server *s)
{
	*s = (struct streams_server){0};
	for (unsigned i = 0; i < o->n_pids; i++) {
		if (!stat_read(o->pids[i], s)) {
			fprintf(stderr, "relaybench: --server-pid %d: no such process\n",
				(int)o->pids[i]);
			return -ESRCH;
		}
		threads_read(o->pids[i], s);
		memory_read(o->pids[i], s);
	}
	return 0;
}

json_t *streams_server_cpu(
	const struct streams_server *before, const struct streams_server *after, uint64_t n)
{
	double cpu = (double)(after->cpu_ns - before->cpu_ns);

	return json_pack("{s:f, s:f, s:f, s:f}", "seconds", cpu / 1e9, "user_seconds",
		(double)(after->user_ns - before->user_ns) / 1e9, "kernel_seconds",
		(double)(after->kernel_ns - before->kernel_ns) / 1e9, "ns_each",
		n == 0 ? 0 : cpu / (double)n);
}
