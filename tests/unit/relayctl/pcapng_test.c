// SPDX-License-Identifier: BSD-3-Clause
// The blocks byte by byte, as the format's draft draws them; another reader has its say in the
// capture end-to-end test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pcapng.h"

static uint32_t word(const char *data, size_t at)
{
	uint32_t v;

	memcpy(&v, data + at, sizeof(v));
	return v;
}

// Each block's length at both its ends. How many there are.
static unsigned blocks_check(const char *data, size_t len)
{
	unsigned n = 0;

	for (size_t at = 0; at < len; n++) {
		uint32_t size = word(data, at + 4);

		assert_int_equal(size % 4, 0);
		assert_in_range(size, 12, len - at);
		assert_int_equal(word(data, at + size - 4), size);
		at += size;
	}
	return n;
}

static void packets_have_their_options(void **state)
{
	static const char frame[5] = "abcd";
	struct pcapng_packet p = {.interface = 3,
		.time_ns = 0x123456789abcdef0,
		.data = frame,
		.taken = 5,
		.len = 90,
		.outbound = true,
		.comment = "why"};
	char *data;
	size_t len;
	FILE *out = open_memstream(&data, &len);

	(void)state;
	pcapng_packet(out, &p);
	fclose(out);
	assert_int_equal(blocks_check(data, len), 1);
	assert_int_equal(len, 12 + 20 + 8 + 8 + 8 + 4);
	assert_int_equal(word(data, 0), 6);
	assert_int_equal(word(data, 8), 3);
	assert_int_equal(word(data, 12), 0x12345678);
	assert_int_equal(word(data, 16), 0x9abcdef0);
	assert_int_equal(word(data, 20), 5);
	assert_int_equal(word(data, 24), 90);
	assert_memory_equal(data + 28, "abcd\0\0\0\0", 8);
	assert_int_equal(word(data, 36), 2 | 4 << 16);
	assert_int_equal(word(data, 40), 2);
	assert_int_equal(word(data, 44), 1 | 3 << 16);
	assert_memory_equal(data + 48, "why\0\0\0\0\0", 8);
	free(data);
}

static void a_file_has_its_blocks(void **state)
{
	char *data;
	size_t len;
	FILE *out = open_memstream(&data, &len);

	(void)state;
	pcapng_section(out, "x86_64", NULL, "turnpike");
	pcapng_interface(out, "eth0", 60);
	pcapng_statistics(out, 0, 1, 2, 10, 3);
	fclose(out);
	assert_int_equal(blocks_check(data, len), 3);
	assert_int_equal(word(data, 0), 0x0a0d0d0a);
	assert_int_equal(word(data, 8), 0x1a2b3c4d);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_have_their_options),
		cmocka_unit_test(a_file_has_its_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
