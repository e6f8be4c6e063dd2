// SPDX-License-Identifier: BSD-3-Clause
// Fair shares of a cap: sessions over it, beside those below it.
#include "caps.h"

#include <core/bucket.h>

struct offer {
	uint64_t bits_per_s; // 0: silent
	unsigned at_once;    // packets; 0: one
	uint64_t next_ns;
	uint64_t passed; // bits
};

// Lets clients send at their rates for some time, by all workers in turn.
static void offers_run(
	struct caps *t, struct offer *offers, unsigned n, unsigned n_workers, uint64_t ns)
{
	uint64_t end = t->now_ns + ns, packets = 0;

	for (unsigned i = 0; i < n; i++) {
		offers[i].next_ns = t->now_ns + 1;
		offers[i].passed = 0;
	}
	for (;;) {
		struct offer *first = NULL;

		for (unsigned i = 0; i < n; i++)
			if (offers[i].bits_per_s != 0 &&
				(first == NULL || offers[i].next_ns < first->next_ns))
				first = &offers[i];
		if (first == NULL || first->next_ns >= end)
			break;
		t->now_ns = first->next_ns;
		for (unsigned i = 0; i == 0 || i < first->at_once; i++) {
			first->next_ns += TP_NS_PER_S * CAPS_DATA_BITS / first->bits_per_s;
			if (caps_passes(
				    t, (unsigned)(packets++ % n_workers), &t->up[first - offers]))
				first->passed += CAPS_DATA_BITS;
		}
	}
	t->now_ns = end;
}

static void realm_start(struct caps *t, unsigned n_clients, unsigned n_workers, uint64_t rate)
{
	caps_start(t, n_clients, n_workers);
	for (unsigned i = 0; i < n_clients; i++)
		caps_set_over(t, i, 8, TP_LIMIT_REALM, n_clients);
	caps_set_bits(&t->limits[8], rate);
}

// One offers ten times as much as the other: 1:1 within 10 %, and the whole rate is used.
static void overload_is_shared_one_to_one(void **state)
{
	static const uint64_t rates[] = {MBIT, 10 * MBIT, 100 * MBIT};

	(void)state;
	for (unsigned n = 1; n <= CAPS_WORKERS_MAX; n *= 2)
		for (unsigned i = 0; i < TP_ARRAY_LEN(rates); i++) {
			uint64_t rate = rates[i];
			struct offer offers[2] = {{.bits_per_s = rate}, {.bits_per_s = 10 * rate}};
			struct caps t;

			realm_start(&t, 2, n, rate);
			offers_run(&t, offers, 2, n, TP_NS_PER_S / 2);
			for (unsigned second = 0; second < 3; second++) {
				offers_run(&t, offers, 2, n, TP_NS_PER_S);
				caps_assert_within(offers[0].passed + offers[1].passed, rate, 5);
				caps_assert_within(offers[0].passed, offers[1].passed, 10);
			}
			caps_stop(&t);
		}
}

// Packets that come several at once, as those of a picture do, beside many that come one by one:
// the cap's bucket is neither emptied before they come, nor left full.
static void bursts_have_their_share(void **state)
{
	static const uint64_t rates[] = {MBIT, 2 * MBIT};

	(void)state;
	for (unsigned n = 1; n <= CAPS_WORKERS_MAX; n *= 2)
		for (unsigned i = 0; i < TP_ARRAY_LEN(rates); i++) {
			uint64_t rate = rates[i];
			struct offer offers[2] = {
				{.bits_per_s = rate, .at_once = 4}, {.bits_per_s = 30 * rate}};
			struct caps t;

			realm_start(&t, 2, n, rate);
			offers_run(&t, offers, 2, n, 2 * TP_NS_PER_S);
			offers_run(&t, offers, 2, n, 4 * TP_NS_PER_S);
			caps_assert_within(offers[0].passed + offers[1].passed, 4 * rate, 5);
			caps_assert_within(offers[0].passed, offers[1].passed, 10);
			caps_stop(&t);
		}
}

