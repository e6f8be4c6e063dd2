// SPDX-License-Identifier: BSD-3-Clause
#include <nonce.h>
#include <turnpike/nonce.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct tp_nonce_realm realm = {.hash = 77};

static struct turn_conf conf = {.nonce_lifetime_s = 600, .nonce_key = {1, 2}, .punt_key = {3, 4}};

static bool is_valid(const struct turn_nonces *n, uint32_t now_s, const struct tp_addr *client,
	const char nonce[TURN_NONCE_LEN])
{
	return turn_nonce_is_valid(
		n, &realm, now_s, client, (const uint8_t *)nonce, TURN_NONCE_LEN);
}

// Clauses: 8489 16-2; 8656 5-2
static void valid_for_its_lifetime(void **state)
{
	struct tp_addr client = tp_addr_ipv4(0x01020304, 5);
	struct turn_nonces n;
	char nonce[TURN_NONCE_LEN];

	(void)state;
	turn_nonces_init(&n, &conf);
	turn_nonce_make(&n, &realm, 1000, &client, nonce);
	assert_true(is_valid(&n, 1000, &client, nonce));
	assert_true(is_valid(&n, 1599, &client, nonce));
	assert_false(is_valid(&n, 1600, &client, nonce));
	// The packet path's clock may be read later than ours.
	assert_true(is_valid(&n, 999, &client, nonce));
	// From the future: of another boot.
	assert_false(is_valid(&n, 998, &client, nonce));
}

// 8489 9.2: the cookie with no feature bit; 14.10: quotable characters, fewer than 128.
// Clauses: 8489 9.2-1, 9.2-2, 14.10-1
static void shape_is_the_rfcs(void **state)
{
	struct tp_addr client = tp_addr_ipv4(0x01020304, 5);
	struct turn_nonces n;
	char nonce[TURN_NONCE_LEN];
	char tag[TP_NONCE_TAG_LEN];

	(void)state;
	turn_nonces_init(&n, &conf);
	turn_nonce_make(&n, &realm, 0xfedcba98, &client, nonce);
	assert_memory_equal(nonce, "obMatJos2AAAAfedcba98", 21);
	for (unsigned i = 0; i < TURN_NONCE_LEN; i++)
		assert_true(
			nonce[i] > ' ' && nonce[i] < 127 && nonce[i] != '"' && nonce[i] != '\\');
	// The packet path knows our clients by the end of it.
	tp_nonce_tag(conf.punt_key, &client, tag);
	assert_memory_equal(nonce + TURN_NONCE_LEN - sizeof(tag), tag, sizeof(tag));
}

// No character can be changed, left out or added.
// Clauses: 8489 16-2
static void garbled_is_refused(void **state)
{
	struct tp_addr client = tp_addr_ipv4(0x01020304, 5);
	struct turn_nonces n;
	char nonce[TURN_NONCE_LEN + 1] = {0};

	(void)state;
	turn_nonces_init(&n, &conf);
	turn_nonce_make(&n, &realm, 1000, &client, nonce);
	for (unsigned i = 0; i < TURN_NONCE_LEN; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			nonce[i] ^= (char)(1u << bit);
			assert_false(is_valid(&n, 1000, &client, nonce));
			nonce[i] ^= (char)(1u << bit);
		}
	}
	for (unsigned len = 0; len <= TURN_NONCE_LEN + 1; len++)
		assert_int_equal(
			turn_nonce_is_valid(&n, &realm, 1000, &client, (const uint8_t *)nonce, len),
			len == TURN_NONCE_LEN);
}

// RFC 8489 9.2.4: not the same for two source addresses or ports.
// Clauses: 8489 9.2.4-2, 16-2
static void bound_to_client_realm_and_key(void **state)
{
	struct tp_addr client = tp_addr_ipv4(0x01020304, 5);
	const struct tp_addr others[] = {tp_addr_ipv4(0x01020305, 5), tp_addr_ipv4(0x01020304, 6)};
	struct turn_conf changed = conf;
	struct tp_nonce_realm other;
	struct turn_nonces n, m;
	char nonce[TURN_NONCE_LEN], second[TURN_NONCE_LEN];

	(void)state;
	turn_nonces_init(&n, &conf);
	turn_nonce_make(&n, &realm, 1000, &client, nonce);
	for (size_t i = 0; i < TP_ARRAY_LEN(others); i++) {
		assert_false(is_valid(&n, 1000, &others[i], nonce));
		// Nor when the tag for the packet path is made right.
		memcpy(second, nonce, sizeof(second));
		tp_nonce_tag(conf.punt_key, &others[i], second + TURN_NONCE_LEN - TP_NONCE_TAG_LEN);
		assert_false(is_valid(&n, 1000, &others[i], second));
	}
	other = (struct tp_nonce_realm){.hash = realm.hash + 1};
	assert_false(turn_nonce_is_valid(
		&n, &other, 1000, &client, (const uint8_t *)nonce, TURN_NONCE_LEN));
	// Nor of the same realm with other features.
	other = (struct tp_nonce_realm){.hash = realm.hash, .features = TP_FEATURE_USERHASH};
	assert_false(turn_nonce_is_valid(
		&n, &other, 1000, &client, (const uint8_t *)nonce, TURN_NONCE_LEN));
	changed.nonce_key[15] ^= 1;
	turn_nonces_init(&m, &changed);
	assert_false(is_valid(&m, 1000, &client, nonce));
}

// RFC 8489 18.1: bit 0 is the leftmost of 24.
// Clauses: 8489 9.2-2
static void features_are_in_the_cookie(void **state)
{
	static const char cookies[4][14] = {
		"obMatJos2AAAA", "obMatJos2QAAA", "obMatJos2gAAA", "obMatJos2wAAA"};
	struct tp_addr client = tp_addr_ipv4(0x01020304, 5);
	struct turn_nonces n;
	char nonce[TURN_NONCE_LEN];

	(void)state;
	turn_nonces_init(&n, &conf);
	for (uint32_t i = 0; i < 4; i++) {
		const struct tp_nonce_realm r = {.hash = 77, .features = i << 22};

		turn_nonce_make(&n, &r, 1000, &client, nonce);
		assert_memory_equal(nonce, cookies[i], 13);
	}
}

// A server that starts again with the same key knows the nonces of the one before.
static void survives_a_restart(void **state)
{
	struct tp_addr client = tp_addr_ipv4(0x01020304, 5);
	struct turn_nonces n, m;
	char nonce[TURN_NONCE_LEN];

	(void)state;
	turn_nonces_init(&n, &conf);
	turn_nonces_init(&m, &conf);
	turn_nonce_make(&n, &realm, 1000, &client, nonce);
	assert_true(is_valid(&m, 1001, &client, nonce));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_for_its_lifetime),
		cmocka_unit_test(shape_is_the_rfcs),
		cmocka_unit_test(garbled_is_refused),
		cmocka_unit_test(bound_to_client_realm_and_key),
		cmocka_unit_test(features_are_in_the_cookie),
		cmocka_unit_test(survives_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
