// SPDX-License-Identifier: BSD-3-Clause
// Tells the protocol of a connection from its first bytes. No input or output; any thread.
#pragma once

#include <turnpike/base.h>

enum wire_first {
	WIRE_FIRST_MORE,  // not enough bytes to tell
	WIRE_FIRST_PLAIN, // STUN: nothing else can come first
	WIRE_FIRST_TLS,	  // a handshake record of TLS (RFC 8446 5.1)
	WIRE_FIRST_HTTP,  // the method of a request of HTTP/1
	WIRE_FIRST_ALIEN, // none of them
};

// At most 2 bytes are looked at.
static inline enum wire_first wire_first_of(const uint8_t *p, size_t len)
{
	if (len == 0)
		return WIRE_FIRST_MORE;
	// ContentType handshake, then the legacy version 3.x. A STUN message of a type 0x16xx has a
	// method that nobody has; its bytes would still fail at the version.
	if (p[0] == 0x16)
		return len < 2 ? WIRE_FIRST_MORE : p[1] == 3 ? WIRE_FIRST_TLS : WIRE_FIRST_ALIEN;
	if (p[0] >= 'A' && p[0] <= 'Z')
		return WIRE_FIRST_HTTP;
	return (p[0] & 0xc0) == 0 ? WIRE_FIRST_PLAIN : WIRE_FIRST_ALIEN;
}
