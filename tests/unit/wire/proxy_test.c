// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <text/addr.h>
#include <wire/proxy.h>

// A header of every length but its own is the start of one; with bytes behind it, it ends there.
static void accepted(const void *header, size_t len, const char *source)
{
	const uint8_t *bytes = header;
	uint8_t more[WIRE_PROXY_V2_MAX + 1];
	char text[TEXT_ADDR_SIZE];
	struct wire_proxy p;

	for (size_t n = 0; n < len; n++)
		assert_int_equal(wire_proxy_read(&p, bytes, n), WIRE_PROXY_MORE);
	memcpy(more, bytes, len);
	more[len] = 'x';
	assert_int_equal(wire_proxy_read(&p, more, len + 1), WIRE_PROXY_DONE);
	assert_int_equal(p.taken, len);
	assert_int_equal(p.local, source == NULL);
	if (source != NULL)
		assert_string_equal(text_addr_format(&p.source, text), source);
	else
		assert_int_equal(p.source.family, TP_FAMILY_NONE);
}

static void refused(const void *header, size_t len)
{
	struct wire_proxy p;

	assert_int_equal(wire_proxy_read(&p, header, len), WIRE_PROXY_BAD);
}

static void lines(void **state)
{
	static const char *const bad[] = {
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
		"PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
		"PROXY TCP4 ::1 192.0.2.2 1 2\r\n",
		"PROXY TCP6 192.0.2.1 ::2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
		"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY \r\n",
		"PROXY\r\n",
		"GET / HTTP/1.1\r\n",
		"\n",
	};
	char longest[WIRE_PROXY_V1_MAX];

	(void)state;
	accepted("PROXY TCP4 192.0.2.1 192.0.2.2 4660 443\r\n", 41, "192.0.2.1:4660");
	accepted("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n", 40, "[2001:db8::1]:1");
	accepted("PROXY TCP6 ::ffff:192.0.2.1 ::2 1 2\r\n", 37, "192.0.2.1:1");
	accepted("PROXY UNKNOWN\r\n", 15, NULL);
	accepted("PROXY UNKNOWN a b c d\r\n", 23, NULL);
	for (size_t i = 0; i < TP_ARRAY_LEN(bad); i++)
		refused(bad[i], strlen(bad[i]));
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "PROXY UNKNOWN ", 14);
	refused(longest, sizeof(longest));
	longest[40] = '\0';
	refused(longest, 60);
}

static size_t binary(uint8_t *out, uint8_t command, uint8_t family, uint16_t len)
{
	memcpy(out, "\r\n\r\n\0\r\nQUIT\n", 12);
	out[12] = command;
	out[13] = family;
	tp_store_be16(out + 14, len);
	for (size_t i = 0; i < len && i < 64; i++)
		out[16 + i] = (uint8_t)(i + 1);
	return 16u + len;
}

static void bytes(void **state)
{
	uint8_t h[WIRE_PROXY_V2_MAX + 16] = {0};

	(void)state;
	accepted(h, binary(h, 0x21, 0x11, 12), "1.2.3.4:2314");
	// Extensions behind the addresses.
	accepted(h, binary(h, 0x21, 0x11, 40), "1.2.3.4:2314");
	accepted(h, binary(h, 0x21, 0x21, 36), "[102:304:506:708:90a:b0c:d0e:f10]:8482");
	accepted(h, binary(h, 0x20, 0x00, 0), NULL);
	accepted(h, binary(h, 0x20, 0x11, 12), NULL);
	accepted(h, binary(h, 0x21, 0x00, 0), NULL);
	accepted(h, binary(h, 0x21, 0x11, WIRE_PROXY_V2_MAX - 16), "1.2.3.4:2314");
	refused(h, binary(h, 0x21, 0x11, WIRE_PROXY_V2_MAX - 15));
	refused(h, binary(h, 0x21, 0x11, 11));
	refused(h, binary(h, 0x21, 0x21, 35));
	refused(h, binary(h, 0x21, 0x12, 12));	// a datagram
	refused(h, binary(h, 0x21, 0x31, 216)); // a Unix socket
	refused(h, binary(h, 0x22, 0x11, 12));
	refused(h, binary(h, 0x11, 0x11, 12));
	binary(h, 0x21, 0x11, 12);
	h[11] = 'x';
	refused(h, 28);
}

// The reader finds the client, the bytes have the destination.
static void written_is_read(void **state)
{
	static const uint8_t six[16] = {0x20, 1, 0xd, 0xb8, [15] = 9};
	struct tp_addr four = tp_addr_ipv4(0xc0000209, 4660), own = tp_addr_ipv4(0xc0000201, 443);
	struct tp_addr long_one = tp_addr_ipv6(six, 4660);
	uint8_t out[WIRE_PROXY_WRITE_MAX];

	(void)state;
	assert_int_equal(wire_proxy_write(out, &four, &own), 28);
	accepted(out, 28, "192.0.2.9:4660");
	assert_memory_equal(out + 20, "\xc0\x00\x02\x01\x12\x34\x01\xbb", 8);
	assert_int_equal(wire_proxy_write(out, &long_one, &own), 52);
	accepted(out, 52, "[2001:db8::9]:4660");
	assert_memory_equal(out + 42, "\xff\xff\xc0\x00\x02\x01\x12\x34\x01\xbb", 10);
	assert_int_equal(wire_proxy_write(out, &four, &long_one), 52);
	accepted(out, 52, "192.0.2.9:4660");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(bytes),
		cmocka_unit_test(written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
