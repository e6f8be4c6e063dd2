// SPDX-License-Identifier: BSD-3-Clause
#include <bench/sample.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define INTERRUPTED 16u

int bench_sample_init(struct bench_sample *s, uint32_t max)
{
	*s = (struct bench_sample){.cycles = calloc(max, sizeof(*s->cycles)), .max = max};
	return s->cycles == NULL ? -ENOMEM : 0;
}

void bench_sample_fini(struct bench_sample *s)
{
	free(s->cycles);
	s->cycles = NULL;
}

void bench_sample_reset(struct bench_sample *s)
{
	s->n = 0;
	s->bursts = 0;
	s->packets = 0;
}

static int compare_cycles(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

struct bench_burst_figures bench_sample_figures(struct bench_sample *s, double overhead)
{
	struct bench_burst_figures f = {NAN, NAN, NAN, 0};
	uint64_t limit, sum = 0;
	uint32_t kept = 0;

	if (s->n == 0)
		return f;
	qsort(s->cycles, s->n, sizeof(*s->cycles), compare_cycles);
	limit = (uint64_t)s->cycles[s->n / 2] * INTERRUPTED;
	while (kept < s->n && s->cycles[kept] <= limit)
		sum += s->cycles[kept++];
	f.mean = (double)sum / kept - overhead;
	f.median = s->cycles[s->n / 2] - overhead;
	f.p99 = s->cycles[(uint64_t)s->n * 99 / 100] - overhead;
	f.interrupted = 1 - (double)kept / s->n;
	return f;
}

static int compare_values(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct bench_spread bench_spread_of(const double *values, unsigned n)
{
	struct bench_spread r = {NAN, NAN, NAN, 0};
	double sorted[64];

	for (unsigned i = 0; i < n && r.n < TP_ARRAY_LEN(sorted); i++)
		if (!isnan(values[i]))
			sorted[r.n++] = values[i];
	if (r.n == 0)
		return r;
	qsort(sorted, r.n, sizeof(*sorted), compare_values);
	r.median = r.n % 2 != 0 ? sorted[r.n / 2] : (sorted[r.n / 2 - 1] + sorted[r.n / 2]) / 2;
	r.low = sorted[0];
	r.high = sorted[r.n - 1];
	return r;
}
