// SPDX-License-Identifier: BSD-3-Clause
// A received frame as its link, IP and UDP headers describe it.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/drop.h>

enum core_kind {
	CORE_OTHER,    // ARP, VLAN, TCP, anything that is not below: the kernel's
	CORE_BROKEN,   // not even addresses could be read; `fault` is the reason
	CORE_UDP,      // one whole UDP datagram
	CORE_FRAGMENT, // a fragment of a UDP datagram
	CORE_ICMP,     // ICMP over IPv4 or ICMPv6 over IPv6
};

// As they stand in the header, so that they are copied at once.
struct core_ports {
	uint16_t src_be;
	uint16_t dst_be;
};

struct core_packet {
	// The memory a rewrite may use; set by the caller of core_parse.
	uint8_t *low;  // first writable byte, at or in front of the frame
	uint8_t *high; // behind the last writable byte, at or behind the frame's end

	// Into the frame:
	const uint8_t *src_ip; // set unless OTHER or BROKEN
	const uint8_t *dst_ip;
	uint8_t *l4; // UDP or ICMP header. UDP without fault: at least 8 bytes and the payload

	struct core_ports ports; // UDP, when has_ports
	uint32_t l4_len;	 // bytes of it; UDP without fault: header and payload
	uint32_t l4_len_be;	 // UDP without fault: the same as stored
	uint32_t csum;		 // UDP: as stored
	uint32_t tos;		 // TOS or traffic class
	uint32_t ttl;		 // TTL or hop limit
	uint8_t kind;		 // enum core_kind
	uint8_t fault;	// enum tp_drop: why it must not be forwarded, if it turns out to be ours
	uint8_t family; // TP_FAMILY_*
	bool df;	// IPv4: don't fragment
	bool has_ports; // UDP: the ports could be read
	// IPv6: a fragment header stands in between, of a packet that is whole (RFC 6946).
	bool atomic;
	// It was put together from fragments; set by the caller of core_parse.
	bool fragmented;
};

// Fills in all but low and high. Reads frame[0..len) only. A datagram that is malformed still gets
// its kind, addresses and (if they are there) ports, so that the caller knows whether it is
// ours. UDP checksums are not verified, but for the zero that IPv6 forbids (RFC 8200 8.1).
void core_parse(struct core_packet *p, uint8_t *frame, size_t len);

// The transport addresses, as they stand in the packet: IPv4-mapped ones are not folded.
static inline struct tp_addr core_packet_addr(
	const struct core_packet *p, const uint8_t *ip, uint16_t port_be)
{
	struct tp_addr a = {.port_be = port_be, .family = p->family};

	memcpy(a.ip, ip, tp_family_ip_len(p->family));
	return a;
}

static inline uint8_t *core_packet_payload(const struct core_packet *p)
{
	return p->l4 + 8;
}

// Bytes of the UDP payload; UDP without fault.
static inline uint32_t core_packet_payload_len(const struct core_packet *p)
{
	return p->l4_len - 8;
}

// Whether the UDP checksum is right; reads the whole payload.
bool core_packet_csum_right(const struct core_packet *p);

// Whether no host may send from this address: unspecified, loopback, multicast, broadcast, IPv4
// class E, IPv4-mapped IPv6 on the wire (RFC 1122 3.2.1.3, RFC 6890).
bool core_source_bad_ipv6(const uint8_t *ip);

static inline bool core_source_bad(uint8_t family, const uint8_t *ip)
{
	if (family == TP_FAMILY_IPV4)
		return ip[0] == 0 || ip[0] == 127 || ip[0] >= 224;
	return core_source_bad_ipv6(ip);
}
