// SPDX-License-Identifier: BSD-3-Clause
#include "trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <text/addr.h>
#include <text/buf.h>
#include <turnpike/drop.h>
#include <turnpike/segment.h>
#include <turnpike/stats.h>
#include <turnpike/stun.h>
#include <turnpike/trace.h>

#include "printer.h"
#include "stream.h"

#define COLUMN(key, title, format)                                                                 \
	{                                                                                          \
		key, title, CTL_FORMAT_##format, NULL, 0                                           \
	}

static const struct ctl_column columns[] = {
	COLUMN("n", "packet", NUMBER),
	COLUMN("worker", "worker", NUMBER),
	COLUMN("transport", "by", TEXT),
	COLUMN("message", "classified as", TEXT),
	COLUMN("key", "looked up", TEXT),
	COLUMN("way", "way", TEXT),
	COLUMN("result", "result", TEXT),
	COLUMN("reason", "drop reason", TEXT),
	COLUMN("sent_from", "rewritten: from", TEXT),
	COLUMN("sent_to", "to", TEXT),
	COLUMN("sent_transport", "by", TEXT),
	COLUMN("next_hop", "next hop", TEXT),
	COLUMN("sent_port", "port", NUMBER),
	COLUMN("cycles", "cycles", COUNT),
};

static const struct ctl_command rows = {
	.name = "trace start",
	.shape = CTL_SHAPE_LIST,
	.columns = columns,
	.n_columns = TP_ARRAY_LEN(columns),
};

struct trace {
	const json_t *listeners;
	struct rctl_printer printer;
	uint64_t n;
};

static json_t *addr_json(const struct tp_addr *a)
{
	char text[TEXT_ADDR_SIZE];

	text_addr_format(a, text);
	return json_string(text);
}

static bool is_listener(const struct trace *t, const struct tp_addr *a)
{
	char text[TEXT_ADDR_SIZE];
	const json_t *listener;
	size_t i;

	text_addr_format(a, text);
	json_array_foreach((json_t *)t->listeners, i, listener)
	{
		if (json_is_string(listener) && strcmp(json_string_value(listener), text) == 0)
			return true;
	}
	return false;
}

static bool is_channel(const struct tp_trace_record *rec)
{
	return rec->first >= TP_CHANNEL_MIN && rec->first <= TP_CHANNEL_MAX_COMPAT;
}

// The kind of message, by the address it arrived at and its first two bytes.
static json_t *message_json(const struct tp_trace_record *rec, bool from_client)
{
	if (!from_client)
		return json_string("datagram");
	if (is_channel(rec))
		return json_sprintf("ChannelData 0x%04x", rec->first);
	if (rec->first == TP_TURN_SEND_INDICATION)
		return json_string("Send indication");
	if (tp_is_dtls((uint8_t)(rec->first >> 8)))
		return json_string("DTLS records");
	return json_sprintf("STUN 0x%04x", rec->first);
}

// The key that is looked up in the table, in words.
static json_t *key_json(const struct tp_trace_record *rec, bool from_client)
{
	char from[TEXT_ADDR_SIZE], to[TEXT_ADDR_SIZE];

	text_addr_format(&rec->from, from);
	text_addr_format(&rec->to, to);
	if (!from_client)
		return json_sprintf("peer %s at %s", from, to);
	if (is_channel(rec))
		return json_sprintf("channel 0x%04x of %s at %s", rec->first, from, to);
	return json_sprintf("allocation of %s at %s", from, to);
}

static json_t *paths_json(uint32_t paths)
{
	char buf[256];
	struct text_buf b;

	text_buf_init(&b, buf, sizeof(buf));
	for (unsigned i = 0; i < TP_PATH_COUNT; i++) {
		if (paths >> i & 1)
			text_buf_addf(&b, "%s%s", b.len > 0 ? " " : "", tp_path_name(i));
	}
	return json_string(buf);
}

