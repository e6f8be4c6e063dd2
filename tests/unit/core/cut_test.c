// SPDX-License-Identifier: BSD-3-Clause
// Packets that do not fit: which may leave in fragments, and the fragments.
#include <core/cut.h>
#include <core/fit.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "frame.h"

#define ID 0x01020304u

static const struct tp_addr from4 = {{10, 77, 0, 1}, 0x3412, TP_FAMILY_IPV4, 0};
static const struct tp_addr to4 = {{10, 77, 1, 2}, 0x7856, TP_FAMILY_IPV4, 0};
static const struct tp_addr from6 = {{0xfd, 0x77, [15] = 1}, 0x3412, TP_FAMILY_IPV6, 0};
static const struct tp_addr to6 = {{0xfd, 0x77, [15] = 2}, 0x7856, TP_FAMILY_IPV6, 0};
static uint8_t payload[1900];

// Clauses: 8656 13.2-4, 13.3-2
static void test_permission(void **state)
{
	static const struct {
		uint8_t family;
		bool df, fragmented, v4, dont_fragment, may;
	} rows[] = {
		{TP_FAMILY_IPV4, false, false, true, false, true},
		{TP_FAMILY_IPV4, true, false, true, false, false},
		{TP_FAMILY_IPV4, false, false, true, true, false},
		{TP_FAMILY_IPV4, false, true, true, true, false},
		{TP_FAMILY_IPV4, true, true, true, false, true},
		{TP_FAMILY_IPV4, false, false, false, true, true},
		{TP_FAMILY_IPV4, true, false, false, false, false},
		{TP_FAMILY_IPV6, false, false, true, false, false},
		{TP_FAMILY_IPV6, false, false, false, false, false},
		{TP_FAMILY_IPV6, false, true, true, true, true},
		{TP_FAMILY_IPV6, false, true, false, false, true},
		{TP_FAMILY_IPV6, false, true, false, true, true},
	};

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct core_packet p = {.family = rows[i].family,
			.df = rows[i].df,
			.l4_len = 1241,
			.fragmented = rows[i].fragmented};

		print_message("row %u\n", i);
		assert_int_equal(
			core_may_fragment(&p, rows[i].v4, rows[i].dont_fragment), rows[i].may);
		// A packet of 1,280 bytes over IPv6 cannot be shorter.
		p.l4_len = 1240;
		assert_int_equal(core_may_fragment(&p, rows[i].v4, rows[i].dont_fragment),
			rows[i].may || rows[i].family == TP_FAMILY_IPV6);
	}
}

static void test_fit(void **state)
{
	(void)state;
	assert_int_equal(core_fit(1500, 1500, false), CORE_FIT_SEND);
	assert_int_equal(core_fit(1501, 1500, false), CORE_FIT_TOO_BIG);
	assert_int_equal(core_fit(1501, 1500, true), CORE_FIT_FRAGMENT);
	assert_int_equal(core_fit(CORE_IP_LEN_MAX, 1500, true), CORE_FIT_FRAGMENT);
	assert_int_equal(core_fit(CORE_IP_LEN_MAX + 1, 1500, true), CORE_FIT_TOO_BIG);
}

static unsigned read16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static unsigned sum_of(const uint8_t *at, unsigned len)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < len; i += 2)
		sum += read16(at + i);
	return (sum & 0xffff) + (sum >> 16);
}

// The fragment must be right by itself; its payload is put where it belongs. Returns whether more
// are to follow.
static bool fragment4_check(const uint8_t *whole, const uint8_t *frame, unsigned len, unsigned mtu,
	uint8_t *joined, unsigned *end)
{
	const uint8_t *ip = frame + 14;
	unsigned word = read16(ip + 6), at = (word & 0x1fffu) * 8, n = len - 34;

	assert_memory_equal(frame, whole, 16);	     // Ethernet, version, TOS
	assert_memory_equal(ip + 4, whole + 18, 2);  // id
	assert_memory_equal(ip + 8, whole + 22, 2);  // TTL, protocol
	assert_memory_equal(ip + 12, whole + 26, 8); // addresses
	assert_int_equal(read16(ip + 2), len - 14);
	assert_int_equal(sum_of(ip, 20), 0xffff);
	assert_true(len - 14 <= mtu);
	assert_int_equal(word & 0xc000u, 0);
	memcpy(joined + at, frame + 34, n);
	*end = at + n;
	assert_true(n % 8 == 0 || !(word & 0x2000u));
	return word & 0x2000u;
}

