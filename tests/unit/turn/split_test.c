// SPDX-License-Identifier: BSD-3-Clause
// A cap that both kinds of allocations share, at a virtual time: the rate and the use of each side.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "split.h"
#include <turnpike/base.h>

#define CAP	UINT64_C(10000000)
#define LOOK_NS (100 * TP_NS_PER_MS)
#define START	(1000 * TP_NS_PER_S)

// One side: it uses as much as it wants and its bucket has. The bucket is looked at every
// millisecond, and a packet or a read is a lump.
struct side {
	double wants; // bits per second
	double lump;
	double waits; // bits that could not be sent
	double fill;
	double bits;   // used
	double beyond; // the rate: so many times it
};

struct relay {
	struct turn_split split;
	uint64_t now_ns;
	struct side packets;
	struct side streams;
};

static void relay_init(struct relay *r, uint32_t n_packets, uint32_t n_streams)
{
	*r = (struct relay){
		.split = {.bits_per_s = CAP, .n_packets = n_packets, .n_streams = n_streams},
		.now_ns = START,
		.packets.lump = 8 * 1200,
		.packets.beyond = 1,
		.streams.lump = 8 * 16384,
		.streams.beyond = 1};
	turn_split_begin(&r->split);
}

static void side_run(struct side *side, uint64_t rate)
{
	double burst = (double)rate * 0.04;

	side->waits += side->wants / 1000;
	if (side->waits > CAP / 10)
		side->waits = CAP / 10;
	side->fill += (double)rate / 1000 * side->beyond;
	if (side->fill > burst)
		side->fill = burst;
	while (side->fill > 0 && side->waits >= side->lump) {
		side->fill -= side->lump;
		side->waits -= side->lump;
		side->bits += side->lump;
	}
}

static void relay_run(struct relay *r, uint64_t ns)
{
	uint64_t end_ns = r->now_ns + ns;

	for (; r->now_ns < end_ns; r->now_ns += TP_NS_PER_MS) {
		side_run(&r->packets, r->split.packets.rate);
		side_run(&r->streams, r->split.streams.rate);
		// The edge's report is some milliseconds old.
		if ((r->now_ns - START) % LOOK_NS == 0)
			(void)turn_split_look(&r->split, r->now_ns, (uint64_t)r->packets.bits / 8,
				(uint64_t)r->streams.bits / 8, r->now_ns - 3 * TP_NS_PER_MS);
	}
}

struct use {
	double packets; // of the cap
	double streams;
};

// Over some seconds.
static struct use relay_use(struct relay *r, unsigned s)
{
	double packets = r->packets.bits, streams = r->streams.bits;

	relay_run(r, s * TP_NS_PER_S);
	return (struct use){.packets = (r->packets.bits - packets) / (double)CAP / s,
		.streams = (r->streams.bits - streams) / (double)CAP / s};
}

static void assert_near(double is, double want)
{
	if (is < want - 0.05 || is > want + 0.05)
		print_error("%.3f instead of %.3f\n", is, want);
	assert_true(is >= want - 0.05 && is <= want + 0.05);
}

// In each of ten seconds the sum is the cap's; in all of them each side has its share.
static void assert_full(struct relay *r, double packets, double streams)
{
	struct use sum = {0};

	for (unsigned i = 0; i < 10; i++) {
		struct use one = relay_use(r, 1);

		assert_near(one.packets + one.streams, 1);
		sum.packets += one.packets / 10;
		sum.streams += one.streams / 10;
	}
	assert_near(sum.packets, packets);
	assert_near(sum.streams, streams);
}

static void both_share_by_their_number(void **state)
{
	static const uint32_t numbers[][2] = {{1, 1}, {3, 1}, {1, 4}, {20, 1}};

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(numbers); i++) {
		double n = numbers[i][0] + numbers[i][1];
		struct relay r;

		relay_init(&r, numbers[i][0], numbers[i][1]);
		r.packets.wants = r.streams.wants = 2 * CAP;
		(void)relay_use(&r, 2);
		assert_full(&r, numbers[i][0] / n, numbers[i][1] / n);
	}
}

static void one_has_what_the_other_leaves(void **state)
{
	static const double wants[] = {0, 0.05, 0.2, 0.4};

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(wants); i++) {
		struct relay r;

		relay_init(&r, 1, 1);
		r.packets.wants = 2 * CAP;
		r.streams.wants = wants[i] * CAP;
		(void)relay_use(&r, 2);
		assert_full(&r, 1 - wants[i], wants[i]);
		relay_init(&r, 1, 1);
		r.packets.wants = wants[i] * CAP;
		r.streams.wants = 2 * CAP;
		(void)relay_use(&r, 2);
		assert_full(&r, wants[i], 1 - wants[i]);
	}
}

