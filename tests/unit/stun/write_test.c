// SPDX-License-Identifier: BSD-3-Clause
#include <stun/write.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t txid[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

// The buffer's previous content is never sent.
// Clauses: 8489 14-1, 14-2, 14-3; 8656 18-1
static void padding_is_zeroed(void **state)
{
	uint8_t out[64];
	struct stun_writer w;

	(void)state;
	for (unsigned len = 1; len <= 4; len++) {
		memset(out, 0xff, sizeof(out));
		stun_writer_start(&w, out, sizeof(out), 0x0001, txid);
		stun_put(&w, 0x8022, "abcd", len);
		assert_int_equal(stun_writer_len(&w), 28);
		for (unsigned i = len; i < 4; i++)
			assert_int_equal(out[24 + i], 0);
		assert_int_equal(tp_load_be16(out + 22), len);
	}
}

// Filled to the last byte it works; with one less, nothing is said to be there.
// Clauses: 8489 14-1
static void overflow_sticks(void **state)
{
	uint8_t out[64];
	struct stun_writer w;

	(void)state;
	for (size_t cap = 0; cap <= 36; cap++) {
		memset(out, 0xee, sizeof(out));
		stun_writer_start(&w, out, cap, 0x0001, txid);
		stun_put(&w, 0x8022, "abcde", 5);
		stun_put(&w, 0x8022, NULL, 0);
		assert_int_equal(stun_writer_len(&w), cap == 36 ? 36 : 0);
		for (size_t i = cap; i < sizeof(out); i++)
			assert_int_equal(out[i], 0xee);
	}
	stun_writer_start(&w, out, sizeof(out), 0x0001, txid);
	stun_put(&w, 0x8022, NULL, UINT16_MAX);
	stun_put_u32(&w, 0x8022, 1);
	assert_int_equal(stun_writer_len(&w), 0);
}

// Clauses: 8489 6.3.1.1-1, 14.8-1, 14.8-2
static void errors_are_encoded(void **state)
{
	static const unsigned codes[] = {300, 400, 401, 420, 438, 486, 508, 699};
	uint8_t out[128];
	struct stun_writer w;
	struct stun_message m;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(codes); i++) {
		stun_writer_start(&w, out, sizeof(out), 0x0113, txid);
		stun_put_error(&w, codes[i], "Reason");
		assert_int_equal(stun_message_parse(&m, out, stun_writer_len(&w)), STUN_PARSE_OK);
		// 14.8: reserved bits, the hundreds, then the rest.
		assert_int_equal(tp_load_be16(m.attr[STUN_ERROR_CODE].octets), 0);
		assert_int_equal(m.attr[STUN_ERROR_CODE].octets[2], codes[i] / 100);
		assert_int_equal(m.attr[STUN_ERROR_CODE].octets[3], codes[i] % 100);
		assert_int_equal(m.attr[STUN_ERROR_CODE].len, 10);
		assert_memory_equal(m.attr[STUN_ERROR_CODE].octets + 4, "Reason", 6);
	}
}

// Clauses: 8489 6.3.1.1-2
static void unknown_attributes_are_listed(void **state)
{
	static const uint16_t types[] = {0x001a, 0x0018, 0x7fff};
	static const uint8_t expected[] = {0, 0x0a, 0, 6, 0, 0x1a, 0, 0x18, 0x7f, 0xff, 0, 0};
	uint8_t out[64];
	struct stun_writer w;

	(void)state;
	stun_writer_start(&w, out, sizeof(out), 0x0113, txid);
	stun_put_unknown(&w, types, TP_ARRAY_LEN(types));
	assert_int_equal(stun_writer_len(&w), 20 + sizeof(expected));
	assert_memory_equal(out + 20, expected, sizeof(expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(padding_is_zeroed),
		cmocka_unit_test(overflow_sticks),
		cmocka_unit_test(errors_are_encoded),
		cmocka_unit_test(unknown_attributes_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
