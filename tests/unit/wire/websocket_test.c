// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <wire/websocket.h>

// One frame as a client sends it, with the mask 1 2 3 4. Returns its length.
static size_t frame(uint8_t *out, unsigned first, const void *payload, size_t len)
{
	const uint8_t *from = payload;
	size_t n = 2;

	out[0] = (uint8_t)first;
	out[1] = (uint8_t)(0x80 | (len < 126 ? len : len <= UINT16_MAX ? 126 : 127));
	if (len >= 126 && len <= UINT16_MAX) {
		tp_store_be16(out + 2, (uint16_t)len);
		n += 2;
	} else if (len > UINT16_MAX) {
		tp_store_be32(out + 2, 0);
		tp_store_be32(out + 6, (uint32_t)len);
		n += 8;
	}
	for (uint8_t i = 0; i < 4; i++)
		out[n++] = (uint8_t)(i + 1);
	for (size_t i = 0; i < len; i++)
		out[n + i] = from[i] ^ (uint8_t)(i % 4 + 1);
	return n + len;
}

// All data, and the letters of control frames, in the order in which they come.
static size_t read_in_pieces(const uint8_t *bytes, size_t len, size_t piece, char *out)
{
	struct wire_ws w = {.fault = 0};
	size_t n = 0;

	for (size_t at = 0; at < len; at += piece) {
		uint8_t part[8192];
		struct wire_ws_view v = {.at = 0};
		size_t n_part = len - at < piece ? len - at : piece;
		enum wire_ws_step step;

		memcpy(part, bytes + at, n_part);
		while ((step = wire_ws_next(&w, &v, part, n_part)) != WIRE_WS_STEP_MORE) {
			assert_int_not_equal(step, WIRE_WS_STEP_FAULT);
			if (step == WIRE_WS_STEP_DATA) {
				memcpy(out + n, v.data, v.len);
				n += v.len;
			} else {
				n += (size_t)sprintf(out + n, "<%u:%.*s>", w.opcode, w.n_control,
					(const char *)w.control);
			}
		}
		assert_int_equal(v.at, n_part);
	}
	return n;
}

static void payload_is_a_stream(void **state)
{
	static const char all[] = "onetwo<9:ping>three<10:><8:\x0f\xa1"
				  "bye>";
	uint8_t bytes[256];
	char out[256];
	size_t n = 0;

	(void)state;
	n += frame(bytes + n, 0x82, "one", 3);
	n += frame(bytes + n, 0x02, "two", 3);
	n += frame(bytes + n, 0x89, "ping", 4); // between fragments
	n += frame(bytes + n, 0x00, "", 0);
	n += frame(bytes + n, 0x80, "three", 5);
	n += frame(bytes + n, 0x8a, "", 0);
	n += frame(bytes + n, 0x82, "", 0);
	n += frame(bytes + n, 0x88,
		"\x0f\xa1"
		"bye",
		5);
	for (size_t piece = 1; piece <= n; piece++) {
		assert_int_equal(read_in_pieces(bytes, n, piece, out), sizeof(all) - 1);
		assert_memory_equal(out, all, sizeof(all) - 1);
	}
}

static void lengths_of_three_forms(void **state)
{
	static const size_t rows[] = {1, 125, 126, 127, 65535, 65536, 100000};
	static uint8_t payload[100000], bytes[100100];
	static char out[100000];

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i % 253);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		size_t n = frame(bytes, 0x82, payload, rows[i]);

		assert_int_equal(read_in_pieces(bytes, n, 4099, out), rows[i]);
		assert_memory_equal(out, payload, rows[i]);
	}
}