// The transport of the client whose message it is; that of frames is UDP.
static json_t *transport_json(uint8_t transport)
{
	static const char *const names[] = {
		"udp", [TP_TRANSPORT_UDP] = "udp", [TP_TRANSPORT_TCP] = "tcp",
		[TP_TRANSPORT_TLS] = "tls", [TP_TRANSPORT_DTLS] = "dtls"};

	return json_string(transport < TP_ARRAY_LEN(names) ? names[transport] : "?");
}

static void sent_add(json_t *o, const struct tp_trace_record *rec)
{
	const uint8_t *m = rec->mac;

	json_object_set_new(o, "sent_transport", transport_json(rec->out_transport));
	json_object_set_new(o, "sent_from", addr_json(&rec->sent_from));
	json_object_set_new(o, "sent_to", addr_json(&rec->sent_to));
	json_object_set_new(o, "sent_octets", json_integer(rec->sent_len));
	if (rec->out_transport != 0)
		return;
	json_object_set_new(o, "next_hop",
		json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]));
	json_object_set_new(o, "sent_port", json_integer(rec->tx_port));
}

static json_t *record_json(const struct trace *t, const struct tp_trace_record *rec)
{
	static const char *const verdicts[] = {
		"dropped", "sent", "to control", "not ours", "to stream", "fragment"};
	const struct tp_drop_text *why = rec->verdict == 0 ? tp_drop_text(rec->reason) : NULL;
	bool from_client = rec->in_transport != 0 || is_listener(t, &rec->to);
	json_t *o = json_object();

	json_object_set_new(o, "n", json_integer((json_int_t)t->n));
	json_object_set_new(o, "time_ns", json_integer((json_int_t)rec->head.time_ns));
	json_object_set_new(o, "worker", json_integer(rec->worker));
	if (rec->in_transport == 0)
		json_object_set_new(o, "port", json_integer(rec->rx_port));
	json_object_set_new(o, "transport", transport_json(rec->in_transport));
	json_object_set_new(o, "from", addr_json(&rec->from));
	json_object_set_new(o, "to", addr_json(&rec->to));
	json_object_set_new(o, "octets", json_integer(rec->len));
	json_object_set_new(o, "message", message_json(rec, from_client));
	json_object_set_new(o, "key", key_json(rec, from_client));
	json_object_set_new(o, "way", paths_json(rec->paths));
	json_object_set_new(o, "result",
		json_string((rec->paths >> TP_PATH_dtls_in & 1) != 0 ? "to the edge"
			    : rec->verdict < TP_ARRAY_LEN(verdicts)  ? verdicts[rec->verdict]
								     : "?"));
	if (why != NULL) {
		json_object_set_new(o, "reason", json_string(why->name));
		json_object_set_new(o, "next", json_string(why->remedy));
	}
	if (rec->sent_len != 0)
		sent_add(o, rec);
	json_object_set_new(o, "cycles", json_integer(rec->cycles));
	json_object_set_new(o, "lost", json_integer(rec->lost));
	return o;
}

static bool records_show(void *ctx, const uint8_t *records, size_t len)
{
	struct trace *t = ctx;
	const struct tp_trace_record *rec;
	json_t *array = json_array();

	while ((rec = rctl_stream_record(&records, &len, sizeof(*rec))) != NULL) {
		t->n++;
		json_array_append_new(array, record_json(t, rec));
	}
	rctl_printer_add(&t->printer, array);
	json_decref(array);
	return fflush(stdout) == 0;
}

int rctl_trace_run(int fd, const json_t *result, enum rctl_style style)
{
	struct trace t = {.listeners = json_object_get(result, "listeners")};
	struct rctl_stream stream;
	int rc = rctl_stream_begin(&stream, fd, "trace");

	if (rc != RCTL_EXIT_OK)
		return rc;
	rctl_printer_init(&t.printer, stdout, style, &rows);
	rctl_stream_read(&stream, records_show, &t);
	rctl_printer_end(&t.printer);
	if (!stream.ended || rctl_stream_missed(&stream) > 0)
		fprintf(stderr, "relayctl: %" PRIu64 " packets traced, %" PRIu64 " missed: %s\n",
			t.n, rctl_stream_missed(&stream), rctl_stream_cause(&stream));
	return stream.ended ? RCTL_EXIT_OK : RCTL_EXIT_NO_DAEMON;
}
