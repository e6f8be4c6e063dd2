// SPDX-License-Identifier: BSD-3-Clause
// Token buckets that several threads take from, without a clock of their own. A bucket is one word:
// the time at which it is full again. Taking moves that time on, and a bucket whose time is further
// away than its burst takes is empty. Times are ticks of CLOCK_BOOTTIME.
//
// A packet passes as long as the bucket is not empty, long or short: a long one leaves a
// debt, which the next packets wait for. So the rate is exact over any time, and no packet is too
// long for a small burst. Two threads may look before either takes: they overdraw the bucket by a
// packet for each thread, which is a debt like any other.
#pragma once

#include <stdatomic.h>

#include <turnpike/base.h>

#define CORE_BUCKET_TICKS_PER_NS 64u
#define CORE_BUCKET_TICKS_PER_S	 ((double)(CORE_BUCKET_TICKS_PER_NS * TP_NS_PER_S))
// The longest span: an hour.
#define CORE_BUCKET_SPAN_MAX	 (3600 * TP_NS_PER_S * CORE_BUCKET_TICKS_PER_NS)

static inline uint64_t core_bucket_ticks(uint64_t now_ns)
{
	return now_ns * CORE_BUCKET_TICKS_PER_NS;
}

// How long a bucket of `rate` per second, which is not 0, takes to get `amount`.
static inline uint64_t core_bucket_span(uint64_t amount, uint64_t rate)
{
	double span = (double)amount * CORE_BUCKET_TICKS_PER_S / (double)rate;

	return span < (double)CORE_BUCKET_SPAN_MAX ? (uint64_t)span : CORE_BUCKET_SPAN_MAX;
}

// How far the bucket is from full; from its burst's span on it is empty.
static inline uint64_t core_bucket_missing(const _Atomic uint64_t *full_at, uint64_t now)
{
	uint64_t missing = atomic_load_explicit(full_at, memory_order_relaxed) - now;

	return (int64_t)missing > 0 ? missing : 0;
}

// Forgets a debt that the bucket cannot have made as it is: one of another rate, burst or use, or a
// word of 0 after so long an uptime that it seems to lie ahead. `span`: the most that it can owe to
// one thread. The bucket is empty then.
static inline void core_bucket_clip(_Atomic uint64_t *full_at, uint64_t now, uint64_t span)
{
	uint64_t was = atomic_load_explicit(full_at, memory_order_relaxed);

	if ((int64_t)(was - now) > 0 && was - now > 4 * span)
		(void)atomic_compare_exchange_strong_explicit(
			full_at, &was, now + span, memory_order_relaxed, memory_order_relaxed);
}

static inline void core_bucket_take(_Atomic uint64_t *full_at, uint64_t now, uint64_t span)
{
	uint64_t was = atomic_load_explicit(full_at, memory_order_relaxed), then;

	do
		then = ((int64_t)(was - now) > 0 ? was : now) + span;
	while (!atomic_compare_exchange_weak_explicit(
		full_at, &was, then, memory_order_relaxed, memory_order_relaxed));
}
