// SPDX-License-Identifier: BSD-3-Clause
// Reads from a TLS ClientHello the name of the server and the protocols that the client asks for
// (RFC 8446 4.1.2, RFC 6066 3, RFC 7301 3.1), before any end of TLS is chosen for it. The message
// may be split over records (RFC 8446 5.1).
//
// No input, output, clock or allocation. One thread at a time.
#pragma once

#include <turnpike/base.h>

// Longest start of a connection that is looked at: records with their headers.
#define WIRE_HELLO_MAX	    16384u
#define WIRE_HELLO_NAME_MAX 255u

enum wire_hello_step {
	WIRE_HELLO_DONE,
	WIRE_HELLO_MORE, // the bytes are the start of a ClientHello; never at WIRE_HELLO_MAX bytes
	WIRE_HELLO_BAD,	 // none that can be read: the own end of TLS answers with its alert
};

enum wire_hello_protocol {
	WIRE_HELLO_TURN = 1,  // stun.turn or stun.nat-discovery (RFC 7443)
	WIRE_HELLO_HTTP1 = 2, // http/1.1
	WIRE_HELLO_OTHER = 4, // h2 and all else
};

struct wire_hello {
	// In lower case, without the dot at the end, terminated; "" without one. Bytes that no
	// host name has make it "?".
	char name[WIRE_HELLO_NAME_MAX + 1];
	unsigned protocols; // of enum wire_hello_protocol; 0: the client asks for none
	uint8_t message[WIRE_HELLO_MAX];
	size_t n_message;
};

// Reads at most WIRE_HELLO_MAX bytes, always from the first byte of the connection on.
enum wire_hello_step wire_hello_read(struct wire_hello *h, const uint8_t *bytes, size_t len);
