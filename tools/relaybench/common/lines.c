// SPDX-License-Identifier: BSD-3-Clause
#include <bench/lines.h>

#include <bench/clock.h>

#define READS 65536u
#define RUNS  5u

// The address of a read depends on the generator alone, so that the core has as many reads under
// way as it can.
static uint64_t run(const uint64_t *words, uint64_t n_lines, uint64_t *random)
{
	const uint64_t stride = TP_CACHE_LINE / sizeof(*words);
	uint64_t x = *random, sum = 0, start = bench_cycles();

	for (unsigned i = 0; i < READS; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		sum += words[((x >> 32) * n_lines >> 32) * stride];
	}
	__asm__ volatile("" : : "r"(sum));
	*random = x;
	return bench_cycles() - start;
}

double bench_lines_cycles(const void *base, size_t size)
{
	uint64_t least = UINT64_MAX, random = 1;

	for (unsigned i = 0; i < RUNS; i++) {
		uint64_t took = run(base, size / TP_CACHE_LINE, &random);

		least = took < least ? took : least;
	}
	return (double)least / READS;
}
