// SPDX-License-Identifier: BSD-3-Clause
#include <port.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t seed;

static void random_fill(void *ctx, void *buf, size_t len)
{
	uint8_t *p = buf;

	(void)ctx;
	for (size_t i = 0; i < len; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		p[i] = (uint8_t)(seed >> 56);
	}
}

struct fixture {
	struct turn_relay_address relays[3];
	struct turn_ports ports;
	struct turn_random random;
};

static void fixture_init(struct fixture *f, uint16_t min, uint16_t max)
{
	const struct turn_env env = {.random = random_fill};
	struct turn_conf conf = {
		.relays = f->relays, .n_relays = 3, .port_min = min, .port_max = max};

	memset(f, 0, sizeof(*f));
	seed = 1;
	f->relays[0].local = tp_addr_ipv4(1, 0);
	f->relays[1].local = tp_addr_ipv4(2, 0);
	f->relays[2].local.family = TP_FAMILY_IPV6;
	turn_random_init(&f->random, &env);
	assert_int_equal(turn_ports_init(&f->ports, NULL, &conf), 0);
}

// Every port of every address of the family is given once, in no order; then there is none.
// Clauses: 8656 6-1
static void range_is_used_up(void **state)
{
	static const uint16_t ranges[][2] = {
		{49152, 65535}, {1, 65535}, {1000, 1000}, {63, 64}, {65535, 65535}, {1024, 1100}};

	(void)state;
	for (size_t r = 0; r < TP_ARRAY_LEN(ranges); r++) {
		uint16_t min = ranges[r][0], max = ranges[r][1];
		uint8_t *seen = calloc(3 * 65536, 1);
		struct fixture f;
		uint16_t relay, port, last = 0;
		unsigned n = 2u * ((unsigned)max - min + 1), ascents = 0;

		assert_non_null(seen);
		fixture_init(&f, min, max);
		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
						 TURN_PORT_ANY, &relay, &port),
				0);
			assert_true(relay < 2 && port >= min && port <= max);
			assert_int_equal(seen[relay * 65536 + port]++, 0);
			ascents += port == last + 1;
			last = port;
		}
		assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
					 TURN_PORT_ANY, &relay, &port),
			-ENOSPC);
		assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV6,
					 TURN_PORT_ANY, &relay, &port),
			0);
		assert_int_equal(relay, 2);
		// In sequence they would all be ascents; the last few of a full range are scanned.
		if (n > 1000)
			assert_true(ascents < n / 10);
		turn_ports_fini(&f.ports);
		free(seen);
	}
}

// Over many draws from an empty range, each sixteenth of it comes up about as often.
// Clauses: 8656 7.2-9
static void choice_is_even(void **state)
{
	unsigned count[16] = {0};
	struct fixture f;
	uint16_t relay, port;

	(void)state;
	fixture_init(&f, 49152, 65535);
	for (unsigned i = 0; i < 16000; i++) {
		assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
					 TURN_PORT_ANY, &relay, &port),
			0);
		turn_ports_cancel(&f.ports, relay, port, NULL);
		count[(port - 49152u) / 1024]++;
	}
	for (unsigned i = 0; i < 16; i++)
		assert_in_range(count[i], 850, 1150);
	turn_ports_fini(&f.ports);
}

static void freed_port_rests(void **state)
{
	const uint64_t freed_ns = 100 * TP_NS_PER_S + 1;
	struct fixture f;
	uint16_t relay, port;
	unsigned budget = 8;

	(void)state;
	fixture_init(&f, 5000, 5000);
	assert_int_equal(turn_ports_claim(&f.ports, 0, 5000, NULL), 0);
	assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4, TURN_PORT_ANY,
				 &relay, &port),
		0);
	assert_int_equal(relay, 1);
	turn_ports_release(&f.ports, freed_ns, relay, port, NULL);
	assert_int_equal(turn_ports_next_s(&f.ports), 161);
	turn_ports_advance(&f.ports, 160, &budget);
	assert_int_equal(f.ports.n_cooling, 1);
	turn_ports_advance(&f.ports, 161, &budget);
	assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4, TURN_PORT_ANY,
				 &relay, &port),
		0);
	assert_int_equal(turn_ports_next_s(&f.ports), UINT32_MAX);
	turn_ports_fini(&f.ports);
}

