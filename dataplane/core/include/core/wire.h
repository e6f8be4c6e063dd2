// SPDX-License-Identifier: BSD-3-Clause
// Offsets and numbers of Ethernet, IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768) and ICMP.
#pragma once

#include <core/template.h>

#define CORE_ETH_LEN	      14u
#define CORE_ETH_DST	      0u
#define CORE_ETH_SRC	      6u
#define CORE_ETH_TYPE	      12u
#define CORE_ETHERTYPE_IPV4   0x0800u
#define CORE_ETHERTYPE_IPV6   0x86ddu

#define CORE_PROTO_ICMP	      1u
#define CORE_PROTO_UDP	      17u
#define CORE_PROTO_ICMPV6     58u
#define CORE_NEXT_FRAGMENT    44u

#define CORE_IPV4_TOS	      1u
#define CORE_IPV4_TOTAL_LEN   2u
#define CORE_IPV4_ID	      4u
#define CORE_IPV4_FRAG	      6u
#define CORE_IPV4_TTL	      8u
#define CORE_IPV4_PROTO	      9u
#define CORE_IPV4_CSUM	      10u
#define CORE_IPV4_SRC	      12u
#define CORE_IPV4_DST	      16u
#define CORE_IPV4_DF	      0x4000u
#define CORE_IPV4_FRAG_MASK   0x3fffu // more fragments, and the offset

#define CORE_IPV6_PAYLOAD_LEN 4u
#define CORE_IPV6_NEXT	      6u
#define CORE_IPV6_HOP_LIMIT   7u
#define CORE_IPV6_SRC	      8u
#define CORE_IPV6_DST	      24u

#define CORE_UDP_SPORT	      0u
#define CORE_UDP_DPORT	      2u
#define CORE_UDP_LEN	      4u
#define CORE_UDP_CSUM	      6u
