// SPDX-License-Identifier: BSD-3-Clause
#include <io/cycles.h>

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include <turnpike/base.h>

#include <rte_cycles.h>

#define READINGS  16u
#define DPDK_NS	  100000000L // DPDK's sleep
#define ENOUGH_NS 1000000L   // DPDK's own measurement is not used

static _Atomic uint64_t measured_hz;
static _Thread_local bool hurries;

static uint64_t raw_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * TP_NS_PER_S + (uint64_t)t.tv_nsec;
}

// Another program may have the core between two readings: the fastest ones count.
struct io_cycles_moment io_cycles_now(void)
{
	struct io_cycles_moment best = {0};
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < READINGS; i++) {
		uint64_t before = raw_ns(), cycles = rte_rdtsc(), after = raw_ns();

		if (after - before >= least)
			continue;
		least = after - before;
		best = (struct io_cycles_moment){.cycles = cycles, .ns = before + least / 2};
	}
	return best;
}

uint64_t io_cycles_between(
	const struct io_cycles_moment *from, const struct io_cycles_moment *until)
{
	uint64_t cycles = until->cycles - from->cycles, ns = until->ns - from->ns;

	return ns == 0 ? 0 : (uint64_t)((double)cycles * (double)TP_NS_PER_S / (double)ns);
}

void io_cycles_hurry(bool on)
{
	hurries = on;
}

// Replaces the C library's in this process, also for DPDK.
int nanosleep(const struct timespec *duration, struct timespec *left)
{
	struct timespec t = *duration;
	int err;

	if (hurries && t.tv_sec == 0 && t.tv_nsec == DPDK_NS)
		t.tv_nsec = ENOUGH_NS;
	err = clock_nanosleep(CLOCK_REALTIME, 0, &t, left);
	if (err == 0)
		return 0;
	errno = err;
	return -1;
}

uint64_t io_cycles_hz(void)
{
	uint64_t hz = atomic_load_explicit(&measured_hz, memory_order_relaxed);

	return hz != 0 ? hz : rte_get_tsc_hz();
}

void io_cycles_hz_set(uint64_t hz)
{
	atomic_store_explicit(&measured_hz, hz, memory_order_relaxed);
}
