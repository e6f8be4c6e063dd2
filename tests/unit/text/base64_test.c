// SPDX-License-Identifier: BSD-3-Clause
// Base64: the vectors of RFC 4648 10, bounds, and text that is none.
#include <text/base64.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void vectors(void **state)
{
	static const char *const rows[][2] = {{"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"},
		{"Zm9vYg==", "foob"}, {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"},
		{"Zm9vYmE", "fooba"}, {"Zm9vYg", "foob"}};
	uint8_t out[16];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i][1]);

		assert_int_equal(
			text_base64_read(rows[i][0], strlen(rows[i][0]), out, sizeof(out)), len);
		assert_memory_equal(out, rows[i][1], len);
		assert_int_equal(text_base64_read(rows[i][0], strlen(rows[i][0]), out, len), len);
		assert_int_equal(text_base64_read(rows[i][0], strlen(rows[i][0]), out, len - 1), 0);
	}
}

static void text_that_is_none(void **state)
{
	static const char *const bad[] = {
		"", "=", "==", "Z", "Zg=", "Zm9v=", "Zm9v Yg", "Zm-v", "Z===", "Zm9vY", "Zg==\n"};
	uint8_t out[16];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(text_base64_read(bad[i], strlen(bad[i]), out, sizeof(out)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(text_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
