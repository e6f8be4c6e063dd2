// SPDX-License-Identifier: BSD-3-Clause
#include <text/buf.h>

#include <stdio.h>
#include <string.h>

void text_buf_init(struct text_buf *b, char *data, size_t size)
{
	*b = (struct text_buf){.data = data, .size = size};
	if (size > 0)
		data[0] = '\0';
}

static void add_n(struct text_buf *b, const char *s, size_t n)
{
	// All or nothing: a cut escape or half a character would be another text.
	if (b->size == 0 || n > b->size - 1 - b->len) {
		b->truncated = true;
		return;
	}
	memcpy(b->data + b->len, s, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void text_buf_add(struct text_buf *b, const char *s)
{
	add_n(b, s, strlen(s));
}

void text_buf_addf(struct text_buf *b, const char *format, ...)
{
	size_t room = b->size - b->len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(b->data + b->len, room, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room) {
		b->truncated = true;
		if (room > 0)
			b->data[b->len] = '\0';
		return;
	}
	b->len += (size_t)n;
}

void text_buf_add_number(struct text_buf *b, uint64_t number, unsigned base, unsigned width)
{
	char digits[64];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number > 0);
	while (at > 0 && sizeof(digits) - at < width)
		digits[--at] = '0';
	add_n(b, digits + at, sizeof(digits) - at);
}

size_t text_utf8_next(const char *s, size_t len, unsigned long *code)
{
	static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *u = (const uint8_t *)s;
	unsigned long c;
	size_t n;

	if (len == 0)
		return 0;
	if (u[0] < 0x80) {
		*code = u[0];
		return 1;
	}
	n = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
	if (u[0] < 0xc2 || u[0] > 0xf4 || n > len)
		return 0;
	c = u[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return n;
}

// Characters that move, hide or break the text around them (Unicode categories Cc, Cf, Zl, Zp as
// far as terminals act on them, and non-characters).
static bool is_unsafe(unsigned long c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
	       (c & 0xfffe) == 0xfffe || c >= 0xe0000;
}

static void add_escape(struct text_buf *b, unsigned long c)
{
	if (c == '\n')
		text_buf_add(b, "\\n");
	else if (c == '\t')
		text_buf_add(b, "\\t");
	else if (c == '\r')
		text_buf_add(b, "\\r");
	else if (c < 0x10000)
		text_buf_addf(b, "\\u%04lx", c);
	else
		text_buf_addf(b, "\\u%04lx\\u%04lx", 0xd800 + ((c - 0x10000) >> 10),
			0xdc00 + ((c - 0x10000) & 0x3ff));
}

void text_buf_add_quoted(struct text_buf *b, const char *s, size_t len, size_t max)
{
	size_t i = 0;

	text_buf_add(b, "\"");
	while (i < len && i < max && !b->truncated) {
		unsigned long c = 0xfffd;
		size_t n = text_utf8_next(s + i, len - i, &c);

		if (n == 0 || is_unsafe(c)) {
			add_escape(b, c);
		} else if (c == '"' || c == '\\') {
			text_buf_add(b, "\\");
			add_n(b, s + i, 1);
		} else {
			add_n(b, s + i, n);
		}
		i += n == 0 ? 1 : n;
	}
	text_buf_add(b, i < len ? "...\"" : "\"");
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == ':' || c == '/' || c == '@' || c == '+' || c == '-' ||
	       c == '[' || c == ']';
}

void text_buf_add_word(struct text_buf *b, const char *s, size_t len, size_t max)
{
	size_t plain = 0;

	while (plain < len && is_plain(s[plain]))
		plain++;
	if (len == 0 || len > max || plain < len)
		text_buf_add_quoted(b, s, len, max);
	else
		add_n(b, s, len);
}

bool text_is_printable(const char *s, size_t len)
{
	unsigned long c = 0;

	for (size_t i = 0; i < len;) {
		size_t n = text_utf8_next(s + i, len - i, &c);

		if (n == 0 || is_unsafe(c))
			return false;
		i += n;
	}
	return true;
}
