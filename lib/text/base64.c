// SPDX-License-Identifier: BSD-3-Clause
#include <text/base64.h>

#include <string.h>

// The value of a digit; -1: none.
static int digit_of(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

size_t text_base64_read(const char *s, size_t whole, uint8_t *out, size_t max)
{
	size_t len = whole, n = 0;
	uint32_t bits = 0;
	unsigned n_bits = 0;

	while (len > 0 && whole - len < 2 && s[len - 1] == '=')
		len--;
	if (whole % 4 != 0 && len != whole)
		return 0;
	for (size_t i = 0; i < len; i++) {
		int digit = digit_of(s[i]);

		if (digit < 0)
			return 0;
		bits = bits << 6 | (uint32_t)digit;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		if (n == max)
			return 0;
		out[n++] = (uint8_t)(bits >> n_bits);
	}
	return len % 4 == 1 ? 0 : n;
}