static bool fragment6_check(const uint8_t *whole, const uint8_t *frame, unsigned len, unsigned mtu,
	uint8_t *joined, unsigned *end)
{
	const uint8_t *ip = frame + 14;
	unsigned word = read16(ip + 42), at = word & 0xfff8u, n = len - 62;

	assert_memory_equal(frame, whole, 18);	     // Ethernet, version, class, label
	assert_memory_equal(ip + 7, whole + 21, 33); // hop limit, addresses
	assert_int_equal(read16(ip + 4), len - 54);
	assert_int_equal(ip[6], 44);
	assert_int_equal(ip[40], 17);
	assert_int_equal(ip[41], 0);
	assert_int_equal(read16(ip + 44) << 16 | read16(ip + 46), ID);
	assert_true(len - 14 <= mtu && len - 14 <= 1280);
	assert_int_equal(word & 6u, 0);
	memcpy(joined + at, frame + 62, n);
	*end = at + n;
	assert_true(n % 8 == 0 || !(word & 1u));
	return word & 1u;
}

static void cut_check(const struct frame_spec *spec, unsigned mtu)
{
	bool v4 = spec->src.family == TP_FAMILY_IPV4, more = true;
	unsigned headers = v4 ? 34 : 54, n, end = 0, seen = 0;
	uint8_t joined[FRAME_MAX] = {0}, *room;
	struct core_cut c;
	struct frame f;
	uint32_t len;

	frame_build(&f, spec);
	n = core_cut_begin(&c, frame_data(&f), f.len, mtu, ID);
	assert_true(n > 1);
	room = malloc(
		core_cut_frame_max(&c)); // so that a sanitizer sees each byte written behind it
	assert_non_null(room);
	for (; (len = core_cut_next(&c, room)) != 0; seen++) {
		unsigned before = end;

		assert_true(more);
		assert_true(len <= core_cut_frame_max(&c));
		more = v4 ? fragment4_check(frame_data(&f), room, len, mtu, joined, &end)
			  : fragment6_check(frame_data(&f), room, len, mtu, joined, &end);
		assert_true(end > before);
	}
	free(room);
	assert_false(more);
	assert_int_equal(seen, n);
	assert_int_equal(end, f.len - headers);
	assert_memory_equal(joined, frame_data(&f) + headers, end);
}

// Each length of the last fragment, with MTUs that are no multiple of eight.
// Clauses: 8656 13.2-3
static void test_cut(void **state)
{
	static const unsigned mtus[] = {68, 577, 1000, 1280, 1281, 1400, 1500};

	(void)state;
	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31 + (i >> 8));
	for (unsigned m = 0; m < TP_ARRAY_LEN(mtus); m++) {
		for (uint16_t len = 1480; len < 1900; len++) {
			cut_check(&(struct frame_spec){from4, to4, payload, len, 4711, 0xb8, 0,
					  false, false},
				mtus[m]);
			cut_check(&(struct frame_spec){from6, to6, payload, len, 0, 0xb8, 0, false,
					  false},
				mtus[m]);
		}
	}
}

// MTUs that a port can't have.
static void test_no_room(void **state)
{
	struct frame_spec spec = {from6, to6, payload, 1480, 0, 0, 0, false, false};
	struct core_cut c;
	struct frame f;

	(void)state;
	frame_build(&f, &spec);
	assert_int_equal(core_cut_begin(&c, frame_data(&f), f.len, 55, ID), 0);
	assert_int_equal(core_cut_begin(&c, frame_data(&f), f.len, 0, ID), 0);
	assert_int_equal(core_cut_begin(&c, frame_data(&f), f.len, 56, ID), 186);
	spec.src = from4;
	spec.dst = to4;
	frame_build(&f, &spec);
	assert_int_equal(core_cut_begin(&c, frame_data(&f), f.len, 27, ID), 0);
	assert_int_equal(core_cut_begin(&c, frame_data(&f), f.len, 28, ID), 186);
	assert_int_equal(core_cut_begin(&c, frame_data(&f), 34, 28, ID), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permission),
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
