// SPDX-License-Identifier: BSD-3-Clause
// Cuts a stream of bytes into STUN and ChannelData messages (RFC 8656 12.5, RFC 8489 6.2.2), and
// puts the padding behind a message that leaves by a stream.
//
// No input, output, clock or allocation. A framer belongs to one connection; one thread at a time.
#pragma once

#include <turnpike/base.h>

// Longest message that is handed on, without padding: the room of a ring's slot. Longer ones are
// skipped and counted; the connection lives on, as a datagram too long would be lost alone.
#define WIRE_MESSAGE_MAX 1984u
// Most bytes that a caller must keep until the rest of a message comes: a message with padding.
#define WIRE_PARTIAL_MAX (WIRE_MESSAGE_MAX + 3u)

// Why a stream can't be followed any further: X(name, description).
#define WIRE_FAULTS(X)                                                                             \
	X(first, "a message begins with neither STUN nor ChannelData")                             \
	X(long, "the first message is too long for one of STUN")                                   \
	X(length, "the length of a STUN message is not a multiple of 4")                           \
	X(cookie, "a STUN message without the magic cookie")

enum wire_fault {
	WIRE_FAULT_NONE,
#define WIRE_FAULT_ID(name, text) WIRE_FAULT_##name,
	WIRE_FAULTS(WIRE_FAULT_ID)
#undef WIRE_FAULT_ID
		WIRE_FAULT_COUNT
};

enum wire_step {
	WIRE_STEP_MESSAGE, // `data` and `len` are a whole message
	WIRE_STEP_MORE,	   // the bytes end within a message: keep those from `at`
	WIRE_STEP_FAULT,   // `fault` says why: close the connection. Never `long`: the caller's
};

// Zero-initialise for a new connection.
struct wire_framer {
	uint32_t skip;	   // bytes of a message too long that are still to come
	uint32_t oversize; // messages skipped so far
};

struct wire_frame {
	size_t at;	     // bytes read so far: 0 before the first step of a buffer
	const uint8_t *data; // in the caller's buffer, without padding
	size_t len;
	enum wire_fault fault;
};

// The next message of `bytes`, from f->at on, which it moves. After WIRE_STEP_MORE the caller keeps
// the bytes from f->at (at most WIRE_PARTIAL_MAX) and begins the next buffer with them, at 0.
enum wire_step wire_frame_next(
	struct wire_framer *s, struct wire_frame *f, const uint8_t *bytes, size_t len);

// Zero bytes that follow a message of `len` bytes on a stream: 0 to 3.
static inline size_t wire_padding(size_t len)
{
	return -len & 3u;
}

// "garbage_first" and the like, for counters and log lines; and a sentence for people.
const char *wire_fault_name(enum wire_fault fault);
const char *wire_fault_text(enum wire_fault fault);
