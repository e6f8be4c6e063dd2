// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors (RFC 792 and 1191, RFC 4443): those that quote a datagram of ours, and the one that
// the sender of a packet too long for its way is told.
#pragma once

#include <core/packet.h>

#define WIRE_ICMP_LEN		8u
#define WIRE_ICMP_TYPE		0u
#define WIRE_ICMP_CODE		1u
#define WIRE_ICMP_CSUM		2u
// MTU: ICMPv6 all four bytes, ICMP the last two.
#define WIRE_ICMP_REST		4u
// Types, and a code.
#define WIRE_ICMP_UNREACHABLE	3u
#define WIRE_ICMP_TOO_BIG	4u
#define WIRE_ICMP_EXCEEDED	11u
#define WIRE_ICMPV6_UNREACHABLE 1u
#define WIRE_ICMPV6_TOO_BIG	2u
#define WIRE_ICMPV6_EXCEEDED	3u

// Bytes that such an error needs in front of the frame it quotes: of IPv6 and ICMPv6.
#define CORE_ICMP_FRONT		48u
// The shortest MTU that a sender is told: RFC 8201 4, RFC 791.
#define CORE_MTU_MIN_IPV6	1280u
#define CORE_MTU_MIN_IPV4	68u
// The shortest MTU of a leg that is believed: RFC 8201 4; any host takes that much (RFC
// 1122 3.3.2).
#define CORE_LEG_MIN_IPV6	1280u
#define CORE_LEG_MIN_IPV4	576u
// The longest error: RFC 1812 4.3.2.3, RFC 4443 2.4.
#define CORE_ICMP_MAX_IPV4	576u
#define CORE_ICMP_MAX_IPV6	1280u

// A packet that came, as far as its length counts, and the way that it cannot take. Bytes.
struct core_misfit {
	uint32_t in_ip_len;  // IP header that came
	uint32_t wrapped;    // of the UDP payload that came, all but the data and its padding
	uint32_t out_ip_len; // IP header that would leave
	uint32_t front;	     // between the UDP header and the data when it leaves
	uint32_t leg_mtu;    // longest IP packet that the way takes
	bool padded; // data is filled up to a multiple of four, on arrival or when it leaves
};

// Returns the longest IP packet whose data, sent likewise, would fit; 0: none would.
uint32_t core_misfit_mtu(const struct core_misfit *m);

// Turns the frame into the error about itself, from the address it was sent to, back to its sender
// and with the Ethernet header that leads there. `in`: its description; `mtu`: the sender's, at
// least CORE_MTU_MIN_*. There are CORE_ICMP_FRONT bytes in front of the frame. Returns where the
// error begins; *len: bytes of it.
uint8_t *core_icmp_too_big(
	const struct core_packet *in, uint8_t *frame, size_t frame_len, uint32_t mtu, size_t *len);

// An error about a UDP datagram that has left this host.
struct core_quote {
	struct tp_addr src; // of the datagram: its transport addresses
	struct tp_addr dst;
	uint32_t len; // bytes of the IP packet, as its header says
	uint32_t
		value; // the MTU where the error is about one, else 0: Error Data of RFC 8656 18.13
	uint32_t leg_mtu; // the longest IP packet that the way takes by it, CORE_LEG_MIN_* at least
			  // and less than len; 0: nothing is learnt
	int16_t first;	  // byte of the UDP payload; -1: it is not quoted
	uint8_t type;
	uint8_t code;
	bool relayed; // of a type that clients are told of (RFC 8656 11.5)
};

// Reads the quote. False: the packet is no ICMP error, or quotes no UDP datagram from its
// beginning; it is the kernel's.
bool core_quote_read(const struct core_packet *p, struct core_quote *q);

// Whether error and quote can be true: the checksum is right, the quote's lengths go together, and
// what was too long was longer than what would not be.
bool core_quote_plausible(const struct core_packet *p, const struct core_quote *q);
