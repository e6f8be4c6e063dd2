// SPDX-License-Identifier: BSD-3-Clause
// Reads the header of the PROXY protocol, versions 1 and 2, that a proxy sends ahead of a
// connection, and writes that of version 2. The header is mandatory where it is expected. No input
// or output; any thread.
#pragma once

#include <turnpike/addr.h>

// Longest header of version 1, its end of line included, and of version 2 with its extensions.
#define WIRE_PROXY_V1_MAX 107u
#define WIRE_PROXY_V2_MAX 1024u

enum wire_proxy_step {
	WIRE_PROXY_DONE, // `taken` bytes are the header
	WIRE_PROXY_MORE, // the bytes are the start of a header
	WIRE_PROXY_BAD,	 // no header: close the connection
};

struct wire_proxy {
	size_t taken;
	bool local; // the proxy speaks for itself (a health check), or knows no address
	// Source that the proxy saw; family TP_FAMILY_NONE if `local`. The destination in the
	// header is read and never used: it selects nothing.
	struct tp_addr source;
};

enum wire_proxy_step wire_proxy_read(struct wire_proxy *p, const uint8_t *bytes, size_t len);

// Longest header that is written.
#define WIRE_PROXY_WRITE_MAX 52u

// A header of version 2: the client and the address to which it came. Returns its length.
size_t wire_proxy_write(uint8_t out[WIRE_PROXY_WRITE_MAX], const struct tp_addr *source,
	const struct tp_addr *destination);