// Sessions below their share get all they ask for, the others share the rest.
static void unused_shares_go_to_the_others(void **state)
{
	const uint64_t rate = 40 * MBIT;
	struct offer offers[4] = {{.bits_per_s = 2 * MBIT}, {.bits_per_s = 8 * MBIT},
		{.bits_per_s = 20 * MBIT}, {.bits_per_s = 200 * MBIT}};
	struct caps t;

	(void)state;
	realm_start(&t, 4, 2, rate);
	offers_run(&t, offers, 4, 2, TP_NS_PER_S / 2);
	for (unsigned second = 0; second < 3; second++) {
		offers_run(&t, offers, 4, 2, TP_NS_PER_S);
		caps_assert_within(offers[0].passed, 2 * MBIT, 2);
		caps_assert_within(offers[1].passed, 8 * MBIT, 2);
		caps_assert_within(offers[2].passed, 15 * MBIT, 10);
		caps_assert_within(offers[3].passed, 15 * MBIT, 10);
		caps_assert_within(
			offers[0].passed + offers[1].passed + offers[2].passed + offers[3].passed,
			rate, 5);
	}
	caps_stop(&t);
}

// A low cap, of which a bucket holds few packets, over many sessions: those that come and go use
// all of it, whoever is silent.
static void silent_sessions_cost_nothing(void **state)
{
	static const unsigned active[] = {3, 5, 12, 2, 15, 9, 4, 10}; // sets of the four clients
	const uint64_t rate = MBIT;
	struct offer offers[4];
	uint64_t passed = 0;
	struct caps t;

	(void)state;
	caps_start(&t, 4, 2);
	for (unsigned i = 0; i < 4; i++)
		caps_set_over(&t, i, 8, TP_LIMIT_REALM, 100);
	caps_set_bits(&t.limits[8], rate);
	for (unsigned turn = 0; turn < 64; turn++) {
		for (unsigned i = 0; i < 4; i++)
			offers[i] = (struct offer){
				.bits_per_s = (active[turn % 8] >> i & 1) * (1 + i) * rate};
		offers_run(&t, offers, 4, 2, TP_NS_PER_S / 2);
		for (unsigned i = 0; i < 4; i++)
			passed += offers[i].passed;
	}
	caps_assert_within(passed, 32 * rate, 5);
	caps_stop(&t);
}

// A share ends with the overload: a session alone has the whole rate.
static void one_alone_has_all(void **state)
{
	const uint64_t rate = 20 * MBIT;
	struct offer both[2] = {{.bits_per_s = 5 * rate}, {.bits_per_s = 5 * rate}};
	struct offer one[2] = {{.bits_per_s = 0}, {.bits_per_s = 5 * rate}};
	struct caps t;

	(void)state;
	realm_start(&t, 2, 1, rate);
	offers_run(&t, both, 2, 1, TP_NS_PER_S);
	offers_run(&t, one, 2, 1, TP_NS_PER_S / 2);
	offers_run(&t, one, 2, 1, TP_NS_PER_S);
	caps_assert_within(one[1].passed, rate, 5);
	t.now_ns += 10 * TP_NS_PER_S;
	offers_run(&t, one, 2, 1, TP_NS_PER_S);
	caps_assert_within(one[1].passed, rate, 5);
	caps_stop(&t);
}

// Packet rates are shared likewise, and a narrow user's cap within a realm holds beside it.
static void levels_hold_together(void **state)
{
	struct offer offers[3] = {
		{.bits_per_s = 30 * MBIT}, {.bits_per_s = 30 * MBIT}, {.bits_per_s = 60 * MBIT}};
	struct caps t;

	(void)state;
	caps_start(&t, 3, 1);
	// The first two are one user's.
	caps_set_over(&t, 0, 8, TP_LIMIT_USER, 2);
	caps_set_over(&t, 1, 8, TP_LIMIT_USER, 2);
	caps_set_over(&t, 2, 9, TP_LIMIT_REALM, 3);
	caps_set_over(&t, 8, 9, TP_LIMIT_REALM, 3);
	caps_set_bits(&t.limits[8], 4 * MBIT);
	caps_set(&t.limits[9], 0, 0, 2000, 80);
	offers_run(&t, offers, 3, 1, TP_NS_PER_S);
	offers_run(&t, offers, 3, 1, TP_NS_PER_S);
	caps_assert_within(offers[0].passed, 2 * MBIT, 10);
	caps_assert_within(offers[1].passed, 2 * MBIT, 10);
	caps_assert_within(offers[2].passed, 12 * MBIT, 5);
	caps_stop(&t);
}