static void mistakes_have_a_code(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t len;
		unsigned fault;
	} rows[] = {
		{{0x82, 0x03}, 2, 1002},		     // no mask
		{{0xc2, 0x83, 0, 0, 0, 0}, 6, 1002},	     // a reserved bit
		{{0x81, 0x83, 0, 0, 0, 0}, 6, 1003},	     // text
		{{0x83, 0x83, 0, 0, 0, 0}, 6, 1002},	     // an opcode without a meaning
		{{0x80, 0x83, 0, 0, 0, 0}, 6, 1002},	     // goes on nothing
		{{0x09, 0x80, 0, 0, 0, 0}, 6, 1002},	     // a ping in fragments
		{{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, 8, 1002}, // a ping too long
		{{0x82, 0xfe, 0, 125, 0, 0, 0, 0}, 8, 1002}, // not the shortest form
		{{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 14, 1002},
		{{0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1}, 14, 1009},
		{{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1}, 14, 1009},
		// A second message within the first.
		{{0x02, 0x80, 0, 0, 0, 0, 0x82, 0x80, 0, 0, 0, 0}, 12, 1002},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct wire_ws w = {.fault = 0};
		struct wire_ws_view v = {.at = 0};
		uint8_t bytes[16];

		memcpy(bytes, rows[i].bytes, sizeof(bytes));
		// The header of a frame without a mask is as long as if it had one.
		if (wire_ws_next(&w, &v, bytes, rows[i].len < 6 ? 6 : rows[i].len) !=
				WIRE_WS_STEP_FAULT ||
			w.fault != rows[i].fault)
			fail_msg("row %zu: %u", i, w.fault);
	}
}

// RFC 6455 5.5.1, 7.4
static void closes_have_a_code_or_nothing(void **state)
{
	static const unsigned good[] = {1000, 1003, 1007, 1014, 3000, 4999};
	static const unsigned bad[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535};
	uint8_t bytes[16], code[2];
	struct wire_ws_view v;
	struct wire_ws w;

	(void)state;
	w = (struct wire_ws){.fault = 0};
	v.at = 0;
	assert_int_equal(
		wire_ws_next(&w, &v, bytes, frame(bytes, 0x88, "", 0)), WIRE_WS_STEP_CONTROL);
	v.at = 0;
	assert_int_equal(
		wire_ws_next(&w, &v, bytes, frame(bytes, 0x88, "x", 1)), WIRE_WS_STEP_FAULT);
	assert_int_equal(w.fault, 1002);
	for (size_t i = 0; i < TP_ARRAY_LEN(good) + TP_ARRAY_LEN(bad); i++) {
		bool is_good = i < TP_ARRAY_LEN(good);

		w = (struct wire_ws){.fault = 0};
		v.at = 0;
		tp_store_be16(code, (uint16_t)(is_good ? good[i] : bad[i - TP_ARRAY_LEN(good)]));
		assert_int_equal(wire_ws_next(&w, &v, bytes, frame(bytes, 0x88, code, 2)),
			is_good ? WIRE_WS_STEP_CONTROL : WIRE_WS_STEP_FAULT);
		assert_int_equal(w.fault, is_good ? 0 : 1002);
	}
}

static void headers_are_short(void **state)
{
	uint8_t out[WIRE_WS_HEADER_MAX];

	(void)state;
	assert_int_equal(wire_ws_header(out, WIRE_WS_PONG, 125), 2);
	assert_memory_equal(out, "\x8a\x7d", 2);
	assert_int_equal(wire_ws_header(out, WIRE_WS_BINARY, 126), 4);
	assert_memory_equal(out, "\x82\x7e\x00\x7e", 4);
	assert_int_equal(wire_ws_header(out, WIRE_WS_BINARY, 65535), 4);
	assert_memory_equal(out, "\x82\x7e\xff\xff", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payload_is_a_stream),
		cmocka_unit_test(lengths_of_three_forms),
		cmocka_unit_test(mistakes_have_a_code),
		cmocka_unit_test(closes_have_a_code_or_nothing),
		cmocka_unit_test(headers_are_short),
	};

	return cmocka_run_group_tests_name("wire websocket", tests, NULL, NULL);
}
