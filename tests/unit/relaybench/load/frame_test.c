// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <load/frame.h>

static const struct load_road road = {.ethernet = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}};
static const struct load_addr from = {0x0a4d0102, 10001}, to = {0x0a4d0001, 3478};

// RFC 768 and RFC 791: with its checksum in place, each sum folds to nothing.
static void sums_are_right(const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + 14, *udp = ip + 20;
	uint32_t udp_len = (uint32_t)(udp[4] << 8 | udp[5]);

	assert_int_equal(len, 34 + udp_len);
	assert_int_equal(load_sum_fold(load_sum(0, ip, 20)), 0);
	assert_int_equal(
		load_sum_fold(load_sum(load_sum(17 + udp_len, ip + 12, 8), udp, udp_len)), 0);
}

static void a_datagram_comes_back(void **state)
{
	uint8_t frame[LOAD_FRAME_MAX], payload[33];
	struct load_seen seen;
	size_t len;

	(void)state;
	for (size_t n = 0; n <= sizeof(payload); n++) {
		memset(payload, (int)(n + 200), sizeof(payload));
		len = load_frame_datagram(frame, &road, from, to, payload, n);
		sums_are_right(frame, len);
		assert_memory_equal(frame, road.ethernet, LOAD_ETH_LEN);
		assert_true(load_frame_read(frame, len, len, &seen));
		assert_memory_equal(&seen.from.ip, &from.ip, 4);
		assert_int_equal(seen.from.port, from.port);
		assert_int_equal(seen.to.ip, to.ip);
		assert_int_equal(seen.to.port, to.port);
		assert_int_equal(seen.len, n);
		assert_memory_equal(seen.payload, payload, n);
	}
}

static void media_tells_what_it_is(void **state)
{
	static const uint16_t lens[] = {20, 21, 160, 1400};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct load_media m = {from, to, i % 2 ? 0x4007 : 0, lens[i / 2],
			{0x01020304, 0xfffffffe, 0x1122334455667788}};
		uint8_t frame[LOAD_FRAME_MAX];
		struct load_seen seen;
		struct load_stamp stamp;
		uint32_t filler = load_frame_filler(frame, m.channel != 0, m.payload_len);
		size_t len, framing = m.channel != 0 ? 4 : 0;

		// The same buffer serves another flow.
		(void)load_frame_media(frame, &road, &m, filler);
		m.stamp.flow++;
		len = load_frame_media(frame, &road, &m, filler);
		sums_are_right(frame, len);
		assert_true(load_frame_read(frame, len, len, &seen));
		assert_int_equal(seen.len, framing + m.payload_len);
		if (framing != 0)
			assert_memory_equal(seen.payload, ((uint8_t[]){0x40, 7}), 2);
		assert_true(load_stamp_read(seen.payload + framing, m.payload_len, &stamp));
		assert_int_equal(stamp.flow, 0x01020305);
		assert_int_equal(stamp.number, 0xfffffffe);
		assert_true(stamp.sent_ns == 0x1122334455667788);
	}
}

static void what_is_not_ours(void **state)
{
	uint8_t frame[LOAD_FRAME_MAX], payload[64] = {0};
	size_t len = load_frame_datagram(frame, &road, from, to, payload, sizeof(payload));
	struct load_seen seen;
	struct load_stamp stamp;

	(void)state;
	assert_true(load_frame_read(frame, len, len, &seen));
	assert_false(load_stamp_read(seen.payload, seen.len, &stamp));
	assert_false(load_frame_read(frame, LOAD_HEADERS_LEN - 1, len, &seen));
	assert_false(load_frame_read(frame, len - 1, len - 1, &seen));
	// A cut copy of a longer frame is read as far as it goes.
	assert_true(load_frame_read(frame, LOAD_HEADERS_LEN, len, &seen));
	assert_int_equal(seen.len, sizeof(payload));
	frame[14] = 0x46;
	assert_false(load_frame_read(frame, len, len, &seen));
	frame[14] = 0x45;
	frame[20] = 0x20; // more fragments
	assert_false(load_frame_read(frame, len, len, &seen));
	frame[20] = 0;
	frame[23] = 6;
	assert_false(load_frame_read(frame, len, len, &seen));
	frame[23] = 17;
	frame[12] = 0x86;
	assert_false(load_frame_read(frame, len, len, &seen));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_comes_back),
		cmocka_unit_test(media_tells_what_it_is),
		cmocka_unit_test(what_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
