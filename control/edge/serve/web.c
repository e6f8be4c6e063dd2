// SPDX-License-Identifier: BSD-3-Clause
// Connections that may begin with plain HTTP: a WebSocket, or a request for a backend. The first
// byte tells them from TURN, whose first message begins with two zero bits.
#include "internal.h"

#include <stdlib.h>
#include <strings.h>

#include <log/log.h>

static const struct conf_listener *listener_of(const struct conn *c)
{
	return c->by_tls ? c->port->tls : c->port->plain;
}

bool web_is_for(const struct conf_listener *l)
{
	for (size_t i = 0; i < l->n_backends; i++) {
		if (l->backends[i].plain)
			return true;
	}
	return l->websocket.path != NULL;
}

// ---- the choice ---------------------------------------------------------------------------------

static void head_drop(struct conn *c)
{
	free(c->head);
	c->head = NULL;
	c->n_head = 0;
}

// Bytes that have come belong to an open connection.
static void head_serve(struct conn *c, size_t from)
{
	uint8_t *head = c->head;
	size_t n = c->n_head;

	c->head = NULL;
	c->n_head = 0;
	if (conn_bytes(c, head + from, 0, n - from) && !c->binding && !c->held)
		conn_read_open(c);
	free(head);
}

static void refuse(struct conn *c, const struct wire_upgrade *u, unsigned status)
{
	enum serve_close why = SERVE_CLOSE_http;
	char answer[WIRE_UPGRADE_ANSWER_MAX];
	size_t n = wire_upgrade_answer(answer, u, status);

	// One attempt.
	(void)stream_put(c, (const uint8_t *)answer, n, &why);
	ending_begin(c);
}

static bool origin_is_good(const struct conf_listener *l, const struct wire_upgrade *u)
{
	// No browser leaves it out.
	if (!u->has_origin)
		return true;
	for (size_t i = 0; i < l->websocket.n_origins; i++) {
		const char *origin = l->websocket.origins[i];

		if (strcmp(origin, "*") == 0 || strcasecmp(origin, u->origin) == 0)
			return true;
	}
	return false;
}

