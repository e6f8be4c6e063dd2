// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <wire/upgrade.h>

#define LINE	"GET /turn?a=b HTTP/1.1\r\n"
#define HOST	"Host: turn.example.org\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
// The key of RFC 6455 1.3, and its answer.
#define KEY	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ACCEPT	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define END	"\r\n"
#define GOOD	LINE HOST UPGRADE VERSION KEY

static enum wire_upgrade_step read_text(struct wire_upgrade *u, const char *text)
{
	return wire_upgrade_read(u, (const uint8_t *)text, strlen(text));
}

static void request_and_answer(void **state)
{
	static const char text[] = GOOD "origin:https://app.example.org \r\n"
					"Sec-WebSocket-Protocol: chat, turn\r\n" END;
	char out[WIRE_UPGRADE_ANSWER_MAX];
	struct wire_upgrade u;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(
			wire_upgrade_read(&u, (const uint8_t *)text, n), WIRE_UPGRADE_MORE);
	// The terminator is a byte behind it.
	assert_int_equal(
		wire_upgrade_read(&u, (const uint8_t *)text, sizeof(text)), WIRE_UPGRADE_DONE);
	assert_int_equal(u.taken, sizeof(text) - 1);
	assert_int_equal(u.status, 101);
	assert_true(u.is_websocket && u.has_origin && u.speaks_turn);
	assert_string_equal(u.path, "/turn");
	assert_string_equal(u.origin, "https://app.example.org");
	n = wire_upgrade_answer(out, &u, 101);
	assert_int_equal(n, strlen(out));
	assert_string_equal(out,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\n" ACCEPT "Sec-WebSocket-Protocol: turn\r\n\r\n");
}

static void requests_are_judged(void **state)
{
	static const struct {
		const char *text;
		unsigned status;
		bool is_websocket;
	} rows[] = {
		{GOOD END, 101, true},
		{LINE HOST "UPGRADE: h2c, WebSocket\r\nCONNECTION: upgrade\r\n" VERSION KEY END,
			101, true},
		{LINE HOST END, 426, false},
		{LINE HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n" END, 426, true},
		{LINE HOST UPGRADE KEY END, 426, true},
		{LINE HOST UPGRADE VERSION END, 400, true},
		{LINE HOST UPGRADE VERSION "Sec-WebSocket-Key: short\r\n" END, 400, true},
		{LINE HOST UPGRADE VERSION "Sec-WebSocket-Key: ====================AA==\r\n" END,
			400, true},
		{LINE HOST "Upgrade: websocket\r\n" VERSION KEY END, 400, true},
		{GOOD KEY END, 400, true},
		{GOOD HOST END, 400, true},
		{LINE UPGRADE VERSION KEY END, 400, true},
		{GOOD "Origin: a\r\nOrigin: b\r\n" END, 400, true},
		{"POST /turn HTTP/1.1\r\n" HOST UPGRADE VERSION KEY END, 400, true},
		{"GET turn HTTP/1.1\r\n" HOST UPGRADE VERSION KEY END, 400, true},
		{"GET /turn HTTP/1.0\r\n" HOST UPGRADE VERSION KEY END, 400, true},
		{GOOD "X : y\r\n" END, 400, true},
		{GOOD " folded\r\n" END, 400, true},
		{GOOD "no colon\r\n" END, 400, true},
		{GOOD "A: \x01\r\n" END, 400, true},
		{LINE "Host: a\nX: b\r\n" END, 400, false},
	};
	struct wire_upgrade u;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		assert_int_equal(read_text(&u, rows[i].text), WIRE_UPGRADE_DONE);
		if (u.status != rows[i].status || u.is_websocket != rows[i].is_websocket)
			fail_msg("row %zu: %u", i, u.status);
	}
}

static void length_is_bounded(void **state)
{
	static uint8_t bytes[WIRE_UPGRADE_MAX];
	struct wire_upgrade u;

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	assert_int_equal(wire_upgrade_read(&u, bytes, sizeof(bytes) - 1), WIRE_UPGRADE_MORE);
	assert_int_equal(wire_upgrade_read(&u, bytes, sizeof(bytes)), WIRE_UPGRADE_LONG);
}

static void refusals_end_the_connection(void **state)
{
	static const unsigned rows[] = {400, 403, 404, 426, 431};
	char out[WIRE_UPGRADE_ANSWER_MAX];
	struct wire_upgrade u = {.taken = 0};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		size_t n = wire_upgrade_answer(out, &u, rows[i]);

		assert_int_equal(n, strlen(out));
		assert_non_null(strstr(out, "\r\nConnection: close\r\n\r\n"));
		assert_int_equal(strtoul(out + 9, NULL, 10), rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_and_answer),
		cmocka_unit_test(requests_are_judged),
		cmocka_unit_test(length_is_bounded),
		cmocka_unit_test(refusals_end_the_connection),
	};

	return cmocka_run_group_tests_name("wire upgrade", tests, NULL, NULL);
}
