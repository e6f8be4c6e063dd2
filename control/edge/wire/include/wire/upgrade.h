// SPDX-License-Identifier: BSD-3-Clause
// Reads the HTTP/1.1 request that begins a WebSocket (RFC 6455 4.2) and writes the answer. No
// input, output, clock or allocation; any thread.
#pragma once

#include <turnpike/base.h>

#define WIRE_UPGRADE_MAX	8192u // longest request, its empty line included
#define WIRE_UPGRADE_ANSWER_MAX 256u
#define WIRE_UPGRADE_FIELD_MAX	255u

enum wire_upgrade_step {
	WIRE_UPGRADE_DONE, // `taken` bytes are the request
	WIRE_UPGRADE_MORE, // the bytes are the start of a request
	WIRE_UPGRADE_LONG, // a request longer than WIRE_UPGRADE_MAX
};

struct wire_upgrade {
	size_t taken;
	// 101: a WebSocket may begin; else the HTTP status with which it is refused: 400, or 426
	// for a request of something else, or of another version.
	unsigned status;
	bool is_websocket;		       // the request asks for one, well or badly
	char path[WIRE_UPGRADE_FIELD_MAX + 1]; // without its query; "": none, or too long
	bool has_origin;
	char origin[WIRE_UPGRADE_FIELD_MAX + 1]; // "": too long
	char key[25];				 // of 24 letters; ""
	bool speaks_turn;			 // the subprotocol `turn` is offered
};

enum wire_upgrade_step wire_upgrade_read(struct wire_upgrade *u, const uint8_t *bytes, size_t len);

// The answer with this status: 101 for the request `u`, or a refusal that ends the connection.
// Returns its length.
size_t wire_upgrade_answer(
	char out[WIRE_UPGRADE_ANSWER_MAX], const struct wire_upgrade *u, unsigned status);
