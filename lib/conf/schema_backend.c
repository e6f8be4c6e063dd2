// SPDX-License-Identifier: BSD-3-Clause
// Options of listeners that share their port: servers behind them, and WebSockets.
#include "schema.h"

static const struct rule backend_rules[] = {
	{.key = "names",
		.type = RULE_LIST,
		.offset = offsetof(struct draft_backend, conf.names),
		.n_offset = offsetof(struct draft_backend, conf.n_names),
		.item = RULE_TEXT,
		.initial_text = "every name that is not the relay's",
		.example = "[www.example.org]",
		.text = "Names of servers (SNI) whose connections this backend gets; "
			"`*.example.org` is every name with one more part."},
	{.key = "address",
		.type = RULE_IP,
		RULE_AT(struct draft_backend, conf.addr),
		.required = true,
		.example = "127.0.0.1",
		.text = "Address to connect to."},
	{.key = "port",
		.type = RULE_U16,
		RULE_AT(struct draft_backend, port),
		.min = 1,
		.max = UINT16_MAX,
		.required = true,
		.example = "8443",
		.text = "Port to connect to."},
	{.key = "proxy_protocol",
		.type = RULE_BOOL,
		RULE_AT(struct draft_backend, conf.proxy_protocol),
		.initial = "false",
		.text = "Each connection begins with a header of the PROXY protocol, version 2, "
			"that names the client."},
	{.key = "plain",
		.type = RULE_BOOL,
		RULE_AT(struct draft_backend, conf.plain),
		.initial = "false",
		.text = "The backend gets plain HTTP: of connections whose TLS ended at the relay, "
			"or, on a tcp listener, at a proxy before it."},
	{.key = NULL},
};

const struct section conf_schema_backend = {
	.rules = backend_rules,
	.size = sizeof(struct draft_backend),
	.text = "Servers that share the port of a tcp or tls listener. A connection of TLS whose "
		"name "
		"(SNI) or protocol (ALPN) is another's passes to the first backend of its name "
		"untouched. The relay keeps connections without a name, or with a name of its own, "
		"that ask for no protocol, `stun.turn` or `stun.nat-discovery`. "
		"Read when the listener is opened.",
};

static const struct rule websocket_rules[] = {
	{.key = "path",
		.type = RULE_TEXT,
		RULE_AT(struct conf_websocket, path),
		.initial_text = "no WebSockets",
		.example = "/turn",
		.text = "Path of the request."},
	{.key = "origins",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_websocket, origins),
		.item = RULE_TEXT,
		.example = "['https://app.example.org']",
		.text = "Pages that may begin one, as browsers name them in Origin; `*`: all. A "
			"request without Origin is no browser's and is taken."},
	{.key = NULL},
};

const struct section conf_schema_websocket = {
	.rules = websocket_rules,
	.size = sizeof(struct conf_websocket),
	.text = "On tcp and tls listeners: TURN in the binary messages of WebSockets (RFC 6455), "
		"for "
		"networks that let nothing but HTTP through. The payload is the stream of messages "
		"as over TCP, padding included. Read when the listener is opened.",
};
