// SPDX-License-Identifier: BSD-3-Clause
// The headers of a stream client's messages, byte by byte.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "encap.h"

static void tcp_ipv4_counts_bytes(void **state)
{
	static const uint8_t first[54] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00,
		// IPv4; the checksum is that of the words beside it
		0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0x65, 0x30, 10, 77, 1, 2, 10, 77, 0, 1,
		// TCP
		0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0};
	struct rctl_encap e = {.client = tp_addr_ipv4(0x0a4d0102, 40000),
		.listener = tp_addr_ipv4(0x0a4d0001, 443),
		.by_tcp = true};
	uint8_t out[RCTL_ENCAP_MAX];

	(void)state;
	assert_int_equal(rctl_encap_headers(&e, false, 4, out), 54);
	assert_memory_equal(out, first, sizeof(first));
	// The answer acknowledges them.
	assert_int_equal(rctl_encap_headers(&e, true, 100, out), 54);
	assert_int_equal(tp_load_be32(out + 26), 0x0a4d0001);
	assert_int_equal(tp_load_be16(out + 34), 443);
	assert_int_equal(tp_load_be32(out + 38), 1);
	assert_int_equal(tp_load_be32(out + 42), 5);
	assert_int_equal(rctl_encap_headers(&e, false, 8, out), 54);
	assert_int_equal(tp_load_be32(out + 38), 5);
	assert_int_equal(tp_load_be32(out + 42), 101);
}

static void udp_ipv6_has_lengths(void **state)
{
	static const uint8_t a[16] = {0xfd, 0x77, [15] = 2}, b[16] = {0xfd, 0x77, [15] = 1};
	struct rctl_encap e = {.client = tp_addr_ipv6(a, 40000), .listener = tp_addr_ipv6(b, 5349)};
	uint8_t out[RCTL_ENCAP_MAX];

	(void)state;
	assert_int_equal(rctl_encap_headers(&e, false, 164, out), 62);
	assert_int_equal(tp_load_be16(out + 12), 0x86dd);
	assert_int_equal(out[14], 0x60);
	assert_int_equal(tp_load_be16(out + 18), 172);
	assert_int_equal(out[20], 17);
	assert_memory_equal(out + 22, a, 16);
	assert_memory_equal(out + 38, b, 16);
	assert_int_equal(tp_load_be16(out + 54), 40000);
	assert_int_equal(tp_load_be16(out + 56), 5349);
	assert_int_equal(tp_load_be16(out + 58), 172);
	assert_int_equal(tp_load_be16(out + 60), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_ipv4_counts_bytes),
		cmocka_unit_test(udp_ipv6_has_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
