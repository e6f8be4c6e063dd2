// SPDX-License-Identifier: BSD-3-Clause
// Cuts an IP packet that leaves into fragments (RFC 791 3.2, RFC 8200 4.5).
#pragma once

#include <turnpike/base.h>

// Bytes of an IPv6 fragment at most, with any MTU (RFC 8656 13.2, RFC 7915 4).
#define CORE_CUT_IPV6_MAX 1280u

// A packet that is cut, and how far.
struct core_cut {
	const uint8_t *frame; // Ethernet header and the whole packet; the caller's
	uint32_t header_len;  // of Ethernet and IP
	uint32_t len;	      // bytes behind the headers
	uint32_t room;	      // of those in a fragment; a multiple of eight
	uint32_t at;	      // cut off so far
	uint32_t id;	      // IPv6
};

// Begins. frame[0..len): Ethernet and a plain packet of ours of IPv4, without DF, or of IPv6.
// `mtu`: bytes of the longest IP packet. `id`: of the IPv6 fragments, hard to guess (RFC 7739).
// Returns the number of fragments, 0 where the MTU leaves no room for a payload.
unsigned core_cut_begin(
	struct core_cut *c, const uint8_t *frame, uint32_t len, uint32_t mtu, uint32_t id);

// Bytes of the longest frame that core_cut_next writes.
uint32_t core_cut_frame_max(const struct core_cut *c);

// Writes the next fragment's frame to to[0..core_cut_frame_max) and returns its length; 0: there
// are no more.
uint32_t core_cut_next(struct core_cut *c, uint8_t *to);
