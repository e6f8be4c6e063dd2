// SPDX-License-Identifier: BSD-3-Clause
// The sums and headers of entries against a plain computation over whole packets.
#include <entry/csum.h>
#include <entry/template.h>
#include <turnpike/stun.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const uint8_t net6[16] = {0xfd, 0x77, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

// An independent sum: octet by octet, in wire order.
static uint32_t plain_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (i & 1) ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static struct tp_addr address(uint8_t family, unsigned host, uint16_t port)
{
	uint8_t ip[16];

	if (family == TP_FAMILY_IPV4)
		return tp_addr_ipv4(0x0a4d0000u + host, port);
	memcpy(ip, net6, sizeof(ip));
	tp_store_be16(ip + 14, (uint16_t)host);
	return tp_addr_ipv6(ip, port);
}

// Octets of the pseudo header without length, the ports, and the channel number if there is one.
static uint16_t expected_sum(const struct tp_addr *a, const struct tp_addr *b, uint16_t number)
{
	uint8_t buf[64] = {0};
	unsigned n = tp_family_ip_len(a->family);

	memcpy(buf, a->ip, n);
	memcpy(buf + n, b->ip, n);
	buf[2 * n + 1] = 17;
	memcpy(buf + 2 * n + 2, &a->port_be, 2);
	memcpy(buf + 2 * n + 4, &b->port_be, 2);
	tp_store_be16(buf + 2 * n + 6, number);
	return tp_htons((uint16_t)plain_sum(buf, sizeof(buf)));
}

static void assert_header(
	const struct tp_entry *e, const struct tp_addr *src, const struct tp_addr *dst)
{
	unsigned n = tp_family_ip_len(src->family);
	unsigned ip_len = n == 4 ? 20 : 40;
	unsigned at = n == 4 ? 12 : 8;

	assert_int_equal(e->header[0], n == 4 ? 0x45 : 0x60);
	assert_int_equal(e->header[n == 4 ? 9 : 6], 17);
	assert_memory_equal(e->header + at, src->ip, n);
	assert_memory_equal(e->header + at + n, dst->ip, n);
	assert_memory_equal(e->header + ip_len, &src->port_be, 2);
	assert_memory_equal(e->header + ip_len + 2, &dst->port_be, 2);
	if (n == 4)
		assert_int_equal(e->sum_ip, tp_htons((uint16_t)plain_sum(e->header, 20)));
	else
		assert_int_equal(e->sum_ip, 0);
}

static void check_families(uint8_t near, uint8_t far)
{
	struct tp_addr listener = address(near, 1, 3478), client = address(near, 2, 50001);
	struct tp_addr relayed = address(far, 3, 49153), peer = address(far, 4, 60001);
	struct tp_addr host = peer;
	struct tp_entry e;
	unsigned near_len = near == TP_FAMILY_IPV4 ? 28 : 48;
	unsigned far_len = far == TP_FAMILY_IPV4 ? 28 : 48;

	host.port_be = 0;
	memset(&e, 0xa5, sizeof(e));
	assert_int_equal(entry_template_allocation(&e, &listener, &client), 0);
	assert_header(&e, &listener, &client);
	assert_int_equal(e.header_len, near_len);
	assert_int_equal(e.sum_in, expected_sum(&client, &listener, 0));
	assert_int_equal(e.sum_out, e.sum_in);
	assert_int_equal(e.flags, 0xa5);

	assert_int_equal(
		entry_template_channel(&e, &listener, &client, 0x4001, &relayed, &peer), 0);
	assert_header(&e, &relayed, &peer);
	assert_int_equal(e.header_len, far_len);
	assert_int_equal(e.sum_in, expected_sum(&client, &listener, 0x4001));
	assert_int_equal(e.sum_out, expected_sum(&relayed, &peer, 0));

	assert_int_equal(entry_template_peer(&e, &listener, &client, 0x4001, &relayed, &peer), 0);
	assert_header(&e, &listener, &client);
	assert_int_equal(e.header_len, near_len + 4);
	assert_int_equal(tp_load_be16(e.header + near_len), 0x4001);
	assert_int_equal(e.sum_in, expected_sum(&relayed, &peer, 0));
	assert_int_equal(e.sum_out, expected_sum(&client, &listener, 0x4001));

	assert_int_equal(entry_template_permission(&e, &relayed, &peer), 0);
	assert_header(&e, &relayed, &host);
	assert_int_equal(e.header_len, far_len);
	assert_int_equal(e.sum_in, expected_sum(&relayed, &host, 0));
	assert_int_equal(e.sum_out, e.sum_in);
}

