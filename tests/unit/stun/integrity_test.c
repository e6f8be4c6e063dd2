// SPDX-License-Identifier: BSD-3-Clause
#include <stun/fingerprint.h>
#include <stun/write.h>

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t txid[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const uint8_t key_a[16] = "0123456789abcdef";
static const uint8_t key_b[16] = "0123456789abcdeF"; // same place in the cache of contexts

static struct stun_crypto *crypto;

static int set_up(void **state)
{
	(void)state;
	crypto = stun_crypto_create();
	return crypto == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	stun_crypto_destroy(crypto);
	return 0;
}

static size_t message_write(uint8_t *out, size_t cap, const uint8_t *key, size_t mac_len)
{
	struct stun_writer w;

	stun_writer_start(&w, out, cap, 0x0003, txid);
	stun_put_text(&w, 0x0006, "user");
	stun_put_integrity(&w, crypto, key, 16, mac_len);
	stun_put_fingerprint(&w);
	return stun_writer_len(&w);
}

static bool message_check(const uint8_t *octets, size_t len, const uint8_t *key)
{
	struct stun_message m;

	assert_int_equal(stun_message_parse(&m, octets, len), STUN_PARSE_OK);
	return stun_integrity_check(crypto, &m, key, 16);
}

static void both_digests_verify(void **state)
{
	static const size_t macs[] = {STUN_HMAC_SHA1_LEN, STUN_HMAC_SHA256_LEN};
	uint8_t out[128];

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(macs); i++) {
		size_t len = message_write(out, sizeof(out), key_a, macs[i]);

		assert_int_not_equal(len, 0);
		// Twice each, so that the cached context is used too, and the keys take turns in
		// it.
		for (unsigned round = 0; round < 2; round++) {
			assert_true(message_check(out, len, key_a));
			assert_true(message_check(out, len, key_a));
			assert_false(message_check(out, len, key_b));
			assert_false(message_check(out, len, key_b));
		}
	}
}

