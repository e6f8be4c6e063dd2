// SPDX-License-Identifier: BSD-3-Clause
#include <bench/clock.h>

#define HZ_SPAN_NS   50000000ull
#define SPIN_STEPS   50000u
#define SPIN_RUNS    5u
#define PAIR_REPEATS 4096u

double bench_cycles_hz(void)
{
	static double hz;
	uint64_t ns, cycles;

	if (hz > 0)
		return hz;
	ns = bench_clock_ns(CLOCK_MONOTONIC_RAW);
	cycles = bench_cycles();
	while (bench_clock_ns(CLOCK_MONOTONIC_RAW) - ns < HZ_SPAN_NS)
		;
	cycles = bench_cycles() - cycles;
	ns = bench_clock_ns(CLOCK_MONOTONIC_RAW) - ns;
	hz = (double)cycles * 1e9 / (double)ns;
	return hz;
}

double bench_cycles_overhead(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < PAIR_REPEATS; i++) {
		uint64_t start = bench_cycles();
		uint64_t span = bench_cycles() - start;

		least = span < least ? span : least;
	}
	return (double)least;
}

static inline uint64_t spin_step(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

// Five chains side by side keep every adder of the core busy: that tells a slow clock, and also a
// neighbour on the other thread of the core, which one chain alone would not feel.
static void spin_run(void)
{
	uint64_t v = 1, w = 2, x = 3, y = 4, z = 5;

	for (unsigned i = 0; i < SPIN_STEPS; i++) {
		v = spin_step(v);
		w = spin_step(w);
		x = spin_step(x);
		y = spin_step(y);
		z = spin_step(z);
		__asm__ volatile("" : "+r"(v), "+r"(w), "+r"(x), "+r"(y), "+r"(z));
	}
}

double bench_spin(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned run = 0; run < SPIN_RUNS; run++) {
		uint64_t start = bench_cycles(), span;

		spin_run();
		span = bench_cycles() - start;
		least = span < least ? span : least;
	}
	return (double)least / SPIN_STEPS;
}

double bench_spin_shared(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned run = 0; run < SPIN_RUNS; run++) {
		uint64_t start = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID), span;

		spin_run();
		span = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
		least = span < least ? span : least;
	}
	return (double)least * bench_cycles_hz() / 1e9 / SPIN_STEPS;
}
