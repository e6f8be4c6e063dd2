// SPDX-License-Identifier: BSD-3-Clause
// The one form of a transport address, in both processes and in the segment.
//
// IPv4-mapped IPv6 addresses (RFC 4291 2.5.5.2) are folded to IPv4 by every parser of wire formats
// and of texts, so that a different spelling cannot bypass a policy.
#pragma once

#include <turnpike/base.h>

// Values of tp_addr.family: those of the STUN address attributes (RFC 8489 14.1).
#define TP_FAMILY_NONE 0u
#define TP_FAMILY_IPV4 1u
#define TP_FAMILY_IPV6 2u

struct tp_addr {
	uint8_t ip[16];	  // wire order; IPv4 in the first 4 bytes, the other 12 zero
	uint16_t port_be; // wire order
	uint8_t family;	  // TP_FAMILY_*
	uint8_t reserved; // zero
};
TP_ASSERT_SIZE(struct tp_addr, 20);

static inline unsigned tp_family_ip_len(uint8_t family)
{
	return family == TP_FAMILY_IPV6 ? 16u : 4u;
}

// In words, so that it can be read in words at once.
static inline void tp_addr_ipv4_set(struct tp_addr *a, uint32_t ip, uint16_t port)
{
	uint32_t ip_be = tp_htonl(ip);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	const uint64_t words[2] = {ip_be, 0};
	const uint32_t rest = tp_htons(port) | TP_FAMILY_IPV4 << 16;
#else
	const uint64_t words[2] = {(uint64_t)ip_be << 32, 0};
	const uint32_t rest = (uint32_t)port << 16 | TP_FAMILY_IPV4 << 8;
#endif

	memcpy(a->ip, &words[0], 8);
	memcpy(a->ip + 8, &words[1], 8);
	memcpy(&a->port_be, &rest, sizeof(rest));
}

static inline struct tp_addr tp_addr_ipv4(uint32_t ip, uint16_t port)
{
	struct tp_addr a = {.port_be = tp_htons(port), .family = TP_FAMILY_IPV4};

	tp_store_be32(a.ip, ip);
	return a;
}

// Builds an IPv6 address from 16 bytes; an IPv4-mapped one becomes IPv4.
static inline struct tp_addr tp_addr_ipv6(const uint8_t ip[16], uint16_t port)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	struct tp_addr a = {.port_be = tp_htons(port), .family = TP_FAMILY_IPV6};

	if (memcmp(ip, mapped, sizeof(mapped)) == 0) {
		a.family = TP_FAMILY_IPV4;
		memcpy(a.ip, ip + 12, 4);
	} else {
		memcpy(a.ip, ip, 16);
	}
	return a;
}

static inline uint16_t tp_addr_port(const struct tp_addr *a)
{
	return tp_ntohs(a->port_be);
}

static inline bool tp_addr_same_ip(const struct tp_addr *a, const struct tp_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static inline bool tp_addr_equal(const struct tp_addr *a, const struct tp_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}
