// SPDX-License-Identifier: BSD-3-Clause
#include <tombstone.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t map_key[16] = {5};
static const uint8_t txid_a[12] = {1}, txid_b[12] = {2};

static struct turn_tuple tuple(uint32_t i)
{
	struct turn_tuple t;

	// Padding must not count.
	memset(&t, (int)i, sizeof(t));
	t.remote = tp_addr_ipv4(i, 5);
	t.listener_id = 3;
	return t;
}

// Clauses: 8489 6.3.1-1
static void kept_for_40_s(void **state)
{
	struct turn_tuple a = tuple(1), other_listener = tuple(1), b = tuple(2);
	struct turn_tombstones t;
	unsigned budget = 10;

	(void)state;
	assert_int_equal(turn_tombstones_init(&t, map_key), 0);
	turn_tombstones_add(&t, 100 * TP_NS_PER_S + 5, &a, txid_a);
	other_listener.listener_id = 4;
	assert_true(turn_tombstones_have(&t, 100, &a, txid_a));
	assert_false(turn_tombstones_have(&t, 100, &a, txid_b));
	assert_false(turn_tombstones_have(&t, 100, &b, txid_a));
	assert_false(turn_tombstones_have(&t, 100, &other_listener, txid_a));
	assert_true(turn_tombstones_have(&t, 140, &a, txid_a));
	assert_false(turn_tombstones_have(&t, 141, &a, txid_a));
	assert_int_equal(turn_tombstones_next_s(&t), 141);
	turn_tombstones_advance(&t, 140, &budget);
	assert_int_equal(t.pool.n_taken, 1);
	turn_tombstones_advance(&t, 141, &budget);
	assert_int_equal(t.pool.n_taken, 0);
	assert_int_equal(turn_tombstones_next_s(&t), UINT32_MAX);
	turn_tombstones_fini(&t);
}

// The newest are kept.
static void number_is_bounded(void **state)
{
	struct turn_tombstones t;
	struct turn_tuple first = tuple(0), second = tuple(1), last = tuple(TURN_TOMBSTONE_MAX);
	unsigned budget = 100;

	(void)state;
	assert_int_equal(turn_tombstones_init(&t, map_key), 0);
	for (uint32_t i = 0; i <= TURN_TOMBSTONE_MAX; i++) {
		struct turn_tuple at = tuple(i);

		turn_tombstones_add(&t, TP_NS_PER_S, &at, txid_a);
	}
	assert_int_equal(t.pool.n_taken, TURN_TOMBSTONE_MAX);
	assert_false(turn_tombstones_have(&t, 1, &first, txid_a));
	assert_true(turn_tombstones_have(&t, 1, &second, txid_a));
	assert_true(turn_tombstones_have(&t, 1, &last, txid_a));
	turn_tombstones_advance(&t, 1000, &budget);
	assert_int_equal(budget, 0);
	assert_int_equal(t.pool.n_taken, TURN_TOMBSTONE_MAX - 100);
	turn_tombstones_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_for_40_s),
		cmocka_unit_test(number_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
