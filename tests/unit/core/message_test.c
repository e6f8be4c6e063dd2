// SPDX-License-Identifier: BSD-3-Clause
// The worker's share of STUN against the sample messages of RFC 5769.
#include <core/message.h>
#include <stun/fingerprint.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rfc5769.h"

// Clauses: 8489 12-5
static void test_fingerprints(void **state)
{
	uint8_t copy[256];
	bool fingerprint = false;

	(void)state;
	memcpy(copy, rfc5769_request, sizeof(rfc5769_request));
	// It has USERNAME and integrity: right, but not for the worker.
	assert_int_equal(
		core_binding_parse(copy, sizeof(rfc5769_request), &fingerprint), CORE_BINDING_PUNT);
	assert_true(fingerprint);
	// Without attributes at all it is right, too.
	assert_int_equal(
		core_binding_parse(copy, TP_STUN_HEADER_LEN, &fingerprint), CORE_BINDING_ANSWER);
	assert_false(fingerprint);
	for (size_t i = 0; i < sizeof(rfc5769_request); i++) {
		if (i >= 2 && i < 4)
			continue; // the length is checked before
		copy[i] ^= 0x40;
		if (core_binding_parse(copy, sizeof(rfc5769_request), &fingerprint) !=
			CORE_BINDING_DROP)
			// An attribute's type or length hides FINGERPRINT, no damage else.
			assert_false(fingerprint);
		copy[i] ^= 0x40;
	}
}

// A response like the sample: the address attribute must be byte for byte the sample's.
// Clauses: 8489 5-3
static void test_binding_answers(void **state)
{
	const uint8_t ip6[16] = {0x20, 0x01, 0x0d, 0xb8, 0x12, 0x34, 0x56, 0x78, 0x00, 0x11, 0x22,
		0x33, 0x44, 0x55, 0x66, 0x77};
	struct tp_addr a = tp_addr_ipv4(0xc0000201, 32853), b = tp_addr_ipv6(ip6, 32853);
	const uint8_t *txid = rfc5769_response_ipv4 + 8;
	uint8_t out[CORE_BINDING_ANSWER_MAX];

	(void)state;
	assert_int_equal(core_binding_answer(out, txid, &a, true), 40);
	assert_memory_equal(out + 4, rfc5769_response_ipv4 + 4, 16);
	assert_memory_equal(out + 20, rfc5769_response_ipv4 + 36, 12);
	assert_int_equal(tp_load_be32(out + 36), stun_fingerprint(out, 32));
	assert_int_equal(core_binding_answer(out, txid, &b, false), 44);
	assert_memory_equal(out + 20, rfc5769_response_ipv6 + 36, 24);
}

static void test_nonce(void **state)
{
	const uint8_t *nonce;
	size_t len = 0;

	(void)state;
	nonce = core_nonce_find(rfc5769_request_long_term, sizeof(rfc5769_request_long_term), &len);
	assert_non_null(nonce);
	assert_int_equal(len, strlen(RFC5769_LONG_NONCE));
	assert_memory_equal(nonce, RFC5769_LONG_NONCE, len);
	assert_null(core_nonce_find(rfc5769_request, sizeof(rfc5769_request), &len));
}

// Every cut of a message is refused or understood, and never read beyond.
static void test_cut_messages(void **state)
{
	struct core_send send;
	bool fingerprint;
	size_t len;

	(void)state;
	for (size_t n = 0; n <= sizeof(rfc5769_request_long_term); n += 4) {
		uint8_t *copy = malloc(n + 1); // freed memory behind it shows an overrun

		assert_non_null(copy);
		memcpy(copy, rfc5769_request_long_term, n);
		if (n >= TP_STUN_HEADER_LEN) {
			core_binding_parse(copy, n, &fingerprint);
			core_nonce_find(copy, n, &len);
			assert_int_not_equal(core_send_parse(copy, n, &send), TP_DROP_none);
		}
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fingerprints),
		cmocka_unit_test(test_binding_answers),
		cmocka_unit_test(test_nonce),
		cmocka_unit_test(test_cut_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
