// SPDX-License-Identifier: BSD-3-Clause
// RFC 5769's messages read, verified and written again; RFC 8489 B.1's HMAC.
#include <stun/write.h>

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "rfc5769.h"

#define TEXT(s) ((struct stun_text){s, sizeof(s) - 1})

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

static bool check_short_term(const struct stun_message *m)
{
	return stun_integrity_check(
		crypto, m, (const uint8_t *)RFC5769_PASSWORD, sizeof(RFC5769_PASSWORD) - 1);
}

static void request_verifies(void **state)
{
	struct stun_message m;

	(void)state;
	assert_int_equal(
		stun_message_parse(&m, rfc5769_request, sizeof(rfc5769_request)), STUN_PARSE_OK);
	assert_int_equal(m.method, STUN_BINDING);
	assert_int_equal(m.class, STUN_REQUEST);
	assert_true(check_short_term(&m));
	assert_true(stun_has(&m, STUN_FINGERPRINT));
	assert_int_equal(m.attr[STUN_USERNAME].len, 9);
	assert_memory_equal(m.attr[STUN_USERNAME].octets, "evtj:h6vY", 9);
	// PRIORITY is not ours; ICE-CONTROLLED is optional.
	assert_int_equal(m.n_unknown, 1);
	assert_int_equal(m.unknown[0], 0x0024);
}

static void response_verifies(
	const uint8_t *octets, size_t len, const struct tp_addr *mapped, bool last_octet_matters)
{
	uint8_t copy[256];
	struct tp_addr addr;
	struct stun_message m;

	assert_int_equal(stun_message_parse(&m, octets, len), STUN_PARSE_OK);
	assert_int_equal(m.class, STUN_SUCCESS);
	assert_true(check_short_term(&m));
	assert_true(stun_value_xor_address(&m, m.attr[STUN_XOR_MAPPED_ADDRESS], &addr));
	assert_true(tp_addr_equal(&addr, mapped));
	memcpy(copy, octets, len);
	copy[len - 1] ^= last_octet_matters;
	assert_int_equal(stun_message_parse(&m, copy, len), STUN_PARSE_BAD_FINGERPRINT);
}

// The same response from our own writer, byte for byte but for the padding, which the RFC's
// authors filled with a space and we must zero.
static void response_writes(const uint8_t *octets, size_t len, const struct tp_addr *mapped)
{
	uint8_t out[256];
	struct stun_writer w;
	struct stun_message m;

	stun_writer_start(&w, out, sizeof(out), TP_STUN_BINDING_SUCCESS, octets + 8);
	stun_put_text(&w, 0x8022, "test vector");
	stun_put_xor_address(&w, TP_ATTR_XOR_MAPPED_ADDRESS, mapped);
	stun_put_integrity(&w, crypto, (const uint8_t *)RFC5769_PASSWORD,
		sizeof(RFC5769_PASSWORD) - 1, STUN_HMAC_SHA1_LEN);
	stun_put_fingerprint(&w);
	assert_int_equal(stun_writer_len(&w), len);
	assert_int_equal(stun_message_parse(&m, out, len), STUN_PARSE_OK);
	assert_true(check_short_term(&m));
	assert_int_equal(out[35], 0);
	out[35] = ' ';
	assert_memory_equal(out, octets, len - 32);
}

// Clauses: 8489 6.3.1.1-3
static void responses_verify(void **state)
{
	const struct tp_addr ipv4 = tp_addr_ipv4(0xc0000201, 32853);
	const struct tp_addr ipv6 =
		tp_addr_ipv6((const uint8_t[16]){0x20, 0x01, 0x0d, 0xb8, 0x12, 0x34, 0x56, 0x78,
				     0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77},
			32853);

	(void)state;
	response_verifies(rfc5769_response_ipv4, sizeof(rfc5769_response_ipv4), &ipv4, true);
	response_verifies(rfc5769_response_ipv6, sizeof(rfc5769_response_ipv6), &ipv6, true);
	response_writes(rfc5769_response_ipv4, sizeof(rfc5769_response_ipv4), &ipv4);
	response_writes(rfc5769_response_ipv6, sizeof(rfc5769_response_ipv6), &ipv6);
}

static void long_term_request_verifies(void **state)
{
	uint8_t key[STUN_KEY_MD5_LEN];
	struct stun_message m;

	(void)state;
	assert_int_equal(stun_message_parse(
				 &m, rfc5769_request_long_term, sizeof(rfc5769_request_long_term)),
		STUN_PARSE_OK);
	assert_int_equal(m.n_unknown, 0);
	assert_int_equal(m.attr[STUN_NONCE].len, sizeof(RFC5769_LONG_NONCE) - 1);
	assert_memory_equal(m.attr[STUN_NONCE].octets, RFC5769_LONG_NONCE, m.attr[STUN_NONCE].len);
	assert_int_equal(stun_key_md5(crypto, TEXT(RFC5769_LONG_USER), TEXT(RFC5769_LONG_REALM),
				 TEXT(RFC5769_LONG_PASSWORD), key),
		0);
	assert_true(stun_integrity_check(crypto, &m, key, sizeof(key)));
	key[0] ^= 1;
	assert_false(stun_integrity_check(crypto, &m, key, sizeof(key)));
}

static void sha256_hmac_verifies(void **state)
{
	static const char ha1_text[] =
		RFC5769_LONG_USER ":" RFC5769_LONG_REALM ":" RFC5769_LONG_PASSWORD;
	const size_t mac_offset = sizeof(rfc8489_b1_request) - STUN_HMAC_SHA256_LEN;
	uint8_t key[32];
	uint8_t mac[STUN_HMAC_SHA256_LEN];

	(void)state;
	assert_int_equal(
		EVP_Digest(ha1_text, sizeof(ha1_text) - 1, key, NULL, EVP_sha256(), NULL), 1);
	assert_int_equal(stun_hmac(crypto, key, sizeof(key), rfc8489_b1_request, mac_offset - 4,
				 mac, sizeof(mac)),
		0);
	assert_memory_equal(mac, rfc8489_b1_request + mac_offset, sizeof(mac));
}

// RFC 8489 9.2.2 gives this one in its text.
static void md5_key_matches(void **state)
{
	static const uint8_t expected[16] = {0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb, 0x4c,
		0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40, 0xeb};
	uint8_t key[STUN_KEY_MD5_LEN];

	(void)state;
	assert_int_equal(stun_key_md5(crypto, TEXT("user"), TEXT("realm"), TEXT("pass"), key), 0);
	assert_memory_equal(key, expected, sizeof(key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_verifies),
		cmocka_unit_test(responses_verify),
		cmocka_unit_test(long_term_request_verifies),
		cmocka_unit_test(sha256_hmac_verifies),
		cmocka_unit_test(md5_key_matches),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
