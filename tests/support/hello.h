// SPDX-License-Identifier: BSD-3-Clause
// Writes ClientHellos by the RFC's own order of fields, sharing nothing with their reader.
#pragma once

#include <turnpike/base.h>

struct hello {
	const char *name;	  // NULL: no server_name
	const char *protocols[4]; // of ALPN; none: no such extension
	size_t padding;		  // bytes of an extension without a meaning, before the others
};

// The message in records of at most `piece` bytes each. Returns the length of all.
size_t hello_records(uint8_t *out, const struct hello *h, size_t piece);
