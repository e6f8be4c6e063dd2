// SPDX-License-Identifier: BSD-3-Clause
// Meters of TCP allocations, at times that the test sets.
#include <meter/meter.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define START	(1000 * TP_NS_PER_S)
#define READ	16384u
#define MBIT	UINT64_C(1000000)
#define SECONDS 10u
#define CLIENT	false
#define PEER	true
#define TURN_NS (2 * TP_NS_PER_MS)

static struct meters *meters_of_test(void)
{
	static const uint8_t key[16] = "meters of a test";
	struct meters *m = meters_create(key);

	assert_non_null(m);
	return m;
}

// Under caps of these rates, each with 40 ms of it as burst; the ids are from `id` on.
static struct meter *capped(struct meters *m, uint32_t id, uint64_t first, uint64_t second)
{
	const struct tp_session_cap caps[TP_SESSION_CAPS_MAX] = {
		{.id = id, .bits_per_s = first, .burst_bits = first / 25},
		{.id = second != 0 ? 99 : 0, .bits_per_s = second, .burst_bits = second / 25}};
	struct meter *meter = meter_create(m);

	assert_non_null(meter);
	meter_caps_set(meter, caps, START);
	return meter;
}

// Reads whenever it may, from `*now` on, for ten seconds. Returns the bytes.
static uint64_t read_all(struct meter **meters, unsigned n, uint64_t *now)
{
	uint64_t end = *now + SECONDS * TP_NS_PER_S, sum = 0;

	for (; *now < end; *now += TURN_NS) {
		for (unsigned i = 0; i < n; i++) {
			if (meter_wait_ns(meters[i], *now) > 0)
				continue;
			meter_count(meters[i], *now, i % 2 == 0 ? PEER : CLIENT, READ);
			sum += READ;
		}
	}
	return sum;
}

// Within 2 % of the rate, and the burst.
static void assert_rate(uint64_t octets, uint64_t bits_per_s)
{
	uint64_t want = bits_per_s / 8 * SECONDS;

	assert_in_range(octets, want - want / 50, want + want / 50 + 2 * READ);
}

static void bytes_are_counted(void **state)
{
	struct meters *m = meters_of_test();
	struct meter *meter = meter_create(m);
	struct meter_total total;

	(void)state;
	assert_non_null(meter);
	meter_count(meter, START, PEER, 5);
	meter_count(meter, START, CLIENT, 7);
	meter_count(meter, START, PEER, 11);
	total = meter_total(meter);
	assert_true(total.to_peer == 16 && total.to_client == 7);
	assert_int_equal(meter_wait_ns(meter, START), 0);
	meter_unref(meter);
	meters_destroy(m);
}

static void a_cap_is_a_rate(void **state)
{
	struct meters *m = meters_of_test();
	struct meter *meter = capped(m, 1, 2 * MBIT, 0);
	uint64_t now = START;

	(void)state;
	assert_rate(read_all(&meter, 1, &now), 2 * MBIT);
	// Silence gives no more than a burst.
	now += 3600 * TP_NS_PER_S;
	assert_rate(read_all(&meter, 1, &now), 2 * MBIT);
	meter_unref(meter);
	meters_destroy(m);
}

static void the_wait_ends_when_it_says(void **state)
{
	struct meters *m = meters_of_test();
	struct meter *meter = capped(m, 1, 8 * MBIT, 0);
	uint64_t wait_ns;

	(void)state;
	// The burst, and a megabyte more: that of a second.
	meter_count(meter, START, PEER, 40000 + 1000000);
	wait_ns = meter_wait_ns(meter, START);
	assert_in_range(wait_ns, TP_NS_PER_S, TP_NS_PER_S + TP_NS_PER_MS);
	assert_true(meter_wait_ns(meter, START + wait_ns - TP_NS_PER_MS) > 0);
	assert_int_equal(meter_wait_ns(meter, START + wait_ns + 1), 0);
	// A thread whose clock is behind.
	assert_int_equal(meter_wait_ns(meter, START), 0);
	meter_unref(meter);
	meters_destroy(m);
}

static void a_bucket_is_shared_by_its_id(void **state)
{
	struct meters *m = meters_of_test();
	struct meter *both[] = {
		capped(m, 1, 50 * MBIT, 4 * MBIT), capped(m, 2, 50 * MBIT, 4 * MBIT)};
	struct meter_total total;
	uint64_t now = START;

	(void)state;
	assert_rate(read_all(both, 2, &now), 4 * MBIT);
	// The other's end leaves it alone.
	meter_unref(both[0]);
	assert_true(meter_wait_ns(both[1], now) > 0);
	assert_rate(read_all(both + 1, 1, &now), 4 * MBIT);
	total = meter_total(both[1]);
	assert_true(total.to_peer > 0);
	meter_unref(both[1]);
	meters_destroy(m);
}

