// SPDX-License-Identifier: BSD-3-Clause
// Offsets and numbers of Ethernet, IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768) and ICMP.
#pragma once

#include <entry/template.h>

#define WIRE_ETH_LEN		 14u
#define WIRE_ETH_DST		 0u
#define WIRE_ETH_SRC		 6u
#define WIRE_ETH_TYPE		 12u
#define WIRE_ETHERTYPE_IPV4	 0x0800u
#define WIRE_ETHERTYPE_IPV6	 0x86ddu

#define WIRE_PROTO_ICMP		 1u
#define WIRE_PROTO_UDP		 17u
#define WIRE_PROTO_ICMPV6	 58u
#define WIRE_NEXT_FRAGMENT	 44u

#define WIRE_IPV4_TOS		 1u
#define WIRE_IPV4_TOTAL_LEN	 2u
#define WIRE_IPV4_ID		 4u
#define WIRE_IPV4_FRAG		 6u
#define WIRE_IPV4_TTL		 8u
#define WIRE_IPV4_PROTO		 9u
#define WIRE_IPV4_CSUM		 10u
#define WIRE_IPV4_SRC		 12u
#define WIRE_IPV4_DST		 16u
#define WIRE_IPV4_DF		 0x4000u
#define WIRE_IPV4_MORE_FRAGMENTS 0x2000u
#define WIRE_IPV4_FRAG_MASK	 0x3fffu // more fragments, and the offset

#define WIRE_IPV6_PAYLOAD_LEN	 4u
#define WIRE_IPV6_NEXT		 6u
#define WIRE_IPV6_HOP_LIMIT	 7u
#define WIRE_IPV4_OFFSET_MASK	 0x1fffu
#define WIRE_IPV6_OFFSET_MASK	 0xfff8u
#define WIRE_IPV6_FRAG_MASK	 0xfff9u // of a fragment header: offset, more fragments
#define WIRE_FRAGMENT_LEN	 8u
#define WIRE_IPV6_SRC		 8u
#define WIRE_IPV6_DST		 24u

#define WIRE_UDP_SPORT		 0u
#define WIRE_UDP_DPORT		 2u
#define WIRE_UDP_LEN		 4u
#define WIRE_UDP_CSUM		 6u