static void websocket_begin(struct conn *c, const struct wire_upgrade *u)
{
	char answer[WIRE_UPGRADE_ANSWER_MAX];
	size_t taken = u->taken;

	c->ws = calloc(1, sizeof(*c->ws));
	if (c->ws == NULL) {
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	SERVE_COUNT(c->thread, websockets, 1);
	if (!conn_open(c))
		return;
	ws_put(c, answer, wire_upgrade_answer(answer, u, 101));
	head_serve(c, taken);
}

static void pass_or_refuse(struct conn *c, const struct wire_upgrade *u, unsigned status)
{
	const struct conf_listener *l = listener_of(c);
	const char *name =
		c->ssl == NULL ? NULL : SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
	const struct conf_backend *b = choose_plain(l, name);

	if (b == NULL)
		refuse(c, u, status);
	else
		pass_begin(c, b, c->head, c->n_head);
	head_drop(c);
}

static void request_take(struct conn *c)
{
	const struct conf_listener *l = listener_of(c);
	enum wire_upgrade_step step;
	struct wire_upgrade u = {.taken = 0};

	if (l->websocket.path == NULL) {
		pass_or_refuse(c, &u, 404);
		return;
	}
	step = wire_upgrade_read(&u, c->head, c->n_head);
	if (step == WIRE_UPGRADE_MORE)
		return;
	if (step == WIRE_UPGRADE_LONG || !u.is_websocket || strcmp(u.path, l->websocket.path) != 0)
		pass_or_refuse(c, &u,
			step == WIRE_UPGRADE_LONG ? 431
			: u.status == 400	  ? 400
						  : 404);
	else if (u.status != 101)
		refuse(c, &u, u.status);
	else if (origin_is_good(l, &u))
		websocket_begin(c, &u);
	else
		refuse(c, &u, 403);
}

void web_read(struct conn *c)
{
	enum serve_close why = SERVE_CLOSE_client;
	ssize_t n = 1;

	if (c->head == NULL)
		c->head = malloc(WIRE_UPGRADE_MAX);
	if (c->head == NULL) {
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	while (n > 0 && c->n_head < WIRE_UPGRADE_MAX) {
		n = stream_read(c, c->head + c->n_head, WIRE_UPGRADE_MAX - c->n_head, &why);
		c->n_head += n > 0 ? (uint32_t)n : 0;
	}
	if (c->blocked == c->armed)
		conn_events_want(c, false);
	if (c->fd < 0)
		return;
	// An end behind a whole request is told again.
	if (n < 0 && c->n_head == 0) {
		conn_close(c, why);
		return;
	}
	if (c->n_head == 0)
		return;
	if (wire_first_of(c->head, c->n_head) == WIRE_FIRST_HTTP) {
		request_take(c);
		// It was the start of one.
		if (n < 0 && c->fd >= 0 && c->state == CONN_WEB)
			conn_close(c, why);
	} else if (conn_open(c)) {
		head_serve(c, 0);
	}
}

// ---- WebSocket ----------------------------------------------------------------------------------

void ws_put(struct conn *c, const void *bytes, size_t len)
{
	// A client that pings without reading gets no further pongs.
	if (c->ws->n_out + len > sizeof(c->ws->out))
		return;
	memcpy(c->ws->out + c->ws->n_out, bytes, len);
	c->ws->n_out = (uint16_t)(c->ws->n_out + len);
	if (!c->writable_wanted && ds_list_is_empty(&c->dirty))
		ds_list_add(&c->thread->dirty, &c->dirty);
}

static void frame_put(struct conn *c, enum wire_ws_opcode opcode, const uint8_t *bytes, size_t len)
{
	uint8_t frame[WIRE_WS_HEADER_MAX + WIRE_WS_CONTROL_MAX];
	size_t n = wire_ws_header(frame, opcode, (uint16_t)len);

	memcpy(frame + n, bytes, len);
	ws_put(c, frame, n + len);
}

// Also the answer to a close: its code comes back, not its reason, which may be no text.
static void control_take(struct conn *c)
{
	const struct wire_ws *w = &c->ws->reader;
	size_t n_code = w->n_control < 2 ? 0 : 2;

	if (w->opcode == WIRE_WS_PING)
		frame_put(c, WIRE_WS_PONG, w->control, w->n_control);
	if (w->opcode != WIRE_WS_CLOSE)
		return;
	frame_put(c, WIRE_WS_CLOSE, w->control, n_code);
	c->ws->closing = SERVE_CLOSE_client;
}

static void fault_take(struct conn *c)
{
	uint8_t code[2];

	tp_store_be16(code, c->ws->reader.fault);
	frame_put(c, WIRE_WS_CLOSE, code, sizeof(code));
	log_event(LOG_EV_CONNECTION_GARBAGE,
		LOG_FIELDS(log_addr("client", &c->remote), log_addr("listener", &c->port->addr),
			log_str("reason", "websocket"),
			log_str("problem", "a frame that RFC 6455 or this server does not allow"),
			log_u64("code", c->ws->reader.fault)));
	c->ws->closing = SERVE_CLOSE_garbage;
}

size_t ws_decode(struct conn *c, uint8_t *bytes, size_t len)
{
	struct wire_ws_view v = {.at = 0};
	enum wire_ws_step step = WIRE_WS_STEP_DATA;
	size_t n = 0;

	while (c->ws->closing == SERVE_OPEN && step != WIRE_WS_STEP_MORE) {
		step = wire_ws_next(&c->ws->reader, &v, bytes, len);
		if (step == WIRE_WS_STEP_DATA) {
			memmove(bytes + n, v.data, v.len);
			n += v.len;
		} else if (step == WIRE_WS_STEP_CONTROL) {
			control_take(c);
		} else if (step == WIRE_WS_STEP_FAULT) {
			fault_take(c);
		}
	}
	return n;
}
