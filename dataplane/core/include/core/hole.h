// SPDX-License-Identifier: BSD-3-Clause
// A leg that swallows long packets without a word: nothing tells their sender, who repeats them and
// waits longer each time (DTLS flights, SCTP, STUN). Seen by lengths and times alone, as the
// payload is encrypted.
#pragma once

#include <turnpike/base.h>

// The longest packet that every way takes, on which such a leg falls back (RFC 8200 5).
#define CORE_HOLE_MTU	  1280u
// Repetitions after which the leg is one.
#define CORE_HOLE_REPEATS 3u

// One leg's longest packets. Zeroed: nothing was seen.
struct core_hole {
	uint64_t others;  // other packets of the flow when the length was first seen
	uint32_t last_ms; // when the length was last sent; wraps
	uint32_t wait_ms; // between the last two flights
	uint16_t len;
	uint8_t repeats; // flights with the length that came after a longer wait than the one
			 // before
	uint8_t passed;	 // packets since that were no repetition
};

// One more packet of `len` bytes, longer than CORE_HOLE_MTU. `others`: so far, of the flow's other
// packets, both ways. True: it has been repeated with growing waits while others passed.
bool core_hole_step(struct core_hole *h, uint32_t len, uint32_t now_ms, uint64_t others);
