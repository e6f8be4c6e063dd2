// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <wire/hello.h>

#include "hello.h"

static struct wire_hello h;

static enum wire_hello_step read_records(const struct hello *in, size_t piece)
{
	uint8_t bytes[2 * WIRE_HELLO_MAX];

	return wire_hello_read(&h, bytes, hello_records(bytes, in, piece));
}

static void name_and_protocols(void **state)
{
	static const struct {
		struct hello in;
		const char *name;
		unsigned protocols;
	} rows[] = {
		{{.name = NULL}, "", 0},
		{{.name = "www.example.org"}, "www.example.org", 0},
		{{.name = "WWW.Example.ORG."}, "www.example.org", 0},
		{{.name = "a b"}, "?", 0},
		{{.name = "a", .protocols = {"h2", "http/1.1"}}, "a",
			WIRE_HELLO_OTHER | WIRE_HELLO_HTTP1},
		{{.name = "a", .protocols = {"http/1.1"}}, "a", WIRE_HELLO_HTTP1},
		{{.protocols = {"stun.turn", "h2"}}, "", WIRE_HELLO_TURN | WIRE_HELLO_OTHER},
		{{.protocols = {"stun.nat-discovery"}}, "", WIRE_HELLO_TURN},
		{{.name = "b", .padding = 2000}, "b", 0},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece <= 4096; piece *= 8) {
			assert_int_equal(read_records(&rows[i].in, piece), WIRE_HELLO_DONE);
			assert_string_equal(h.name, rows[i].name);
			assert_int_equal(h.protocols, rows[i].protocols);
		}
	}
}

static void every_start_is_one(void **state)
{
	const struct hello in = {.name = "www.example.org", .protocols = {"h2"}, .padding = 1700};
	uint8_t bytes[2 * WIRE_HELLO_MAX];

	(void)state;
	for (size_t piece = 100; piece <= 4096; piece += 1998) {
		size_t len = hello_records(bytes, &in, piece);

		for (size_t n = 0; n < len; n++)
			assert_int_equal(wire_hello_read(&h, bytes, n), WIRE_HELLO_MORE);
		// Bytes behind it do not count.
		assert_int_equal(wire_hello_read(&h, bytes, len + 7), WIRE_HELLO_DONE);
		assert_string_equal(h.name, "www.example.org");
	}
}

static void garbage_is_bad(void **state)
{
	const struct hello in = {.name = "a", .protocols = {"h2"}};
	uint8_t bytes[2 * WIRE_HELLO_MAX], changed[2 * WIRE_HELLO_MAX];
	size_t len = hello_records(bytes, &in, 4096);
	static const struct {
		size_t at;
		uint8_t value;
	} rows[] = {
		{0, 0x17},  // a record of data
		{1, 2},	    // version 2.x
		{5, 2},	    // a ServerHello
		{6, 1},	    // longer than is read
		{43, 0xff}, // a session longer than the message
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		memcpy(changed, bytes, len);
		changed[rows[i].at] = rows[i].value;
		assert_int_equal(wire_hello_read(&h, changed, len), WIRE_HELLO_BAD);
	}
	memcpy(changed, bytes, len);
	tp_store_be16(changed + 3, 0);
	assert_int_equal(wire_hello_read(&h, changed, len), WIRE_HELLO_BAD);
	tp_store_be16(changed + 3, 16385);
	assert_int_equal(wire_hello_read(&h, changed, len), WIRE_HELLO_BAD);
}

// Records of one byte each would need more than is looked at.
static void length_is_bounded(void **state)
{
	const struct hello in = {.name = "a", .padding = 4000};
	static uint8_t bytes[2 * WIRE_HELLO_MAX];
	size_t len = hello_records(bytes, &in, 1);

	(void)state;
	assert_true(len > WIRE_HELLO_MAX);
	assert_int_equal(wire_hello_read(&h, bytes, WIRE_HELLO_MAX - 1), WIRE_HELLO_MORE);
	assert_int_equal(wire_hello_read(&h, bytes, WIRE_HELLO_MAX), WIRE_HELLO_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_and_protocols),
		cmocka_unit_test(every_start_is_one),
		cmocka_unit_test(garbage_is_bad),
		cmocka_unit_test(length_is_bounded),
	};

	return cmocka_run_group_tests_name("wire hello", tests, NULL, NULL);
}
