// SPDX-License-Identifier: BSD-3-Clause
// A request of HTTP and frames of a WebSocket. The first byte says in which pieces the frames
// arrive: payload, control frames and faults are the same as in one piece.
#include <wire/upgrade.h>
#include <wire/websocket.h>

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	uint64_t sum; // of payload and control frames
	uint64_t n;
	unsigned fault;
};

static void require(bool ok, const char *text)
{
	if (ok)
		return;
	fprintf(stderr, "wire_web: %s\n", text);
	abort();
}

static void bytes_note(struct outcome *o, const uint8_t *bytes, size_t len)
{
	o->n += len;
	for (size_t i = 0; i < len; i++)
		o->sum = o->sum * 31 + bytes[i];
}

static void piece_read(struct outcome *o, struct wire_ws *w, uint8_t *bytes, size_t len)
{
	struct wire_ws_view v = {.at = 0};

	while (o->fault == 0) {
		size_t before = v.at;
		enum wire_ws_step step = wire_ws_next(w, &v, bytes, len);

		require(v.at >= before && v.at <= len, "the place in the bytes");
		if (step == WIRE_WS_STEP_MORE) {
			require(v.at == len, "bytes are left");
			return;
		}
		if (step == WIRE_WS_STEP_FAULT) {
			o->fault = w->fault;
			require(o->fault != 0, "a fault without a code");
		} else if (step == WIRE_WS_STEP_CONTROL) {
			require(w->n_control <= WIRE_WS_CONTROL_MAX, "a control frame too long");
			bytes_note(o, &w->opcode, 1);
			bytes_note(o, w->control, w->n_control);
		} else {
			require(v.len > 0 && v.data >= bytes + before &&
					v.data + v.len == bytes + v.at,
				"payload outside the bytes");
			bytes_note(o, v.data, v.len);
		}
	}
}

// Bytes behind a piece must not be read, so each piece has memory of its own.
static struct outcome frames_read(const uint8_t *data, size_t size, size_t piece)
{
	struct wire_ws w = {.fault = 0};
	struct outcome o = {.n = 0};

	for (size_t at = 0; at < size && o.fault == 0; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		uint8_t *bytes = malloc(n);

		if (bytes == NULL)
			abort();
		memcpy(bytes, data + at, n);
		piece_read(&o, &w, bytes, n);
		free(bytes);
	}
	return o;
}

static void request_check(const uint8_t *data, size_t size)
{
	char out[WIRE_UPGRADE_ANSWER_MAX];
	struct wire_upgrade u, part;
	enum wire_upgrade_step step = wire_upgrade_read(&u, data, size);

	require(step != WIRE_UPGRADE_MORE || size < WIRE_UPGRADE_MAX, "a request without an end");
	if (step != WIRE_UPGRADE_DONE)
		return;
	require(u.taken <= size, "a request longer than the bytes");
	require(wire_upgrade_read(&part, data, u.taken - 1) == WIRE_UPGRADE_MORE,
		"a part of the request is enough");
	require(wire_upgrade_read(&part, data, u.taken) == WIRE_UPGRADE_DONE &&
			part.status == u.status,
		"bytes behind the request count");
	require(u.status != 101 || (u.is_websocket && strlen(u.key) == 24), "a key");
	require(wire_upgrade_answer(out, &u, u.status) < sizeof(out), "an answer too long");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome a, b;

	if (size < 2)
		return 0;
	request_check(data + 1, size - 1);
	a = frames_read(data + 1, size - 1, size);
	b = frames_read(data + 1, size - 1, 1u + data[0]);
	require(a.fault == b.fault && a.n == b.n && a.sum == b.sum, "pieces change the payload");
	return 0;
}