// A million of them may end in the same second.
static void the_end_of_rests_is_taken_in_portions(void **state)
{
	struct fixture f;
	unsigned budget = 3;

	(void)state;
	fixture_init(&f, 5000, 5009);
	for (uint16_t port = 5000; port < 5010; port++) {
		assert_int_equal(turn_ports_claim(&f.ports, 0, port, NULL), 0);
		turn_ports_release(&f.ports, TP_NS_PER_S, 0, port, NULL);
	}
	turn_ports_advance(&f.ports, 61, &budget);
	assert_int_equal(budget, 0);
	assert_int_equal(f.ports.sets[0].n_free, 3);
	assert_int_equal(turn_ports_next_s(&f.ports), 61);
	budget = 100;
	turn_ports_advance(&f.ports, 61, &budget);
	assert_int_equal(budget, 93);
	assert_int_equal(f.ports.sets[0].n_free, 10);
	turn_ports_fini(&f.ports);
}

// Each even port once, then none, even if odd ones are free (RFC 8656 7.2).
static void even_ports_run_out(void **state)
{
	static const uint16_t ranges[][2] = {
		{49152, 65535}, {1, 65535}, {1000, 1000}, {63, 64}, {65, 130}, {1001, 1002}};

	(void)state;
	for (size_t r = 0; r < TP_ARRAY_LEN(ranges); r++) {
		unsigned n = 2u * (ranges[r][1] / 2 - (ranges[r][0] + 1u) / 2 + 1);
		struct fixture f;
		uint16_t relay, port;

		fixture_init(&f, ranges[r][0], ranges[r][1]);
		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
						 TURN_PORT_EVEN, &relay, &port),
				0);
			assert_true(port >= ranges[r][0] && port <= ranges[r][1]);
			assert_int_equal(port % 2, 0);
		}
		assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
					 TURN_PORT_EVEN, &relay, &port),
			-ENOSPC);
		turn_ports_cancel(&f.ports, relay, port, NULL);
		assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
					 TURN_PORT_EVEN, &relay, &port),
			0);
		turn_ports_fini(&f.ports);
	}
}

// Each pair once, then none; single ports do not count.
static void pairs_run_out(void **state)
{
	static const uint16_t ranges[][3] = {{49152, 65535, 8192}, {1, 65535, 32767},
		{1000, 1001, 1}, {1001, 1002, 0}, {63, 64, 0}, {63, 130, 33}, {65535, 65535, 0}};

	(void)state;
	for (size_t r = 0; r < TP_ARRAY_LEN(ranges); r++) {
		uint16_t min = ranges[r][0], max = ranges[r][1];
		uint8_t *seen = calloc(2 * 65536, 1);
		struct fixture f;
		uint16_t relay, port;

		assert_non_null(seen);
		fixture_init(&f, min, max);
		for (unsigned i = 0; i < 2u * ranges[r][2]; i++) {
			assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
						 TURN_PORT_PAIR, &relay, &port),
				0);
			assert_true(port >= min && port < max && port % 2 == 0);
			assert_int_equal(seen[relay * 65536 + port]++, 0);
			assert_int_equal(turn_ports_claim(&f.ports, relay, port, NULL), -EEXIST);
			assert_int_equal(
				turn_ports_claim(&f.ports, relay, port + 1, NULL), -EEXIST);
		}
		assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
					 TURN_PORT_PAIR, &relay, &port),
			-ENOSPC);
		assert_int_equal(
			f.ports.sets[0].n_free, (unsigned)max - min + 1 - 2u * ranges[r][2]);
		turn_ports_fini(&f.ports);
		free(seen);
	}
}

// A pair of which one port is taken is none; given back in any order it is one again.
static void broken_pair_is_none(void **state)
{
	struct fixture f;
	uint16_t relay, port;

	(void)state;
	for (uint16_t i = 0; i < 4; i++) {
		uint16_t first = 5000 + i / 2, last = 5001 - i / 2;

		fixture_init(&f, 5000, 5001);
		assert_int_equal(turn_ports_claim(&f.ports, 1, 5000, NULL), 0);
		assert_int_equal(turn_ports_claim(&f.ports, 0, first, NULL), 0);
		assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
					 TURN_PORT_PAIR, &relay, &port),
			-ENOSPC);
		assert_int_equal(turn_ports_claim(&f.ports, 0, last, NULL), 0);
		turn_ports_cancel(&f.ports, 0, i % 2 == 0 ? first : last, NULL);
		assert_int_equal(f.ports.sets[0].n_free_pairs, 0);
		turn_ports_cancel(&f.ports, 0, i % 2 == 0 ? last : first, NULL);
		assert_int_equal(f.ports.sets[0].n_free_pairs, 1);
		assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
					 TURN_PORT_PAIR, &relay, &port),
			0);
		assert_int_equal(relay, 0);
		assert_int_equal(port, 5000);
		turn_ports_fini(&f.ports);
	}
}