static void test_every_family_pair(void **state)
{
	(void)state;
	check_families(TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	check_families(TP_FAMILY_IPV4, TP_FAMILY_IPV6);
	check_families(TP_FAMILY_IPV6, TP_FAMILY_IPV4);
	check_families(TP_FAMILY_IPV6, TP_FAMILY_IPV6);
}

static void test_mixed_families_refused(void **state)
{
	struct tp_addr v4 = address(TP_FAMILY_IPV4, 1, 3478), v6 = address(TP_FAMILY_IPV6, 1, 3478);
	struct tp_addr none = {.family = TP_FAMILY_NONE};
	struct tp_entry e, before;

	(void)state;
	memset(&e, 0x5a, sizeof(e));
	before = e;
	assert_int_equal(entry_template_allocation(&e, &v4, &v6), -EINVAL);
	assert_int_equal(entry_template_allocation(&e, &none, &none), -EINVAL);
	assert_int_equal(entry_template_channel(&e, &v4, &v4, 0x4000, &v4, &v6), -EINVAL);
	assert_int_equal(entry_template_peer(&e, &v4, &v6, 0x4000, &v4, &v4), -EINVAL);
	assert_int_equal(entry_template_permission(&e, &v6, &v4), -EINVAL);
	assert_memory_equal(&e, &before, sizeof(e));
}

static void test_stream_client(void **state)
{
	struct tp_addr relayed = address(TP_FAMILY_IPV6, 3, 49153);
	struct tp_addr peer = address(TP_FAMILY_IPV6, 4, 60001), v4 = address(TP_FAMILY_IPV4, 1, 1);
	const uint64_t connection = tp_connection(63, 77, 5);
	const uint64_t bad[] = {0, 77, tp_connection(64, 77, 5), tp_connection(1, 77, 0)};
	struct tp_entry e, before;

	(void)state;
	memset(&e, 0xa5, sizeof(e));
	assert_int_equal(entry_template_stream_allocation(&e, connection), 0);
	assert_int_equal(e.header[0], 0);
	assert_int_equal(e.header_len, 0);
	assert_int_equal(e.stream.connection, connection);
	assert_int_equal(e.sum_in | e.sum_out | e.sum_ip, 0);
	assert_int_equal(e.flags, 0xa5);

	assert_int_equal(entry_template_stream_channel(&e, &relayed, &peer), 0);
	assert_header(&e, &relayed, &peer);
	assert_int_equal(e.header_len, 48);
	assert_int_equal(e.sum_in, 0);
	assert_int_equal(e.sum_out, expected_sum(&relayed, &peer, 0));

	assert_int_equal(entry_template_stream_peer(&e, connection, 0x4501, &relayed, &peer), 0);
	assert_int_equal(e.header[0], 0);
	assert_int_equal(e.header_len, 4);
	assert_int_equal(e.stream.connection, connection);
	assert_int_equal(tp_load_be16(e.stream.channel_header), 0x4501);
	assert_int_equal(e.sum_in, expected_sum(&relayed, &peer, 0));
	assert_int_equal(e.sum_out, 0);
	assert_int_equal(e.path_mtu, 0xa5a5);

	before = e;
	assert_int_equal(
		entry_template_stream_peer(&e, connection, 0x4000, &relayed, &v4), -EINVAL);
	assert_int_equal(entry_template_stream_channel(&e, &v4, &peer), -EINVAL);
	for (unsigned i = 0; i < TP_ARRAY_LEN(bad); i++) {
		assert_int_equal(entry_template_stream_allocation(&e, bad[i]), -EINVAL);
		assert_int_equal(
			entry_template_stream_peer(&e, bad[i], 0x4000, &relayed, &peer), -EINVAL);
	}
	assert_memory_equal(&e, &before, sizeof(e));
}

static void test_handles(void **state)
{
	const uint64_t connection = tp_connection(63, 0xabcdef, 0xfffffff0);
	uint32_t egress = tp_connection_egress(connection);

	(void)state;
	assert_true(tp_connection_valid(connection));
	assert_true(tp_egress_is_stream(egress));
	assert_int_equal(egress, tp_egress_stream(63, 0xabcdef));
	assert_int_equal(tp_egress_thread(egress), 63);
	assert_int_equal(tp_egress_slot(egress), 0xabcdef);
	assert_int_equal(tp_connection_generation(connection), 0xfffffff0);
	assert_false(tp_egress_is_stream(TP_NEXT_HOPS_MAX - 1));
	// Neither reaches into the bits of the other.
	assert_int_equal(tp_egress_thread(tp_egress_stream(0, UINT32_MAX)), 0);
	assert_int_equal(tp_egress_slot(tp_egress_stream(UINT32_MAX, 0)), 0);
}

static void test_sums_of_every_length_and_parity(void **state)
{
	uint8_t buf[64], shifted[65];

	(void)state;
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 37 + 11);
	for (unsigned len = 0; len <= sizeof(buf); len++) {
		assert_int_equal(entry_sum_fold(entry_sum(buf, len)),
			tp_htons((uint16_t)plain_sum(buf, len)));
		shifted[0] = 0;
		memcpy(shifted + 1, buf, len);
		assert_int_equal(entry_sum_fold(entry_sum_at(buf, len, true)),
			tp_htons((uint16_t)plain_sum(shifted, len + 1)));
	}
}

