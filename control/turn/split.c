// SPDX-License-Identifier: BSD-3-Clause
#include "split.h"

#include <turnpike/base.h>

// Looks that are closer say little.
#define LOOK_LEAST_NS (20 * TP_NS_PER_MS)
// Weight of the last look in the use of a side.
#define LAST	      0.5
// Seconds of the cap: the excess that is no debt, which is the buckets' bursts, and the most that
// is paid back.
#define DEBT_FREE_S   0.1
#define DEBT_MOST_S   1.0
#define REPAY_S	      1.0

static double least(double a, double b)
{
	return a < b ? a : b;
}

static bool rate_set(const struct turn_split *s, struct turn_split_side *side, double rate)
{
	uint64_t fresh = rate < 1 ? 1 : (uint64_t)rate;
	uint64_t change = fresh > side->rate ? fresh - side->rate : side->rate - fresh;

	// A rate is never 0, however small the share.
	if (side->rate != 0 && change <= s->bits_per_s / 100)
		return false;
	side->rate = fresh;
	return true;
}

bool turn_split_settle(struct turn_split *s)
{
	double cap = (double)s->bits_per_s;
	double packets, streams;
	bool changed;

	if (s->debt > 0)
		cap -= least(s->debt / REPAY_S, cap / 2);
	streams = cap * s->n_streams / ((double)s->n_packets + s->n_streams);
	packets = cap - streams;
	changed = rate_set(s, &s->packets, cap - least(s->streams.used, streams));
	return rate_set(s, &s->streams, cap - least(s->packets.used, packets)) || changed;
}

void turn_split_begin(struct turn_split *s)
{
	s->debt = 0;
	s->looked = false;
	s->packets = (struct turn_split_side){.used = (double)s->bits_per_s};
	s->streams = (struct turn_split_side){0};
	(void)turn_split_settle(s);
}

bool turn_split_streams_lost(struct turn_split *s)
{
	s->streams.used = 0;
	s->looked = false;
	// No look would end a debt.
	s->debt = 0;
	return turn_split_settle(s);
}

// Returns the bits since the last look.
static double side_look(struct turn_split_side *side, uint64_t octets, uint64_t now_ns)
{
	double bits = 8.0 * (double)(octets >= side->octets ? octets - side->octets : octets);
	double s = (double)(now_ns - side->at_ns) / (double)TP_NS_PER_S;

	side->used += LAST * (bits / s - side->used);
	side->octets = octets;
	side->at_ns = now_ns;
	return bits;
}

bool turn_split_look(struct turn_split *s, uint64_t now_ns, uint64_t packets_octets,
	uint64_t streams_octets, uint64_t streams_ns)
{
	double cap = (double)s->bits_per_s, bits;
	uint64_t before_ns = s->packets.at_ns;

	if (!s->looked) {
		s->looked = true;
		s->packets.octets = packets_octets;
		s->packets.at_ns = now_ns;
		s->streams.octets = streams_octets;
		s->streams.at_ns = streams_ns;
		return false;
	}
	if (now_ns < before_ns + LOOK_LEAST_NS || streams_ns < s->streams.at_ns + LOOK_LEAST_NS)
		return false;
	bits = side_look(&s->packets, packets_octets, now_ns) +
	       side_look(&s->streams, streams_octets, streams_ns);
	s->debt += bits - cap * (double)(now_ns - before_ns) / (double)TP_NS_PER_S;
	s->debt = least(s->debt, cap * DEBT_MOST_S);
	if (s->debt < -cap * DEBT_FREE_S)
		s->debt = -cap * DEBT_FREE_S;
	return turn_split_settle(s);
}