// Each octet in front of the integrity counts: one bit changed anywhere is seen.
// Clauses: 8489 9.2.4-11
static void every_bit_is_covered(void **state)
{
	uint8_t out[128];
	struct stun_writer w;
	struct stun_message m;
	size_t len;

	(void)state;
	stun_writer_start(&w, out, sizeof(out), 0x0003, txid);
	stun_put_text(&w, 0x8022, "soft");
	stun_put_integrity(&w, crypto, key_a, 16, STUN_HMAC_SHA1_LEN);
	len = stun_writer_len(&w);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		out[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (stun_message_parse(&m, out, len) == STUN_PARSE_OK)
			assert_false(stun_integrity_check(crypto, &m, key_a, 16));
		out[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(message_check(out, len, key_a));
}

// RFC 8489 9.2.4: MESSAGE-INTEGRITY-SHA256, where present, decides.
static void sha256_decides(void **state)
{
	uint8_t out[192];
	struct stun_writer w;

	(void)state;
	stun_writer_start(&w, out, sizeof(out), 0x0003, txid);
	stun_put_integrity(&w, crypto, key_b, 16, STUN_HMAC_SHA1_LEN);
	stun_put_integrity(&w, crypto, key_a, 16, STUN_HMAC_SHA256_LEN);
	stun_put_fingerprint(&w);
	assert_true(message_check(out, stun_writer_len(&w), key_a));
	assert_false(message_check(out, stun_writer_len(&w), key_b));
}

static void truncated_integrity_fails(void **state)
{
	uint8_t out[128];
	uint8_t mac[32] = {0};
	struct stun_writer w;

	(void)state;
	for (unsigned len = 0; len < 20; len += 4) {
		stun_writer_start(&w, out, sizeof(out), 0x0003, txid);
		stun_put(&w, TP_ATTR_MESSAGE_INTEGRITY, mac, len);
		assert_false(message_check(out, stun_writer_len(&w), key_a));
	}
	for (unsigned len = 0; len < 32; len += 4) {
		stun_writer_start(&w, out, sizeof(out), 0x0003, txid);
		stun_put(&w, TP_ATTR_MESSAGE_INTEGRITY_SHA256, mac, len);
		assert_false(message_check(out, stun_writer_len(&w), key_a));
	}
	stun_writer_start(&w, out, sizeof(out), 0x0003, txid);
	assert_false(message_check(out, stun_writer_len(&w), key_a));
}

// RFC 8489 14.6: the first 16 bytes or more, in words.
// Clauses: 8489 14.6-1
static void truncated_sha256_verifies(void **state)
{
	uint8_t out[128];
	uint8_t mac[32] = {0};
	struct stun_writer w;

	(void)state;
	for (unsigned len = 1; len <= 32; len++) {
		stun_writer_start(&w, out, sizeof(out), 0x0003, txid);
		stun_put(&w, TP_ATTR_MESSAGE_INTEGRITY_SHA256, mac, len);
		// The header's length counts the value that is there, without its padding: a
		// value that is no whole words is right but for its length.
		tp_store_be16(out + 2, (uint16_t)(4 + len));
		assert_int_equal(stun_hmac(crypto, key_a, 16, out, 20, mac, sizeof(mac)), 0);
		tp_store_be16(out + 2, (uint16_t)(stun_writer_len(&w) - 20));
		memcpy(out + 24, mac, len);
		assert_int_equal(
			message_check(out, stun_writer_len(&w), key_a), len >= 16 && len % 4 == 0);
		out[24 + len - 1] ^= 1;
		assert_false(message_check(out, stun_writer_len(&w), key_a));
	}
}

static void impossible_keys_refused(void **state)
{
	uint8_t mac[32];
	uint8_t key[5000] = {0};

	(void)state;
	assert_int_equal(stun_hmac(crypto, key, 0, "", 0, mac, 20), -EINVAL);
	assert_int_equal(stun_hmac(crypto, key, sizeof(key), "", 0, mac, 20), 0);
	assert_int_equal(stun_hmac(crypto, key, 16, "", 0, mac, 16), -EINVAL);
}

// RFC 2202 test case 1 and RFC 4231 test case 1.
static void hmac_matches_vectors(void **state)
{
	static const uint8_t key[20] = {0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b,
		0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b};
	static const uint8_t sha1[20] = {0xb6, 0x17, 0x31, 0x86, 0x55, 0x05, 0x72, 0x64, 0xe2, 0x8b,
		0xc0, 0xb6, 0xfb, 0x37, 0x8c, 0x8e, 0xf1, 0x46, 0xbe, 0x00};
	static const uint8_t sha256_head[4] = {0xb0, 0x34, 0x4c, 0x61};
	uint8_t mac[32];

	(void)state;
	assert_int_equal(stun_hmac(crypto, key, 20, "Hi There", 8, mac, 20), 0);
	assert_memory_equal(mac, sha1, 20);
	assert_int_equal(stun_hmac(crypto, key, 20, "Hi There", 8, mac, 32), 0);
	assert_memory_equal(mac, sha256_head, 4);
}

// Every length of key, those behind the digest's block and those that are not kept included, twice
// each: as the state is made, and as it was kept.
static void hmac_matches_the_library(void **state)
{
	uint8_t key[300], data[200], mac[32], want[32];
	unsigned len;

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(7 * i + 1);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	for (int key_len = 1; key_len <= (int)sizeof(key); key_len++) {
		for (unsigned turn = 0; turn < 2; turn++) {
			size_t n = (size_t)key_len * (turn + 3) % sizeof(data);

			assert_non_null(HMAC(EVP_sha1(), key, key_len, data, n, want, &len));
			assert_int_equal(
				stun_hmac(crypto, key, (size_t)key_len, data, n, mac, 20), 0);
			assert_memory_equal(mac, want, 20);
			assert_non_null(HMAC(EVP_sha256(), key, key_len, data, n, want, &len));
			assert_int_equal(
				stun_hmac(crypto, key, (size_t)key_len, data, n, mac, 32), 0);
			assert_memory_equal(mac, want, 32);
		}
	}
}

// The check value of CRC-32/ISO-HDLC.
static void fingerprint_is_crc32(void **state)
{
	(void)state;
	assert_int_equal(stun_fingerprint((const uint8_t *)"123456789", 9),
		0xcbf43926u ^ TP_STUN_FINGERPRINT_XOR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_digests_verify),
		cmocka_unit_test(every_bit_is_covered),
		cmocka_unit_test(sha256_decides),
		cmocka_unit_test(truncated_integrity_fails),
		cmocka_unit_test(truncated_sha256_verifies),
		cmocka_unit_test(impossible_keys_refused),
		cmocka_unit_test(hmac_matches_vectors),
		cmocka_unit_test(hmac_matches_the_library),
		cmocka_unit_test(fingerprint_is_crc32),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
