// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <load/frame.h>

// One of each family.
static const struct load_addr froms[] = {{.ip = 0x0a4d0102, .port = 10001},
	{.ip = 0x00a50002, .port = 10001, .net = {true, {0xfd, 0x77, 0, 1, 0xff, 0xee}}}};
static const struct load_addr tos[] = {{.ip = 0x0a4d0001, .port = 3478},
	{.ip = 0xff000001, .port = 3478, .net = {true, {0xfd, 0x77, [11] = 0x99}}}};
static const struct load_road roads[] = {{.ethernet = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}},
	{.ethernet = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd}}};

// RFC 768 and RFC 791: with its checksum in place, each sum folds to nothing.
static void sums_are_right(const uint8_t *frame, size_t len, bool v6)
{
	const uint8_t *ip = frame + 14, *udp = ip + (v6 ? 40 : 20);
	uint32_t udp_len = (uint32_t)(udp[4] << 8 | udp[5]), sum;

	assert_int_equal(len, (v6 ? 54 : 34) + udp_len);
	if (v6) {
		assert_int_equal(ip[0], 0x60);
		assert_int_equal(ip[4] << 8 | ip[5], udp_len); // RFC 8200 3
		assert_int_equal(ip[6], 17);
		assert_int_equal(ip[7], 64);
	} else {
		assert_int_equal(load_sum_fold(load_sum(0, ip, 20)), 0);
	}
	sum = load_sum(17 + udp_len, ip + (v6 ? 8 : 12), v6 ? 32 : 8);
	assert_int_equal(load_sum_fold(load_sum(sum, udp, udp_len)), 0);
}

static void same(const struct load_addr *a, const struct load_addr *b)
{
	assert_int_equal(a->ip, b->ip);
	assert_int_equal(a->port, b->port);
	assert_true(load_net_equal(&a->net, &b->net));
}

static void a_datagram_comes_back(void **state)
{
	uint8_t frame[LOAD_FRAME_MAX], payload[33];
	struct load_seen seen;
	size_t len;

	(void)state;
	for (size_t i = 0; i <= 2 * sizeof(payload); i++) {
		size_t n = i / 2;
		bool v6 = i % 2 != 0;

		memset(payload, (int)(n + 200), sizeof(payload));
		len = load_frame_datagram(frame, &roads[v6], froms[v6], tos[v6], payload, n);
		sums_are_right(frame, len, v6);
		assert_memory_equal(frame, roads[v6].ethernet, LOAD_ETH_LEN);
		assert_true(load_frame_read(frame, len, len, &seen));
		same(&seen.from, &froms[v6]);
		same(&seen.to, &tos[v6]);
		assert_int_equal(seen.len, n);
		assert_memory_equal(seen.payload, payload, n);
	}
}

static void media_tells_what_it_is(void **state)
{
	static const uint16_t lens[] = {20, 21, 160, 1400};

	(void)state;
	for (unsigned k = 0; k < 16; k++) {
		unsigned i = k / 2;
		bool v6 = k % 2 != 0;
		struct load_media m = {froms[v6], tos[v6], i % 2 ? 0x4007 : 0, lens[i / 2],
			{0x01020304, 0xfffffffe, 0x1122334455667788}};
		uint8_t frame[LOAD_FRAME_MAX];
		struct load_seen seen;
		struct load_stamp stamp;
		uint32_t filler = load_frame_filler(frame, v6, m.channel != 0, m.payload_len);
		size_t len, framing = m.channel != 0 ? 4 : 0;

		// The same buffer serves another flow.
		(void)load_frame_media(frame, &roads[v6], &m, filler);
		m.stamp.flow++;
		len = load_frame_media(frame, &roads[v6], &m, filler);
		sums_are_right(frame, len, v6);
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
	size_t len =
		load_frame_datagram(frame, &roads[0], froms[0], tos[0], payload, sizeof(payload));
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
	// IPv6, with extension headers in front of UDP.
	len = load_frame_datagram(frame, &roads[1], froms[1], tos[1], payload, sizeof(payload));
	assert_true(load_frame_read(frame, LOAD_HEADERS6_LEN, len, &seen));
	assert_false(load_frame_read(frame, LOAD_HEADERS6_LEN - 1, len, &seen));
	assert_false(load_frame_read(frame, len - 1, len - 1, &seen));
	frame[20] = 44;
	assert_false(load_frame_read(frame, len, len, &seen));
	frame[20] = 17;
	frame[14] = 0x50;
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
