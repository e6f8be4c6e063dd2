// SPDX-License-Identifier: BSD-3-Clause
// The OpaqueString profile (RFC 8265 4.2) of user names, realms and passwords (RFC
// 8489 14.3, 9.2.2, 14.9): spaces of other scripts become U+0020, the text gets normalization form
// C, and characters outside the FreeformClass (RFC 8264 4.3, with the contextual rules of RFC 5892
// A) are refused.
//
// Pure functions: any thread. Texts are UTF-8, without a NUL at their end.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Longest text, in bytes, before and after.
#define PRECIS_MAX 4096u

enum precis_fault {
	PRECIS_GOOD,
	PRECIS_EMPTY,
	PRECIS_NOT_UTF8,
	PRECIS_TOO_LONG,
	PRECIS_PROHIBITED, // `character` names it
	PRECIS_NO_MEMORY,
};

struct precis_text {
	char bytes[PRECIS_MAX];
	size_t len;
	uint32_t character; // PRECIS_PROHIBITED: the first one
};

// Prepares and enforces. With a fault `out` holds no text; where the text is a secret the caller
// wipes it, and nothing else of it stays in memory.
enum precis_fault precis_opaque(const char *s, size_t len, struct precis_text *out);
