// SPDX-License-Identifier: BSD-3-Clause
// A bounded text buffer that never overflows, and the escaping of text that somebody else chose
// (user names, file contents) before it reaches a terminal or a log. One thread per buffer.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Always NUL-terminated. Text that does not fit is cut off, and truncated is set.
struct text_buf {
	char *data; // the caller's
	size_t size;
	size_t len; // without the NUL
	bool truncated;
};

void text_buf_init(struct text_buf *b, char *data, size_t size);

void text_buf_add(struct text_buf *b, const char *s);
void text_buf_addf(struct text_buf *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

// The number in that base, 2 to 16 with small letters, with zeros in front up to `width` digits. A
// log line has a dozen of them, and printf takes several times as long.
void text_buf_add_number(struct text_buf *b, uint64_t number, unsigned base, unsigned width);

// Text between double quotes with JSON's escapes. Control characters, the controls of bidirectional
// text, line separators and invisible marks become \uXXXX; invalid UTF-8 becomes \ufffd. At most
// max bytes of s are shown, then "...".
void text_buf_add_quoted(struct text_buf *b, const char *s, size_t len, size_t max);

// As it is where it is made of letters, digits and ._:/@+-[] only, else as text_buf_add_quoted.
void text_buf_add_word(struct text_buf *b, const char *s, size_t len, size_t max);

// Length in bytes of the well-formed UTF-8 character at s (at most len bytes), 0 if there is
// none; its code point in *code.
size_t text_utf8_next(const char *s, size_t len, unsigned long *code);

// True if all of s is well-formed UTF-8 without control characters.
bool text_is_printable(const char *s, size_t len);