// An allocation under its share is neither marked nor dropped beside one that sends too much, and
// that one is marked before it loses.
// Clauses: 8656 14-2
static void only_the_greedy_are_marked(void **state)
{
	struct offer offers[2] = {{.bits_per_s = 2 * MBIT}, {.bits_per_s = 40 * MBIT}};
	struct caps t;

	(void)state;
	realm_start(&t, 2, 1, 10 * MBIT);
	caps_frame(&t, 0, ECT1, &t.up[0]);
	caps_frame(&t, 1, ECT0, &t.up[1]);
	while (t.cells[0][1].dropped == 0) {
		assert_true(t.now_ns < (RELAY_NOW_S + 1) * TP_NS_PER_S);
		offers_run(&t, offers, 2, 1, TP_NS_PER_MS);
	}
	assert_true(t.cells[0][1].marked > 0);
	offers_run(&t, offers, 2, 1, TP_NS_PER_S);
	memset(t.cells, 0, sizeof(t.cells));
	offers_run(&t, offers, 2, 1, TP_NS_PER_S);
	assert_int_equal(t.cells[0][0].dropped, 0);
	assert_int_equal(t.cells[0][0].marked, 0);
	assert_true(t.cells[0][1].marked > 0);
	caps_stop(&t);
}

// After more than four and a half years of uptime, words of 0 lie ahead.
static void first_packets_may_come_late(void **state)
{
	const uint64_t ahead = 1ull << 62, rate = 10 * MBIT;
	struct offer offers[2] = {{.bits_per_s = rate}, {.bits_per_s = 10 * rate}};
	struct caps t;

	(void)state;
	realm_start(&t, 2, 1, rate);
	for (unsigned i = 0; i < CAPS_SLOTS; i++) {
		uint64_t at = core_bucket_ticks(t.now_ns) + ahead;

		atomic_store(&t.fill[i].change_at, at);
		for (unsigned meter = 0; meter < STAGE_METERS; meter++) {
			atomic_store(&t.fill[i].meters[meter].full_at, at);
			atomic_store(&t.fill[i].meters[meter].share_at, at);
		}
	}
	offers_run(&t, offers, 2, 1, TP_NS_PER_S / 2);
	offers_run(&t, offers, 2, 1, TP_NS_PER_S);
	caps_assert_within(offers[0].passed + offers[1].passed, rate, 5);
	caps_assert_within(offers[0].passed, offers[1].passed, 10);
	caps_stop(&t);
}

// Control counts sessions, and a packet may come after the last has ended.
static void no_session_is_no_fault(void **state)
{
	struct offer offers[1] = {{.bits_per_s = 50 * MBIT}};
	struct caps t;

	(void)state;
	realm_start(&t, 1, 1, 10 * MBIT);
	atomic_store(&t.limits[8].sessions, 0);
	offers_run(&t, offers, 1, 1, TP_NS_PER_S);
	caps_assert_within(offers[0].passed, 10 * MBIT, 5);
	caps_stop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overload_is_shared_one_to_one),
		cmocka_unit_test(bursts_have_their_share),
		cmocka_unit_test(silent_sessions_cost_nothing),
		cmocka_unit_test(unused_shares_go_to_the_others),
		cmocka_unit_test(one_alone_has_all),
		cmocka_unit_test(levels_hold_together),
		cmocka_unit_test(only_the_greedy_are_marked),
		cmocka_unit_test(first_packets_may_come_late),
		cmocka_unit_test(no_session_is_no_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
