// SPDX-License-Identifier: BSD-3-Clause
// Caps of bandwidth and packet rate, with a time that the tests make.
#include "caps.h"

#define SEED 0x9e3779b97f4a7c15ull

// Offers packets at `offered` times `rate` bits per second for a second, to all workers in turn.
static uint64_t second_run(struct caps *t, unsigned n_workers, uint64_t rate, unsigned offered)
{
	uint64_t step = TP_NS_PER_S * CAPS_DATA_BITS / (rate * offered), passed = 0;

	for (uint64_t at = 0, i = 0; at < TP_NS_PER_S; at += step, i++) {
		t->now_ns += step;
		passed += caps_passes(
			t, (unsigned)(i % n_workers), i % 3 != 0 ? &t->up[0] : &t->down);
	}
	return passed * CAPS_DATA_BITS;
}

// Both directions together, in the first second and in each other.
// Clauses: 8656 5-9
static void rate_is_exact_over_workers(void **state)
{
	static const uint64_t rates[] = {2 * MBIT, 37 * MBIT, 400 * MBIT};
	struct caps t;

	(void)state;
	for (unsigned n = 1; n <= CAPS_WORKERS_MAX; n *= 2)
		for (unsigned i = 0; i < TP_ARRAY_LEN(rates); i++) {
			caps_start(&t, 1, n);
			caps_set_bits(&t.limits[0], rates[i]);
			for (unsigned second = 0; second < 3; second++)
				caps_assert_within(second_run(&t, n, rates[i], 3), rates[i], 5);
			assert_true(t.c.r->stats->drops[TP_DROP_cap_allocation] > 0);
			caps_stop(&t);
		}
}

static void packet_rate_is_exact(void **state)
{
	struct caps t;
	uint64_t passed;

	(void)state;
	caps_start(&t, 1, 2);
	caps_set(&t.limits[0], 0, 0, 1000, 20);
	passed = second_run(&t, 2, 1000 * CAPS_DATA_BITS, 4) / CAPS_DATA_BITS;
	caps_assert_within(passed, 1000, 5);
	caps_stop(&t);
}

// A plain bucket says the same of each packet, at any times and lengths of bursts.
static void model_agrees(void **state)
{
	const double rate = 3e6, burst = 90e3;
	double level = burst;
	uint64_t random = SEED;
	unsigned passed = 0;
	struct caps t;

	(void)state;
	caps_start(&t, 1, 1);
	caps_set(&t.limits[0], (uint64_t)rate, (uint64_t)burst, 0, 0);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t wait;
		bool got;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		wait = random >> 40;
		if (i % 50 == 0)
			wait += 20 * TP_NS_PER_MS;
		t.now_ns += wait / 4;
		level += (double)(wait / 4) * rate / 1e9;
		level = level < burst ? level : burst;
		got = caps_passes(&t, 0, &t.up[0]);
		if ((level < -1 || level > 1) && got != (level > 0))
			fail_msg("packet %u: %d at a level of %f", i, got, level);
		if (got)
			level -= CAPS_DATA_BITS;
		passed += got;
	}
	assert_in_range(passed, 1000, 19000);
	caps_stop(&t);
}

static void burst_passes_after_silence(void **state)
{
	struct caps t;
	unsigned n;

	(void)state;
	caps_start(&t, 1, 1);
	caps_set(&t.limits[0], 10 * MBIT, 100 * CAPS_DATA_BITS, 0, 0);
	for (unsigned round = 0; round < 3; round++) {
		for (n = 0; n < 1000 && caps_passes(&t, 0, &t.up[0]); n++)
			;
		assert_int_equal(n, 100);
		t.now_ns += 3 * TP_NS_PER_S;
	}
	caps_stop(&t);
}

// However small the burst: some packets, so that a mark can come before a drop.
static void small_bursts_pass_four_packets(void **state)
{
	struct caps t;
	unsigned n;

	(void)state;
	caps_start(&t, 1, 1);
	caps_set(&t.limits[0], 0, 0, 10, 1);
	for (n = 0; n < 100 && caps_passes(&t, 0, &t.up[0]); n++)
		;
	assert_int_equal(n, 4);
	caps_stop(&t);
}

static unsigned ecn_of(const struct stage_pkt *pkt)
{
	struct frame_view v = call_read(pkt);

	return v.tos & CE;
}

// Marked before any is dropped; one that knows no marks is not marked. Lengths and checksums are
// right (call_read).
// Clauses: 8656 14-2
static void marks_come_before_drops(void **state)
{
	static const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		unsigned ecn = i % 4, unmarked = 0, marked = 0, cell;
		struct stage_pkt pkt;
		struct caps t;

		caps_start_family(&t, 1, 1, families[i / 4]);
		caps_set(&t.limits[0], 10 * MBIT, 40 * CAPS_DATA_BITS, 0, 0);
		caps_frame(&t, 0, (uint8_t)(0xb8 | ecn), &t.up[0]);
		for (;;) {
			pkt = caps_run(&t, 0, &t.up[0]);
			if (pkt.verdict != STAGE_SEND)
				break;
			if (ecn_of(&pkt) != ecn)
				marked++;
			else
				unmarked++;
			assert_true(ecn_of(&pkt) == ecn || ecn_of(&pkt) == CE);
			assert_int_equal(call_read(&pkt).tos & 0xfc, 0xb8);
		}
		call_assert_drop(&pkt, TP_DROP_cap_allocation);
		assert_int_equal(marked + unmarked, 40);
		assert_int_equal(marked, ecn == ECT0 || ecn == ECT1 ? 20 : 0);
		cell = (unsigned)t.cells[0][0].marked;
		assert_int_equal(cell, marked);
		assert_int_equal(t.c.r->stats->path_packets[TP_PATH_marked], marked);
		assert_int_equal(t.cells[0][0].dropped, 1);
		assert_int_equal(t.cells[0][0].packets, 40);
		assert_int_equal(t.cells[0][0].bits, 40 * CAPS_DATA_BITS);
		caps_stop(&t);
	}
}

