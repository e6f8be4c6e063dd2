// SPDX-License-Identifier: BSD-3-Clause
// Times of day in UTC, as people write them (RFC 3339 without fractions) and as Unix seconds.
#pragma once

#include <stdint.h>

// "2026-11-29T07:20:00Z", with its NUL.
#define TEXT_TIME_SIZE 32u

// Reads such a text, or a date alone, which begins at midnight. 0 or -EINVAL.
int text_time_parse(const char *s, uint64_t *unix_s);
// Returns buf, always terminated.
const char *text_time_format(uint64_t unix_s, char buf[TEXT_TIME_SIZE]);
