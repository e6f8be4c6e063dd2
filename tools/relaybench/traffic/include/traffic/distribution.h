// SPDX-License-Identifier: BSD-3-Clause
// Which flow comes next: uniformly at random, or by Zipf's law (flow of rank k as often as 1/k^s).
// Ranks are scattered over the flows, so that popular ones are no neighbours in memory.
#pragma once

#include <turnpike/base.h>

struct bench_distribution {
	uint64_t state;
	uint32_t n;
	uint32_t stride;	 // coprime to n: rank to flow
	double s;		 // 0: uniform
	double low, high, shift; // of the inversion, see distribution.c
};

// `n` flows, at least 1; `s` 0 or above, not 1 exactly for the formula's sake: it is nudged.
void bench_distribution_init(struct bench_distribution *p, uint32_t n, double s, uint64_t seed);

uint32_t bench_distribution_zipf(struct bench_distribution *p);

// xorshift64* (Vigna 2016).
static inline uint64_t bench_distribution_random(struct bench_distribution *p)
{
	p->state ^= p->state >> 12;
	p->state ^= p->state << 25;
	p->state ^= p->state >> 27;
	return p->state * 0x2545f4914f6cdd1dull;
}

static inline uint32_t bench_distribution_next(struct bench_distribution *p)
{
	if (p->s > 0)
		return bench_distribution_zipf(p);
	return (uint32_t)((bench_distribution_random(p) >> 32) * p->n >> 32);
}