static void reload_takes_effect_at_once(void **state)
{
	struct caps t;

	(void)state;
	caps_start(&t, 1, 1);
	caps_set_bits(&t.limits[0], 4 * MBIT);
	second_run(&t, 1, 4 * MBIT, 3);
	caps_set_bits(&t.limits[0], 40 * MBIT);
	caps_assert_within(second_run(&t, 1, 40 * MBIT, 3), 40 * MBIT, 5);
	caps_set_bits(&t.limits[0], 0);
	caps_assert_within(second_run(&t, 1, 80 * MBIT, 1), 80 * MBIT, 1);
	caps_stop(&t);
}

// Also where the bucket owes more than it may from then on: the burst ended, or another allocation
// has got the slot.
static void shorter_burst_takes_effect_at_once(void **state)
{
	struct caps t;

	(void)state;
	for (unsigned meter = 0; meter < STAGE_METERS; meter++) {
		bool is_bits = meter == STAGE_BITS;

		caps_start(&t, 1, 1);
		caps_set(&t.limits[0], is_bits ? MBIT : 0, 5 * MBIT, is_bits ? 0 : 125, 5 * 125);
		for (unsigned second = 0; second < 4; second++)
			second_run(&t, 1, MBIT, 3);
		assert_true(t.c.r->stats->drops[TP_DROP_cap_allocation] > 0);
		caps_set(&t.limits[0], is_bits ? MBIT : 0, MBIT / 25, is_bits ? 0 : 125, 5);
		caps_assert_within(second_run(&t, 1, MBIT, 3), MBIT, 5);
		caps_stop(&t);
	}
}

// The array may hold anything: what an allocation without a limit does not look at, and limits that
// are not there.
static void others_are_untouched(void **state)
{
	struct caps t;

	(void)state;
	caps_start(&t, 2, 1);
	caps_set_bits(&t.limits[0], MBIT);
	caps_limit(&t, t.c.allocation, 0);
	caps_assert_within(second_run(&t, 1, 50 * MBIT, 1), 50 * MBIT, 1);
	assert_int_equal(t.fill[0].meters[STAGE_BITS].full_at, 0);
	assert_int_equal(t.cells[0][0].packets, 0);
	caps_limit(&t, t.c.allocation, CAPS_SLOTS + 1);
	assert_true(caps_passes(&t, 0, &t.up[0]));
	caps_limit(&t, t.c.allocation, 1);
	atomic_store(&t.limits[0].parent, UINT32_MAX);
	assert_true(caps_passes(&t, 0, &t.up[0]));
	// A chain that meets itself.
	caps_set_bits(&t.limits[0], 0);
	atomic_store(&t.limits[0].parent, 1);
	assert_true(caps_passes(&t, 0, &t.up[0]));
	t.workers[0]->n_limits = 0;
	assert_true(caps_passes(&t, 0, &t.up[0]));
	caps_stop(&t);
}

// Each level has a name of its own.
static void drops_name_the_cap(void **state)
{
	static const struct {
		uint8_t kind;
		enum tp_drop reason;
	} rows[] = {
		{TP_LIMIT_USER, TP_DROP_cap_user},
		{TP_LIMIT_REALM, TP_DROP_cap_realm},
		{TP_LIMIT_ALL, TP_DROP_cap_all},
	};
	struct caps t;

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct stage_pkt pkt;

		caps_start(&t, 1, 1);
		caps_set_over(&t, 0, 8, rows[i].kind, 1);
		caps_set_bits(&t.limits[8], MBIT);
		do
			pkt = caps_run(&t, 0, &t.up[0]);
		while (pkt.verdict == STAGE_SEND);
		call_assert_drop(&pkt, rows[i].reason);
		assert_int_equal(t.cells[0][0].dropped, 1);
		assert_int_equal(t.cells[0][8].dropped, 1);
		caps_stop(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_is_exact_over_workers),
		cmocka_unit_test(packet_rate_is_exact),
		cmocka_unit_test(model_agrees),
		cmocka_unit_test(burst_passes_after_silence),
		cmocka_unit_test(small_bursts_pass_four_packets),
		cmocka_unit_test(marks_come_before_drops),
		cmocka_unit_test(reload_takes_effect_at_once),
		cmocka_unit_test(shorter_burst_takes_effect_at_once),
		cmocka_unit_test(others_are_untouched),
		cmocka_unit_test(drops_name_the_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