static void other_caps_hold_at_once(void **state)
{
	static const struct tp_session_cap none[TP_SESSION_CAPS_MAX];
	const struct tp_session_cap wider[TP_SESSION_CAPS_MAX] = {
		{.id = 1, .bits_per_s = 6 * MBIT, .burst_bits = 1}};
	struct meters *m = meters_of_test();
	struct meter *meter = capped(m, 1, MBIT, 0);
	uint64_t now = START;

	(void)state;
	assert_rate(read_all(&meter, 1, &now), MBIT);
	// The bucket has its debt still.
	meter_count(meter, now, PEER, READ);
	meter_caps_set(meter, wider, now);
	assert_true(meter_wait_ns(meter, now) > 0);
	assert_rate(read_all(&meter, 1, &now), 6 * MBIT);
	meter_count(meter, now, PEER, READ);
	meter_caps_set(meter, none, now);
	assert_int_equal(meter_wait_ns(meter, now), 0);
	meter_unref(meter);
	meters_destroy(m);
}

static void a_reference_keeps_it(void **state)
{
	struct meters *m = meters_of_test();
	struct meter *meter = capped(m, 1, MBIT, 0), *again = meter_ref(meter);

	(void)state;
	meter_unref(meter);
	meter_count(again, START, PEER, 1000000);
	assert_true(meter_wait_ns(again, START) > 0);
	meter_unref(again);
	// The bucket went with it: a new one is full.
	meter = capped(m, 1, MBIT, 0);
	assert_int_equal(meter_wait_ns(meter, START), 0);
	meter_unref(meter);
	meter_unref(NULL);
	assert_null(meter_ref(NULL));
	meters_destroy(m);
	meters_destroy(NULL);
}

// The caps of a division: other rates for a bucket that is there, and reports of its bytes.
static void a_bucket_may_be_watched(void **state)
{
	struct tp_session_cap caps[TP_SESSION_CAPS_MAX] = {{.id = 1,
		.bits_per_s = 6 * MBIT,
		.flags = TP_CAP_WATCHED}},
			      is[TP_SESSION_CAPS_MAX];
	struct meters *m = meters_of_test();
	struct meter *first = capped(m, 1, MBIT, 0), *second = capped(m, 2, MBIT, 0);
	struct tp_session_used used;
	uint64_t now = START;

	(void)state;
	assert_false(meters_used(m, &used));
	meter_count(first, now, PEER, 100);
	meter_count(first, now, CLIENT, 11);
	meters_caps_change(m, caps, now);
	meter_caps_get(first, is);
	assert_true(is[0].id == 1 && is[0].bits_per_s == 6 * MBIT && is[1].id == 0);
	assert_int_equal(is[0].flags, TP_CAP_WATCHED);
	assert_int_equal(meters_watched(m), 1);
	assert_true(meters_used(m, &used) && used.id == 1 && used.octets == 111);
	assert_rate(read_all(&first, 1, &now), 6 * MBIT);
	caps[0].id = 2;
	meters_caps_change(m, caps, now);
	// Each has its turn.
	meters_used_told(m, 1);
	assert_true(meters_used(m, &used) && used.id == 2 && used.octets == 0);
	meters_used_told(m, 2);
	assert_true(meters_used(m, &used) && used.id == 1);
	// Nothing comes of one that is not there.
	caps[0].id = 3;
	meters_caps_change(m, caps, now);
	assert_int_equal(meters_watched(m), 2);
	caps[0] = (struct tp_session_cap){.id = 1, .bits_per_s = MBIT};
	meters_caps_change(m, caps, now);
	assert_int_equal(meters_watched(m), 1);
	meter_unref(second);
	assert_int_equal(meters_watched(m), 0);
	meter_unref(first);
	meters_destroy(m);
}

// They pass to the next process: a rate of 0 would end all.
static void caps_are_shown_as_they_came(void **state)
{
	const struct tp_session_cap caps[TP_SESSION_CAPS_MAX] = {
		{.id = 1, .bits_per_s = UINT64_MAX, .burst_bits = UINT64_MAX},
		{.id = 2, .bits_per_s = 8 * MBIT, .burst_bits = 1, .flags = TP_CAP_WATCHED}};
	struct tp_session_cap is[TP_SESSION_CAPS_MAX];
	struct meters *m = meters_of_test();
	struct meter *meter = meter_create(m);

	(void)state;
	assert_non_null(meter);
	meter_caps_set(meter, caps, START);
	meter_caps_get(meter, is);
	assert_memory_equal(is, caps, sizeof(is));
	meter_unref(meter);
	meters_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_counted),
		cmocka_unit_test(a_cap_is_a_rate),
		cmocka_unit_test(the_wait_ends_when_it_says),
		cmocka_unit_test(a_bucket_is_shared_by_its_id),
		cmocka_unit_test(other_caps_hold_at_once),
		cmocka_unit_test(a_reference_keeps_it),
		cmocka_unit_test(a_bucket_may_be_watched),
		cmocka_unit_test(caps_are_shown_as_they_came),
	};

	return cmocka_run_group_tests_name("edge meter", tests, NULL, NULL);
}
