// SPDX-License-Identifier: BSD-3-Clause
// Lengths and times of packets: those of retransmissions into a hole, and those of calls that work.
#include <core/hole.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct seen {
	uint32_t at_ms;
	uint32_t len;
};

// The number of the first packet that shows a hole, from 1; 0: none. `others` pass from the second
// packet on.
static unsigned run(const struct seen *s, unsigned n, bool others)
{
	struct core_hole h = {0};

	for (unsigned i = 0; i < n; i++)
		if (core_hole_step(&h, s[i].len, 1000000 + s[i].at_ms, others && i > 0 ? i : 0))
			return i + 1;
	return 0;
}
#define RUN(s, others) run(s, TP_ARRAY_LEN(s), others)

static void test_retransmissions(void **state)
{
	// DTLS by OpenSSL; by BoringSSL in a browser, from 50 ms; two long records a flight.
	static const struct seen openssl[] = {{0, 1400}, {1000, 1400}, {3000, 1400}, {7000, 1400}};
	static const struct seen browser[] = {{0, 1400}, {50, 1400}, {150, 1400}, {350, 1400},
		{750, 1400}, {1550, 1400}, {3150, 1400}};
	static const struct seen flight[] = {{0, 1400}, {0, 1400}, {1000, 1400}, {1001, 1400},
		{3000, 1400}, {3001, 1400}, {7000, 1400}};
	static const struct seen mixed[] = {{0, 1400}, {1, 1300}, {1000, 1400}, {1001, 1300},
		{3000, 1400}, {3001, 1300}, {7000, 1400}};

	(void)state;
	assert_int_equal(RUN(openssl, true), 4);
	assert_int_equal(RUN(browser, true), 7);
	assert_int_equal(RUN(flight, true), 7);
	assert_int_equal(RUN(mixed, true), 7);
	// Nothing else arrives either: the way is down, not narrow.
	assert_int_equal(RUN(openssl, false), 0);
}

static void test_traffic_that_is_answered(void **state)
{
	static const struct seen even[] = {
		{0, 1400}, {1000, 1400}, {2000, 1400}, {3000, 1400}, {4000, 1400}, {5000, 1400}};
	static const struct seen growing[] = {{0, 1300}, {1000, 1320}, {3000, 1340}, {7000, 1360}};
	static const struct seen late[] = {{0, 1400}, {1000, 1400}, {3000, 1400}, {80000, 1400}};
	struct seen bulk[300];

	(void)state;
	assert_int_equal(RUN(even, true), 0);
	assert_int_equal(RUN(growing, true), 0);
	assert_int_equal(RUN(late, true), 0);
	for (unsigned i = 0; i < TP_ARRAY_LEN(bulk); i++)
		bulk[i] = (struct seen){i * 5, 1400};
	assert_int_equal(RUN(bulk, true), 0);
	// Bursts with growing pauses between them, of more packets than a flight has.
	for (unsigned i = 0; i < TP_ARRAY_LEN(bulk); i++)
		bulk[i] = (struct seen){(1u << i / 30) * 1000 + i % 30, 1400};
	assert_int_equal(RUN(bulk, true), 0);
}

// Once only: it begins anew.
static void test_begins_anew(void **state)
{
	static const uint32_t at[] = {0, 1000, 3000, 7000, 15000, 31000};
	struct core_hole h = {0};
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(at); i++)
		n += core_hole_step(&h, 1400, at[i] + 5, i);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retransmissions),
		cmocka_unit_test(test_traffic_that_is_answered),
		cmocka_unit_test(test_begins_anew),
	};

	return cmocka_run_group_tests_name("core: hole", tests, NULL, NULL);
}
