// SPDX-License-Identifier: BSD-3-Clause
#include <text/addr.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

// Result NULL: refused.
struct row {
	const char *in;
	const char *out;
};

static const struct row ips[] = {
	{"10.0.0.1", "10.0.0.1"},
	{"::1", "::1"},
	{"[fd77::1]", "fd77::1"},
	{"FD77:0:0::0001", "fd77::1"},
	{"::ffff:127.0.0.1", "127.0.0.1"},
	{"::FFFF:7f00:1", "127.0.0.1"},
	{"0:0:0:0:0:ffff:0a00:0001", "10.0.0.1"},
	{"::10.0.0.1", "::10.0.0.1"},
	{"010.0.0.1", NULL},
	{"10.0.1", NULL},
	{"0x7f000001", NULL},
	{"2130706433", NULL},
	{"fe80::1%eth0", NULL},
	{" 10.0.0.1", NULL},
	{"10.0.0.1 ", NULL},
	{"", NULL},
	{"[]", NULL},
	{"[10.0.0.1]", NULL},
	{"[::1", NULL},
	{"localhost", NULL},
	{"1:2:3:4:5:6:7:8:9", NULL},
	{"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", NULL},
};

static const struct row addrs[] = {
	{"10.0.0.1:3478", "10.0.0.1:3478"},
	{"[fd77::1]:65535", "[fd77::1]:65535"},
	{"[::ffff:10.0.0.1]:1", "10.0.0.1:1"},
	{"10.0.0.1", NULL},
	{"10.0.0.1:0", NULL},
	{"10.0.0.1:65536", NULL},
	{"10.0.0.1:03478", NULL},
	{"10.0.0.1:+1", NULL},
	{"10.0.0.1: 1", NULL},
	{"fd77::1:3478", NULL},
	{"[10.0.0.1]:3478", NULL},
	{"[fd77::1]3478", NULL},
	{":3478", NULL},
	{"[]:3478", NULL},
};

static const struct row cidrs[] = {
	{"10.0.0.0/8", "10.0.0.0/8"},
	{"10.1.2.3", "10.1.2.3/32"},
	{"fd77::/16", "fd77::/16"},
	{"2001:db8:8000::/33", "2001:db8:8000::/33"},
	{"0.0.0.0/0", "0.0.0.0/0"},
	{"::/0", "::/0"},
	{"::1", "::1/128"},
	{"::ffff:10.0.0.0/104", "10.0.0.0/8"},
	{"::ffff:0:0/96", "0.0.0.0/0"},
	{"::ffff:10.0.0.1", "10.0.0.1/32"},
	{"::ffff:10.0.0.0/8", NULL},
	{"10.0.0.0/33", NULL},
	{"::/129", NULL},
	{"10.0.0.0/", NULL},
	{"10.0.0.0/08", NULL},
	{"10.0.0.0/-1", NULL},
	{"10.0.0.0/8/8", NULL},
	{"/8", NULL},
};

static void ips_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(ips); i++) {
		char text[TEXT_ADDR_SIZE];
		struct tp_addr a;
		int rc = text_ip_parse(ips[i].in, &a);

		print_message("%s\n", ips[i].in);
		assert_int_equal(rc, ips[i].out != NULL ? 0 : -EINVAL);
		if (rc == 0) {
			assert_string_equal(text_ip_format(&a, text), ips[i].out);
			assert_int_equal(a.port_be, 0);
		}
	}
}

static void addrs_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(addrs); i++) {
		char text[TEXT_ADDR_SIZE];
		struct tp_addr a;
		int rc = text_addr_parse(addrs[i].in, &a);

		print_message("%s\n", addrs[i].in);
		assert_int_equal(rc, addrs[i].out != NULL ? 0 : -EINVAL);
		if (rc == 0)
			assert_string_equal(text_addr_format(&a, text), addrs[i].out);
	}
}

static void cidrs_parse(void **state)
{
	struct text_cidr c;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(cidrs); i++) {
		char text[TEXT_ADDR_SIZE];
		int rc = text_cidr_parse(cidrs[i].in, &c);

		print_message("%s\n", cidrs[i].in);
		assert_int_equal(rc, cidrs[i].out != NULL ? 0 : -EINVAL);
		if (rc == 0)
			assert_string_equal(text_cidr_format(&c, text), cidrs[i].out);
	}
	assert_int_equal(text_cidr_parse("10.0.0.1/8", &c), -ERANGE);
	assert_int_equal(text_cidr_parse("2001:db8:8000::/32", &c), -ERANGE);
}

// Ranges that end inside a byte: comparing byte by byte would let addresses slip out.
static void cidr_contains_unaligned(void **state)
{
	static const struct {
		const char *cidr, *ip;
		bool in;
	} rows[] = {
		{"100.64.0.0/10", "100.64.0.0", true},
		{"100.64.0.0/10", "100.127.255.255", true},
		{"100.64.0.0/10", "100.128.0.0", false},
		{"100.64.0.0/10", "100.63.255.255", false},
		{"2001:db8:8000::/33", "2001:db8:ffff::1", true},
		{"2001:db8:8000::/33", "2001:db8:7fff::1", false},
		{"fe80::/10", "febf::1", true},
		{"fe80::/10", "fec0::1", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "::ffff:1.2.3.4", false},
		{"::/0", "ffff::1", true},
		{"10.0.0.1/32", "10.0.0.1", true},
		{"10.0.0.1/32", "10.0.0.2", false},
		{"::1/128", "::2", false},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct text_cidr c;
		struct tp_addr a;

		print_message("%s %s\n", rows[i].cidr, rows[i].ip);
		assert_int_equal(text_cidr_parse(rows[i].cidr, &c), 0);
		assert_int_equal(text_ip_parse(rows[i].ip, &a), 0);
		assert_int_equal(text_cidr_contains(&c, &a), rows[i].in);
	}
}

static void ports_parse(void **state)
{
	static const char *const bad[] = {
		"", "-", "1-", "-1", "0-5", "1-65536", "1 - 2", "1-2-3", "a-b", "01-2"};
	uint16_t low, high;

	(void)state;
	assert_int_equal(text_ports_parse("49152-65535", &low, &high), 0);
	assert_int_equal(low, 49152);
	assert_int_equal(high, 65535);
	assert_int_equal(text_ports_parse("5000", &low, &high), 0);
	assert_int_equal(low, 5000);
	assert_int_equal(high, 5000);
	assert_int_equal(text_ports_parse("2-1", &low, &high), -ERANGE);
	for (size_t i = 0; i < TP_ARRAY_LEN(bad); i++)
		assert_int_equal(text_ports_parse(bad[i], &low, &high), -EINVAL);
}

static void no_family_has_a_text(void **state)
{
	struct tp_addr none = {.family = TP_FAMILY_NONE};
	char text[TEXT_ADDR_SIZE];

	(void)state;
	assert_string_equal(text_ip_format(&none, text), "none");
	assert_string_equal(text_addr_format(&none, text), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ips_parse),
		cmocka_unit_test(addrs_parse),
		cmocka_unit_test(cidrs_parse),
		cmocka_unit_test(cidr_contains_unaligned),
		cmocka_unit_test(ports_parse),
		cmocka_unit_test(no_family_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