// Each second one of them begins or ends: the sum keeps to the cap over time.
static void changes_keep_the_sum(void **state)
{
	struct relay r;
	struct use all;
	double bits;

	(void)state;
	relay_init(&r, 1, 1);
	bits = r.packets.bits + r.streams.bits;
	for (unsigned i = 0; i < 60; i++) {
		r.packets.wants = (i & 1) != 0 ? 2 * CAP : 0;
		r.streams.wants = (i & 2) != 0 ? 2 * CAP : 0;
		if (i % 4 == 0)
			r.packets.wants = 2 * CAP;
		r.packets.waits = r.streams.waits = 0;
		(void)relay_use(&r, 1);
	}
	bits = r.packets.bits + r.streams.bits - bits;
	if (bits > 1.05 * 60 * CAP || bits < 0.95 * 60 * CAP)
		print_error("%.3f of the cap\n", bits / 60 / CAP);
	assert_true(bits <= 1.05 * 60 * CAP && bits >= 0.95 * 60 * CAP);
	// One that is alone again has all of it.
	r.packets.wants = 2 * CAP;
	r.streams.wants = 0;
	(void)relay_use(&r, 2);
	all = relay_use(&r, 1);
	assert_near(all.packets, 1);
}

// A side whose bucket is not exact: small ones let some packets pass at once in any case.
static void what_is_beyond_is_paid_for(void **state)
{
	struct relay r;

	(void)state;
	relay_init(&r, 1, 1);
	r.packets.wants = r.streams.wants = 2 * CAP;
	r.streams.beyond = 1.3;
	(void)relay_use(&r, 4);
	assert_full(&r, 0.43, 0.57);
}

// A rate of 0 is no limit of the packet path's, and no order of the edge's.
static void a_small_share_is_a_rate(void **state)
{
	static const uint32_t numbers[][2] = {{99, 1}, {20000, 1}, {1, 20000}};

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(numbers); i++) {
		uint64_t share = CAP / (numbers[i][0] + numbers[i][1]);
		struct relay r;

		relay_init(&r, numbers[i][0], numbers[i][1]);
		assert_true(r.split.streams.rate >= share);
		r.packets.wants = r.streams.wants = 2 * CAP;
		(void)relay_use(&r, 2);
		assert_true(r.split.packets.rate > 0 && r.split.streams.rate > 0);
	}
}

// Sums that begin anew: a data plane or an edge that was started again.
static void sums_may_begin_anew(void **state)
{
	struct relay r;

	(void)state;
	relay_init(&r, 1, 1);
	r.packets.wants = r.streams.wants = 2 * CAP;
	(void)relay_use(&r, 2);
	r.packets.bits = 0;
	(void)relay_use(&r, 2);
	assert_full(&r, 0.5, 0.5);
	r.streams.bits = 0;
	(void)relay_use(&r, 2);
	assert_full(&r, 0.5, 0.5);
}

static void without_streams_packets_have_all(void **state)
{
	struct relay r;

	(void)state;
	relay_init(&r, 1, 1);
	r.packets.wants = r.streams.wants = 2 * CAP;
	(void)relay_use(&r, 3);
	assert_near((double)r.split.packets.rate / CAP, 0.5);
	assert_true(turn_split_streams_lost(&r.split));
	assert_near((double)r.split.packets.rate / CAP, 1);
	// Nor do they pay for an excess of both for long: no look would end that.
	relay_init(&r, 1, 1);
	r.packets.wants = r.streams.wants = 2 * CAP;
	r.streams.beyond = 1.3;
	(void)relay_use(&r, 3);
	assert_true(r.split.debt > CAP / 20);
	(void)turn_split_streams_lost(&r.split);
	assert_near((double)r.split.packets.rate / CAP, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_share_by_their_number),
		cmocka_unit_test(one_has_what_the_other_leaves),
		cmocka_unit_test(changes_keep_the_sum),
		cmocka_unit_test(what_is_beyond_is_paid_for),
		cmocka_unit_test(a_small_share_is_a_rate),
		cmocka_unit_test(sums_may_begin_anew),
		cmocka_unit_test(without_streams_packets_have_all),
	};

	return cmocka_run_group_tests_name("turn split", tests, NULL, NULL);
}