// Where no pair is free, one that cools down is given: whole, or with a free port.
static void cooling_pair_is_given_before_none(void **state)
{
	struct fixture f;
	uint16_t relay, port;

	(void)state;
	for (unsigned cooling = 1; cooling < 4; cooling++) {
		fixture_init(&f, 5000, 5001);
		assert_int_equal(turn_ports_claim(&f.ports, 1, 5001, NULL), 0);
		for (uint16_t i = 0; i < 2; i++) {
			if ((cooling >> i & 1) == 0)
				continue;
			assert_int_equal(turn_ports_claim(&f.ports, 0, 5000 + i, NULL), 0);
			turn_ports_release(&f.ports, TP_NS_PER_S, 0, 5000 + i, NULL);
		}
		assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
					 TURN_PORT_PAIR, &relay, &port),
			0);
		assert_int_equal(relay, 0);
		assert_int_equal(port, 5000);
		assert_int_equal(f.ports.n_cooling, 0);
		assert_int_equal(f.ports.sets[0].n_free, 0);
		assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4,
					 TURN_PORT_PAIR, &relay, &port),
			-ENOSPC);
		turn_ports_fini(&f.ports);
	}
}

static void odd_range_has_no_even_port(void **state)
{
	struct fixture f;
	uint16_t relay, port;

	(void)state;
	fixture_init(&f, 1001, 1001);
	assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4, TURN_PORT_EVEN,
				 &relay, &port),
		-ENOSPC);
	assert_int_equal(turn_ports_take(&f.ports, &f.random, NULL, TP_FAMILY_IPV4, TURN_PORT_ANY,
				 &relay, &port),
		0);
	turn_ports_fini(&f.ports);
}

// Clauses: 8656 6-1
static void claims_are_checked(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 5000, 5009);
	assert_int_equal(turn_ports_claim(&f.ports, 0, 5009, NULL), 0);
	assert_int_equal(turn_ports_claim(&f.ports, 0, 5009, NULL), -EEXIST);
	assert_int_equal(turn_ports_claim(&f.ports, 1, 5009, NULL), 0);
	assert_int_equal(turn_ports_claim(&f.ports, 0, 4999, NULL), -EINVAL);
	assert_int_equal(turn_ports_claim(&f.ports, 0, 5010, NULL), -EINVAL);
	assert_int_equal(turn_ports_claim(&f.ports, 3, 5005, NULL), -EINVAL);
	turn_ports_fini(&f.ports);
}

static void families_are_told_apart(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 5000, 5009);
	assert_true(turn_ports_have_family(&f.ports, TP_FAMILY_IPV4));
	assert_true(turn_ports_have_family(&f.ports, TP_FAMILY_IPV6));
	assert_false(turn_ports_have_family(&f.ports, 3));
	turn_ports_fini(&f.ports);
}

// Clauses: 8656 7.2-9
static void random_below_is_uniform(void **state)
{
	unsigned count[3] = {0};
	const struct turn_env env = {.random = random_fill};
	struct turn_random r;

	(void)state;
	seed = 3;
	turn_random_init(&r, &env);
	for (unsigned i = 0; i < 30000; i++)
		count[turn_random_below(&r, 3)]++;
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(count[i], 9500, 10500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(range_is_used_up),
		cmocka_unit_test(choice_is_even),
		cmocka_unit_test(freed_port_rests),
		cmocka_unit_test(the_end_of_rests_is_taken_in_portions),
		cmocka_unit_test(even_ports_run_out),
		cmocka_unit_test(pairs_run_out),
		cmocka_unit_test(broken_pair_is_none),
		cmocka_unit_test(cooling_pair_is_given_before_none),
		cmocka_unit_test(odd_range_has_no_even_port),
		cmocka_unit_test(claims_are_checked),
		cmocka_unit_test(families_are_told_apart),
		cmocka_unit_test(random_below_is_uniform),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
