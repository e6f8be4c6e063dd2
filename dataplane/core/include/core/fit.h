// SPDX-License-Identifier: BSD-3-Clause
// Whether a packet that leaves fits, may leave in fragments, or must be refused (RFC 8656 13 and
// 14, RFC 1122, RFC 7915).
#pragma once

#include <core/packet.h>

// Bytes of the longest IP packet that is handled: its frame's length has 16 bits.
#define CORE_IP_LEN_MAX (UINT16_MAX - 14u)

// Bytes behind the header of an IPv6 packet of 1,280.
#define CORE_L4_SHORT	1240u

enum core_fit {
	CORE_FIT_SEND,	   // as it is
	CORE_FIT_FRAGMENT, // in fragments of at most `mtu` bytes: <core/cut.h>
	CORE_FIT_TOO_BIG,  // not at all: the sender must send less
};

// Whether the packet that `p` becomes may leave in fragments. It may where the sender let the
// network fragment its own: it came in fragments, or over IPv4 without DF. One of IPv6 that is as
// short as every way takes could not be shorter: its sender ignores a smaller MTU (RFC 8201 4).
// `v4`: it leaves by IPv4. `dont_fragment`: the client asked for DF, which counts between two ends
// of IPv4 only.
static inline bool core_may_fragment(const struct core_packet *p, bool v4, bool dont_fragment)
{
	if (p->family == TP_FAMILY_IPV4 && v4 && dont_fragment)
		return false;
	return p->fragmented || (p->family == TP_FAMILY_IPV4 ? !p->df : p->l4_len <= CORE_L4_SHORT);
}

// `len`: bytes of the IP packet that leaves. `mtu`: of the port, or of the path where less is known
// to pass.
static inline enum core_fit core_fit(uint32_t len, uint32_t mtu, bool may_fragment)
{
	if (len <= mtu)
		return CORE_FIT_SEND;
	return may_fragment && len <= CORE_IP_LEN_MAX ? CORE_FIT_FRAGMENT : CORE_FIT_TOO_BIG;
}