static void test_udp_checksum(void **state)
{
	// A datagram with payload "abc" from 10.77.0.1:1 to 10.77.0.2:2.
	uint8_t udp[11] = {0, 1, 0, 2, 0, 11, 0, 0, 'a', 'b', 'c'};
	struct tp_addr a = address(TP_FAMILY_IPV4, 1, 1), b = address(TP_FAMILY_IPV4, 2, 2);
	struct tp_addr c = address(TP_FAMILY_IPV6, 1, 1), d = address(TP_FAMILY_IPV6, 2, 2);
	uint16_t csum;

	(void)state;
	assert_true(entry_csum_udp_right(a.ip, b.ip, 4, udp, sizeof(udp)));
	assert_false(entry_csum_udp_right(c.ip, d.ip, 16, udp, sizeof(udp)));
	csum = entry_csum_udp(entry_sum_addresses(a.ip, b.ip, 4) + entry_sum_be16(11) +
			      entry_sum(udp, sizeof(udp)));
	memcpy(udp + 6, &csum, 2);
	assert_true(entry_csum_udp_right(a.ip, b.ip, 4, udp, sizeof(udp)));
	udp[10] ^= 1;
	assert_false(entry_csum_udp_right(a.ip, b.ip, 4, udp, sizeof(udp)));
	assert_int_equal(entry_csum_udp(0xffff), 0xffff);
	assert_int_equal(entry_csum_udp(0), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_family_pair),
		cmocka_unit_test(test_mixed_families_refused),
		cmocka_unit_test(test_stream_client),
		cmocka_unit_test(test_handles),
		cmocka_unit_test(test_sums_of_every_length_and_parity),
		cmocka_unit_test(test_udp_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
