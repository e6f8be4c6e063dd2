// SPDX-License-Identifier: BSD-3-Clause
// Congestion marks in IP headers (RFC 3168 5).
#pragma once

#include <entry/wire.h>

#include <turnpike/base.h>

#define CORE_ECN_CE	  3u
#define CORE_ECN_SHIFT_V6 4u // of the field in the second byte

// Marks a packet of an ECN-capable transport, ECT(0) or ECT(1), and mends its header's checksum
// (RFC 1624 3). False: the packet says of itself that it knows no marks, or has one.
static inline bool core_ecn_mark(uint8_t *ip)
{
	unsigned shift = ip[0] >> 4 == 4 ? 0 : CORE_ECN_SHIFT_V6;
	unsigned ecn = ip[1] >> shift & CORE_ECN_CE, more = CORE_ECN_CE - ecn;
	uint32_t sum;

	if (ecn == 0 || more == 0)
		return false;
	ip[1] = (uint8_t)(ip[1] | CORE_ECN_CE << shift);
	if (shift != 0)
		return true;
	// The first word of the header has grown by `more`, so the checksum shrinks.
	sum = tp_load_be16(ip + WIRE_IPV4_CSUM) ^ 0xffffu;
	sum += more;
	sum = (sum & 0xffff) + (sum >> 16);
	tp_store_be16(ip + WIRE_IPV4_CSUM, (uint16_t)~sum);
	return true;
}
