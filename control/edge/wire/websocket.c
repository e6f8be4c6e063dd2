// SPDX-License-Identifier: BSD-3-Clause
#include <wire/websocket.h>

#define FIN	       0x80u
#define MASKED	       0x80u

#define CLOSE_PROTOCOL 1002u
#define CLOSE_TYPE     1003u
#define CLOSE_LENGTH   1009u

static bool is_control(uint8_t opcode)
{
	return (opcode & 8) != 0;
}

// Bytes of the header, as far as the first two tell.
static size_t header_len(const struct wire_ws *w)
{
	uint8_t code = w->header[1] & 0x7f;

	return w->n_header < 2 ? 2 : 6u + (code == 126 ? 2u : code == 127 ? 8u : 0u);
}

static uint64_t payload_len(const struct wire_ws *w)
{
	uint8_t code = w->header[1] & 0x7f;

	if (code < 126)
		return code;
	if (code == 126)
		return tp_load_be16(w->header + 2);
	return (uint64_t)tp_load_be32(w->header + 2) << 32 | tp_load_be32(w->header + 6);
}

static uint16_t opcode_fault(const struct wire_ws *w, uint8_t opcode, bool fin)
{
	switch (opcode) {
	case WIRE_WS_CONTINUATION:
		return w->in_message ? 0 : CLOSE_PROTOCOL;
	case WIRE_WS_BINARY:
		return w->in_message ? CLOSE_PROTOCOL : 0;
	case WIRE_WS_TEXT:
		return CLOSE_TYPE;
	case WIRE_WS_CLOSE:
	case WIRE_WS_PING:
	case WIRE_WS_PONG:
		return fin ? 0 : CLOSE_PROTOCOL;
	default:
		return CLOSE_PROTOCOL;
	}
}

// The length has to be in its shortest form (RFC 6455 5.2).
static uint16_t length_fault(const struct wire_ws *w, uint64_t len)
{
	uint8_t code = w->header[1] & 0x7f;

	if ((code == 126 && len < 126) || (code == 127 && len <= UINT16_MAX))
		return CLOSE_PROTOCOL;
	if (is_control(w->opcode) && len > WIRE_WS_CONTROL_MAX)
		return CLOSE_PROTOCOL;
	return len > WIRE_WS_FRAME_MAX ? CLOSE_LENGTH : 0;
}

// The header is whole. False: w->fault says why.
static bool header_read(struct wire_ws *w)
{
	bool fin = (w->header[0] & FIN) != 0;

	w->opcode = w->header[0] & 15;
	w->left = payload_len(w);
	w->fault = (w->header[0] & 0x70) != 0 || (w->header[1] & MASKED) == 0
			   ? CLOSE_PROTOCOL
			   : opcode_fault(w, w->opcode, fin);
	if (w->fault == 0)
		w->fault = length_fault(w, w->left);
	if (w->fault != 0)
		return false;
	if (!is_control(w->opcode))
		w->in_message = !fin;
	w->in_payload = true;
	w->mask_at = 0;
	w->n_control = 0;
	return true;
}

// A close has no payload, or a code that an endpoint may send (RFC 6455 5.5.1, 7.4).
static uint16_t close_fault(const struct wire_ws *w)
{
	unsigned code = w->n_control < 2 ? 0 : tp_load_be16(w->control);
	bool good = w->n_control == 0 || (code >= 1000 && code <= 1003) ||
		    (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);

	return good ? 0 : CLOSE_PROTOCOL;
}

static bool header_take(struct wire_ws *w, struct wire_ws_view *v, const uint8_t *bytes, size_t len)
{
	while (v->at < len && w->n_header < header_len(w))
		w->header[w->n_header++] = bytes[v->at++];
	return w->n_header == header_len(w);
}

static void payload_take(struct wire_ws *w, struct wire_ws_view *v, uint8_t *bytes, size_t len)
{
	const uint8_t *mask = w->header + w->n_header - 4;

	v->data = bytes + v->at;
	v->len = len - v->at < w->left ? len - v->at : (size_t)w->left;
	for (size_t i = 0; i < v->len; i++)
		v->data[i] ^= mask[(w->mask_at + i) & 3];
	w->mask_at += (uint32_t)v->len;
	w->left -= v->len;
	v->at += v->len;
}

static void frame_end(struct wire_ws *w)
{
	w->in_payload = false;
	w->n_header = 0;
}

enum wire_ws_step wire_ws_next(
	struct wire_ws *w, struct wire_ws_view *v, uint8_t *bytes, size_t len)
{
	for (;;) {
		if (!w->in_payload) {
			if (!header_take(w, v, bytes, len))
				return WIRE_WS_STEP_MORE;
			if (!header_read(w))
				return WIRE_WS_STEP_FAULT;
		}
		payload_take(w, v, bytes, len);
		if (is_control(w->opcode)) {
			if (v->len > 0)
				memcpy(w->control + w->n_control, v->data, v->len);
			w->n_control = (uint8_t)(w->n_control + v->len);
		}
		if (w->left == 0)
			frame_end(w);
		if (is_control(w->opcode) && !w->in_payload) {
			w->fault = w->opcode == WIRE_WS_CLOSE ? close_fault(w) : 0;
			return w->fault != 0 ? WIRE_WS_STEP_FAULT : WIRE_WS_STEP_CONTROL;
		}
		if (!is_control(w->opcode) && v->len > 0)
			return WIRE_WS_STEP_DATA;
		if (v->at == len)
			return WIRE_WS_STEP_MORE;
	}
}

size_t wire_ws_header(uint8_t out[WIRE_WS_HEADER_MAX], enum wire_ws_opcode opcode, uint16_t len)
{
	out[0] = (uint8_t)(FIN | opcode);
	if (len < 126) {
		out[1] = (uint8_t)len;
		return 2;
	}
	out[1] = 126;
	tp_store_be16(out + 2, len);
	return 4;
}
