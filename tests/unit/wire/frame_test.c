// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <wire/first.h>
#include <wire/frame.h>

#include <turnpike/stun.h>

#define STREAM_MAX 16384u

struct stream {
	uint8_t bytes[STREAM_MAX];
	size_t len;
};

static void stun_add(struct stream *s, uint16_t len)
{
	uint8_t *p = s->bytes + s->len;

	memset(p, 0xa5, TP_STUN_HEADER_LEN + len);
	tp_store_be16(p, TP_STUN_BINDING_REQUEST);
	tp_store_be16(p + 2, len);
	tp_store_be32(p + 4, TP_STUN_MAGIC_COOKIE);
	s->len += TP_STUN_HEADER_LEN + len;
}

static void channel_add(struct stream *s, uint16_t len)
{
	uint8_t *p = s->bytes + s->len;

	memset(p, 0, TP_CHANNEL_HEADER_LEN + len + 3);
	tp_store_be16(p, TP_CHANNEL_MIN);
	tp_store_be16(p + 2, len);
	memset(p + 4, 0x5a, len);
	s->len += TP_CHANNEL_HEADER_LEN + len + wire_padding(TP_CHANNEL_HEADER_LEN + len);
}

// Feeds the stream in pieces of `piece` bytes, as a connection does, and returns the lengths of the
// messages, 0 behind them; a fault ends it.
static enum wire_fault feed(
	struct wire_framer *framer, const struct stream *s, size_t piece, size_t lens[], size_t max)
{
	uint8_t buffer[STREAM_MAX];
	size_t kept = 0, n = 0;

	for (size_t at = 0; at < s->len;) {
		struct wire_frame f = {0};
		size_t now = s->len - at < piece ? s->len - at : piece;
		enum wire_step step;

		memcpy(buffer + kept, s->bytes + at, now);
		at += now;
		now += kept;
		while ((step = wire_frame_next(framer, &f, buffer, now)) == WIRE_STEP_MESSAGE) {
			assert_true(n < max);
			assert_true(f.data >= buffer && f.data + f.len <= buffer + now);
			lens[n++] = f.len;
		}
		if (step == WIRE_STEP_FAULT)
			return f.fault;
		kept = now - f.at;
		assert_true(kept <= WIRE_PARTIAL_MAX);
		memmove(buffer, buffer + f.at, kept);
	}
	lens[n] = 0;
	return WIRE_FAULT_NONE;
}

// Clauses: 8489 6.2.2-1; 8656 12.5-2
static void messages_come_out_at_any_cut(void **state)
{
	static const size_t want[] = {28, 5, 20, 4, 1984, 8, 104};
	struct stream s = {.len = 0};

	(void)state;
	stun_add(&s, 8);
	channel_add(&s, 1);
	stun_add(&s, 0);
	channel_add(&s, 0);
	channel_add(&s, WIRE_MESSAGE_MAX - 4);
	channel_add(&s, 4);
	channel_add(&s, 100);
	for (size_t piece = 1; piece < s.len + 1; piece += piece < 40 ? 1 : 97) {
		struct wire_framer framer = {0};
		size_t lens[16];

		assert_int_equal(feed(&framer, &s, piece, lens, 15), WIRE_FAULT_NONE);
		for (size_t i = 0; i < TP_ARRAY_LEN(want); i++)
			assert_int_equal(lens[i], want[i]);
		assert_int_equal(lens[TP_ARRAY_LEN(want)], 0);
		assert_int_equal(framer.oversize, 0);
	}
}

static void messages_too_long_are_skipped(void **state)
{
	struct stream s = {.len = 0};

	(void)state;
	channel_add(&s, WIRE_MESSAGE_MAX - 3);
	stun_add(&s, 4);
	stun_add(&s, 4000);
	channel_add(&s, 7);
	for (size_t piece = 1; piece < s.len + 1; piece += piece < 40 ? 1 : 97) {
		struct wire_framer framer = {0};
		size_t lens[8];

		assert_int_equal(feed(&framer, &s, piece, lens, 7), WIRE_FAULT_NONE);
		assert_int_equal(lens[0], 24);
		assert_int_equal(lens[1], 11);
		assert_int_equal(lens[2], 0);
		assert_int_equal(framer.oversize, 2);
	}
}

// Clauses: 8489 6.2.2-1
static void faults_are_named(void **state)
{
	struct wire_framer framer = {0};
	struct stream s = {.len = 0};
	size_t lens[8];

	(void)state;
	stun_add(&s, 0);
	s.bytes[s.len++] = 0x80;
	assert_int_equal(feed(&framer, &s, 7, lens, 7), WIRE_FAULT_first);
	s.len = 0;
	stun_add(&s, 6);
	assert_int_equal(feed(&framer, &s, 7, lens, 7), WIRE_FAULT_length);
	s.len = 0;
	stun_add(&s, 8);
	s.bytes[7] ^= 1;
	assert_int_equal(feed(&framer, &s, 1, lens, 7), WIRE_FAULT_cookie);
	assert_string_equal(wire_fault_name(WIRE_FAULT_cookie), "garbage_cookie");
	assert_true(strlen(wire_fault_text(WIRE_FAULT_first)) > 10);
}

static void first_bytes_tell_the_transport(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum wire_first want;
	} rows[] = {
		{"", 0, WIRE_FIRST_MORE},
		{"\x16", 1, WIRE_FIRST_MORE},
		{"\x16\x03\x01", 3, WIRE_FIRST_TLS},
		{"\x16\xfe\xff", 3, WIRE_FIRST_ALIEN}, // DTLS on a stream
		{"\x00\x03", 2, WIRE_FIRST_PLAIN},
		{"\x40", 1, WIRE_FIRST_ALIEN}, // ChannelData before any request
		{"GET /", 5, WIRE_FIRST_HTTP},
		{"\x80\x2e", 2, WIRE_FIRST_ALIEN}, // SSL 2
		{"\xff", 1, WIRE_FIRST_ALIEN},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++)
		assert_int_equal(
			wire_first_of((const uint8_t *)rows[i].bytes, rows[i].len), rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_out_at_any_cut),
		cmocka_unit_test(messages_too_long_are_skipped),
		cmocka_unit_test(faults_are_named),
		cmocka_unit_test(first_bytes_tell_the_transport),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
