// SPDX-License-Identifier: BSD-3-Clause
// CLOCK_BOOTTIME out of the cycle counter: one multiplication per reading, anchored again every
// second. One thread per clock.
#pragma once

#include <time.h>

#include <turnpike/base.h>

struct clock {
	uint64_t anchor_cycles;
	uint64_t anchor_ns;
	uint64_t limit_cycles; // as far from the anchor as a reading may be: a second
	uint64_t ns_per_cycle; // 32.32 fixed point
};

static inline uint64_t clock_boottime_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * TP_NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline void clock_init(struct clock *c, uint64_t hz, uint64_t cycles, uint64_t now_ns)
{
	c->anchor_cycles = cycles;
	c->anchor_ns = now_ns;
	c->limit_cycles = hz;
	c->ns_per_cycle = (TP_NS_PER_S << 32) / hz;
}

// Whether the anchor is too old to read from: then clock_anchor comes first.
static inline bool clock_stale(const struct clock *c, uint64_t cycles)
{
	return cycles - c->anchor_cycles >= c->limit_cycles;
}

// Converts a span below clock_init's second.
static inline uint64_t clock_span_ns(const struct clock *c, uint64_t cycles)
{
	return cycles * c->ns_per_cycle >> 32;
}

static inline uint64_t clock_read_ns(const struct clock *c, uint64_t cycles)
{
	return c->anchor_ns + clock_span_ns(c, cycles - c->anchor_cycles);
}

// Never backwards: a counter that ran fast makes the clock wait.
static inline void clock_anchor(struct clock *c, uint64_t cycles, uint64_t now_ns)
{
	uint64_t span = cycles - c->anchor_cycles;
	uint64_t last = clock_read_ns(
		c, c->anchor_cycles + (span < c->limit_cycles ? span : c->limit_cycles - 1));

	c->anchor_ns = now_ns > last ? now_ns : last;
	c->anchor_cycles = cycles;
}
