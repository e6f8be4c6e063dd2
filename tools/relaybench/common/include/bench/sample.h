// SPDX-License-Identifier: BSD-3-Clause
// Timed bursts, and the figures of rounds of them. One thread.
#pragma once

#include <turnpike/base.h>

// Cycles of single bursts; the first `max` are kept, all are summed up.
struct bench_sample {
	uint32_t *cycles;
	uint32_t n, max;
	uint64_t bursts;
	uint64_t packets;
};

int bench_sample_init(struct bench_sample *s, uint32_t max); // -ENOMEM
void bench_sample_fini(struct bench_sample *s);
void bench_sample_reset(struct bench_sample *s);

static inline void bench_sample_add(struct bench_sample *s, uint64_t cycles, unsigned packets)
{
	s->bursts++;
	s->packets += packets;
	if (s->n < s->max)
		s->cycles[s->n++] = cycles > UINT32_MAX ? UINT32_MAX : (uint32_t)cycles;
}

struct bench_burst_figures {
	double mean; // without interrupted bursts
	double median;
	double p99;
	double interrupted; // share of bursts over 16 times the median: the core was taken away
};

// Sorts the sample. Returns figures of its bursts, less `overhead` cycles each.
struct bench_burst_figures bench_sample_figures(struct bench_sample *s, double overhead);

// Median and range of up to 64 values; NaN where there is none.
struct bench_spread {
	double median, low, high;
	unsigned n;
};
struct bench_spread bench_spread_of(const double *values, unsigned n);
