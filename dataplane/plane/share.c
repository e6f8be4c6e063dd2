// SPDX-License-Identifier: BSD-3-Clause
#include <plane/share.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SPAN_MIN_NS (500 * TP_NS_PER_MS)
// Parts of a span. The kernel measures the worker's time exactly, but samples the core's by ticks,
// 125 in half a second at 250 Hz. With a worker that runs half of the time the difference is off by
// 4 % (one standard deviation) where nobody else is there.
#define SHARED_PART 8u
#define ALONE_PART  16u

bool plane_share_judge(struct plane_share *s, uint64_t core_ns, uint64_t worker_ns, uint64_t now_ns)
{
	uint64_t span, worked, own, others;

	if (s->at_ns != 0 && now_ns - s->at_ns < SPAN_MIN_NS)
		return s->shared;
	span = s->at_ns == 0 ? 0 : now_ns - s->at_ns;
	worked = core_ns > s->core_ns ? core_ns - s->core_ns : 0;
	own = worker_ns > s->worker_ns ? worker_ns - s->worker_ns : 0;
	others = worked > own ? worked - own : 0;
	s->core_ns = core_ns;
	s->worker_ns = worker_ns;
	s->at_ns = now_ns;
	if (span > 0)
		s->shared = others > span / (s->shared ? ALONE_PART : SHARED_PART);
	return s->shared;
}

uint64_t plane_share_core_ns(const char *stat, unsigned core, unsigned ticks_per_s)
{
	uint64_t user, nice, system;
	char name[16];

	snprintf(name, sizeof(name), "\ncpu%u ", core);
	stat = strstr(stat, name);
	if (stat == NULL || ticks_per_s == 0 ||
		sscanf(stat + strlen(name), "%" SCNu64 " %" SCNu64 " %" SCNu64, &user, &nice,
			&system) != 3)
		return 0;
	return (user + nice + system) * (TP_NS_PER_S / ticks_per_s);
}

static bool file_read(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL)
		return false;
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
	return n > 0;
}

bool plane_share_sample(struct plane_share *s, unsigned core, int tid, uint64_t now_ns)
{
	char stat[65536], path[64], times[128];
	uint64_t worker_ns;

	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tid);
	if (!file_read("/proc/stat", stat, sizeof(stat)) ||
		!file_read(path, times, sizeof(times)) ||
		sscanf(times, "%" SCNu64, &worker_ns) != 1)
		return s->shared;
	return plane_share_judge(s, plane_share_core_ns(stat, core, (unsigned)sysconf(_SC_CLK_TCK)),
		worker_ns, now_ns);
}
