// SPDX-License-Identifier: BSD-3-Clause
// Base64 (RFC 4648 4), as keys are written. Pure functions: any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Reads `len` characters, with or without "=" at their end. Returns the number of bytes, at most
// `max`; 0 for text that is none, or of more: `out` may hold a part of it then.
size_t text_base64_read(const char *s, size_t len, uint8_t *out, size_t max);
