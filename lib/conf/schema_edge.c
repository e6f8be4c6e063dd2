// SPDX-License-Identifier: BSD-3-Clause
#include "schema.h"

#include <turnpike/limits.h>

static const struct rule certificate_rules[] = {
	{.key = "certificate",
		.type = RULE_PATH,
		RULE_AT(struct conf_certificate, certificate),
		.required = true,
		.example = "fullchain.pem",
		.text = "PEM file with the certificate, and behind it the chain up to the root."},
	{.key = "key",
		.type = RULE_PATH,
		RULE_AT(struct conf_certificate, key),
		.example = "privkey.pem",
		.initial_text = "the file of the certificate",
		.text = "PEM file with its private key. Not readable by others: mode 0640 or "
			"less, readable by the user of turnpike-edge."},
	{.key = "ocsp",
		.type = RULE_PATH,
		RULE_AT(struct conf_certificate, ocsp),
		.example = "ocsp.der",
		.initial_text = "none",
		.text = "File with an OCSP response in DER, sent to clients that ask for it until "
			"its time is over."},
	{.key = NULL},
};

static const struct section certificate_section = {
	.rules = certificate_rules,
	.size = sizeof(struct conf_certificate),
	.text = "Pairs for all tls and dtls listeners without one of their own. At most one of "
		"each kind of key, such as ECDSA and RSA: a client gets the first that it can "
		"check.",
};

static const struct rule edge_rules[] = {
	{.key = "threads",
		.type = RULE_U32,
		RULE_AT(struct conf_edge, threads),
		.min = 1,
		.max = TP_EDGE_THREADS_MAX,
		.initial = "1",
		.text = "Threads that serve connections. Read at the start."},
	{.key = "certificates",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_edge, certificates),
		.section = &certificate_section},
	{.key = "ticket_key_file",
		.type = RULE_PATH,
		RULE_AT(struct conf_edge, ticket_key_file),
		.initial_text = "random keys, which a restart forgets",
		.example = "tickets.key",
		.text = "File of at least 32 random bytes from which the keys of TLS session "
			"tickets are made, a new one every 12 hours. Relays that share the file "
			"resume each other's sessions. Not readable by others; a reload reads it "
			"again, as the user of turnpike-edge."},
	{.key = "connections",
		.type = RULE_U32,
		RULE_AT(struct conf_edge, connections),
		.min = 1,
		.max = 4u << 20,
		.initial = "16384",
		.text = "Connections and associations of DTLS at a time. One source prefix "
			"has at most seven times as many as are free."},
	{.key = "connections_per_prefix",
		.type = RULE_U32,
		RULE_AT(struct conf_edge, connections_per_prefix),
		.max = 4u << 20,
		.initial = "1024",
		.text = "Of one source prefix, /32 or /64; a /48 has 16 times as many. 0: no "
			"limit."},
	{.key = "handshake_rate",
		.type = RULE_U32,
		RULE_AT(struct conf_edge, handshake_rate),
		.max = 1000000,
		.initial = "2000",
		.unit = "connections/s",
		.text = "New connections per second, of which the last eighth is for source "
			"prefixes that had none for a second; 0: no limit."},
	{.key = "handshake_rate_per_prefix",
		.type = RULE_U32,
		RULE_AT(struct conf_edge, handshake_rate_per_prefix),
		.max = 1000000,
		.initial = "200",
		.unit = "connections/s",
		.text = "Of one source prefix, /32 or /64; a /48 has 16 times as many. 0: no "
			"limit."},
	{.key = "handshake_timeout",
		.type = RULE_U32,
		RULE_AT(struct conf_edge, handshake_timeout_s),
		.min = 1,
		.max = 600,
		.initial = "10",
		.unit = "s",
		.text = "Time for the handshake and the first message of a connection, and for the "
			"rest of a message that has begun."},
	{.key = "idle_timeout",
		.type = RULE_U32,
		RULE_AT(struct conf_edge, idle_timeout_s),
		.min = 10,
		.max = 86400,
		.initial = "900",
		.unit = "s",
		.text = "A connection on which nothing came for so long is closed. Clients refresh "
			"an allocation more often than every 600 s."},
	{.key = "drain",
		.type = RULE_U32,
		RULE_AT(struct conf_edge, drain_s),
		.max = 3600,
		.initial = "30",
		.unit = "s",
		.text = "Once another turnpike-edge has taken over (`--take-over`), the one before "
			"serves its sessions of TLS and DTLS for so long, then closes them."},
	{.key = "queue_age_ms",
		.type = RULE_U32,
		RULE_AT(struct conf_edge, queue_age_ms),
		.min = 10,
		.max = 60000,
		.initial = "1000",
		.unit = "ms",
		.text = "Media that wait longer for a client to read are dropped, the oldest "
			"first."},
	{.key = "queue_bytes",
		.type = RULE_U32,
		RULE_AT(struct conf_edge, queue_bytes),
		.min = 16384,
		.max = 64u << 20,
		.initial = "1048576",
		.unit = "bytes",
		.text = "Memory of the messages that wait for one client, with that of their "
			"entries, at most: less where those of a thread together come near 128 "
			"times as much."},
	{.key = NULL},
};

const struct section conf_schema_edge = {
	.rules = edge_rules,
	.size = sizeof(struct conf_edge),
	.text = "The process turnpike-edge, which ends the connections of tcp, tls and dtls "
		"listeners. It runs where there is such a listener. Its reload takes over all "
		"keys but `threads`, `connections` above their number at its start, and a removed "
		"`ticket_key_file`.",
};
