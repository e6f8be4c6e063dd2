// SPDX-License-Identifier: BSD-3-Clause
// Reads the frames of a WebSocket client (RFC 6455 5) and writes the headers of a server's. The
// payload of binary messages is one stream of bytes: neither frames nor messages have a meaning of
// their own.
//
// No input, output, clock or allocation. A reader belongs to one connection; one thread at a time.
#pragma once

#include <turnpike/base.h>

#define WIRE_WS_CONTROL_MAX 125u // payload of a ping, pong or close
#define WIRE_WS_HEADER_MAX  4u	 // of a frame that is written: up to 65,535 bytes follow
// Longest payload of a frame that is read. It is never kept: this bounds mistakes, not memory.
#define WIRE_WS_FRAME_MAX   (1u << 20)

enum wire_ws_opcode {
	WIRE_WS_CONTINUATION = 0,
	WIRE_WS_TEXT = 1,
	WIRE_WS_BINARY = 2,
	WIRE_WS_CLOSE = 8,
	WIRE_WS_PING = 9,
	WIRE_WS_PONG = 10,
};

enum wire_ws_step {
	WIRE_WS_STEP_DATA,    // `data` and `len`: payload of a binary message, without its mask
	WIRE_WS_STEP_CONTROL, // `control` and `n_control`: a whole ping, pong or close of `opcode`
	WIRE_WS_STEP_MORE,    // all bytes are read
	WIRE_WS_STEP_FAULT,   // `fault` is the code to close with (RFC 6455 7.4.1)
};

// Zero-initialise for a new connection.
struct wire_ws {
	uint8_t header[14];
	uint8_t n_header;  // bytes of the header that have come
	uint8_t opcode;	   // of the frame
	bool in_payload;   // the header is read
	bool in_message;   // a binary message has begun and not ended
	uint64_t left;	   // payload that is still to come
	uint32_t mask_at;  // bytes of payload that have come
	uint8_t n_control; // bytes of a control frame's payload that have come
	uint8_t control[WIRE_WS_CONTROL_MAX];
	uint16_t fault;
};

struct wire_ws_view {
	size_t at; // bytes read so far: 0 before the first step of a buffer
	uint8_t *data;
	size_t len;
};

// The next thing in `bytes`, from v->at on, which it moves. Takes the mask off in place.
enum wire_ws_step wire_ws_next(
	struct wire_ws *w, struct wire_ws_view *v, uint8_t *bytes, size_t len);

// The header of a whole frame without a mask. Returns its length: 2 or 4.
size_t wire_ws_header(uint8_t out[WIRE_WS_HEADER_MAX], enum wire_ws_opcode opcode, uint16_t len);
