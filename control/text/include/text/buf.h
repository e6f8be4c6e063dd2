// SPDX-License-Identifier: BSD-3-Clause
// A bounded text buffer that never overflows, and the escaping of text that somebody else chose
// (user names, file contents) before it reaches a terminal or a log. One thread per buffer.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

// Always NUL-terminated. What does not fit is left out and truncated is set.
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

// Text between double quotes with JSON's escapes. Control characters, the controls of bidirectional
// text, line separators and invisible marks become \uXXXX; what is no UTF-8 becomes \ufffd. At most
// max octets of s are shown, then "...".
void text_buf_add_quoted(struct text_buf *b, const char *s, size_t len, size_t max);

// As it is where it is made of letters, digits and ._:/@+-[] only, else as text_buf_add_quoted.
void text_buf_add_word(struct text_buf *b, const char *s, size_t len, size_t max);

// Length in octets of the well-formed UTF-8 character at s (at most len octets), 0 if there is
// none; its code point in *code.
size_t text_utf8_next(const char *s, size_t len, unsigned long *code);

// True if all of s is well-formed UTF-8 without control characters.
bool text_is_printable(const char *s, size_t len);
