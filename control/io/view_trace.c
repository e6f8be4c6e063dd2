// SPDX-License-Identifier: BSD-3-Clause
#include "views.h"

#include <stdio.h>

#include <text/addr.h>
#include <text/buf.h>
#include <turnpike/stun.h>

#define PACKETS_USUAL 20u
#define SECONDS_USUAL 60u

static bool client_read(const char *text, struct tp_addr *out)
{
	return text_addr_parse(text, out) == 0 || text_ip_parse(text, out) == 0;
}

static enum ctl_step request_send(
	struct io_relay *r, struct ctl_call *call, const struct tp_trace_request *request)
{
	if (io_dplink_trace(&r->plane.link, request) < 0)
		return ctl_call_fail(call, "no_dataplane",
			"start turnpike-dataplane with the same configuration, of the same version",
			"turnpike-dataplane does not take the request");
	if (request->packets > 0)
		io_operator_log(LOG_EV_OPERATOR_COMMAND, call,
			LOG_FIELDS(log_addr("client", &request->client)));
	else
		io_operator_log(LOG_EV_OPERATOR_COMMAND, call, NULL);
	call->result = json_pack("{s:o, s:o, s:o}", "trace", io_json_u64(request->trace), "packets",
		io_json_u64(request->packets), "seconds", io_json_u64(request->seconds));
	return CTL_DONE;
}

enum ctl_step io_view_trace_start(void *ctx, struct ctl_call *call)
{
	struct io_relay *r = ctx;
	uint64_t packets = ctl_call_number(call, "packets");
	uint64_t seconds = ctl_call_number(call, "seconds");
	struct tp_trace_request request = {.magic = TP_TRACE_REQUEST_MAGIC,
		.trace = (uint32_t)(call->now_ns / TP_NS_PER_MS) | 1};

	if (!client_read(ctl_call_text(call, "client"), &request.client))
		return ctl_call_fail(call, "usage", "give an IP address, with or without a port",
			"client is no address");
	if (packets > TP_TRACE_PACKETS_MAX || seconds > TP_TRACE_SECONDS_MAX)
		return ctl_call_fail(call, "usage", "ask for less",
			"at most %u packets, %u seconds", TP_TRACE_PACKETS_MAX,
			TP_TRACE_SECONDS_MAX);
	request.packets = packets == 0 ? PACKETS_USUAL : (uint32_t)packets;
	request.seconds = seconds == 0 ? SECONDS_USUAL : (uint32_t)seconds;
	return request_send(r, call, &request);
}

enum ctl_step io_view_trace_stop(void *ctx, struct ctl_call *call)
{
	const struct tp_trace_request request = {.magic = TP_TRACE_REQUEST_MAGIC, .trace = 1};

	return request_send(ctx, call, &request);
}

static bool is_listener(const struct io_relay *r, const struct tp_addr *a)
{
	for (size_t i = 0; i < r->settings->n_locals; i++) {
		const struct tables_local *l = &r->settings->locals[i];

		if (l->role == TP_ROLE_LISTENER && tp_addr_equal(&l->addr, a))
			return true;
	}
	return false;
}

// What the packet is, by where it arrived and how its payload begins.
static json_t *message_json(const struct io_relay *r, const struct tp_trace_record *rec)
{
	if (!is_listener(r, &rec->to))
		return json_string("datagram");
	if (rec->first >= TP_CHANNEL_MIN && rec->first <= TP_CHANNEL_MAX_COMPAT)
		return json_sprintf("ChannelData 0x%04x", rec->first);
	if (rec->first == TP_TURN_SEND_INDICATION)
		return json_string("Send indication");
	return json_sprintf("STUN 0x%04x", rec->first);
}

// The question the packet path asks the table, in words.
static json_t *key_json(const struct io_relay *r, const struct tp_trace_record *rec)
{
	char from[TEXT_ADDR_SIZE], to[TEXT_ADDR_SIZE];

	text_addr_format(&rec->from, from);
	text_addr_format(&rec->to, to);
	if (!is_listener(r, &rec->to))
		return json_sprintf("peer %s at %s", from, to);
	if (rec->first >= TP_CHANNEL_MIN && rec->first <= TP_CHANNEL_MAX_COMPAT)
		return json_sprintf("channel 0x%04x of %s at %s", rec->first, from, to);
	return json_sprintf("allocation of %s at %s", from, to);
}

static json_t *ways_json(uint32_t ways)
{
	char buf[256];
	struct text_buf b;

	text_buf_init(&b, buf, sizeof(buf));
	for (unsigned i = 0; i < TP_PATH_COUNT; i++) {
		if (ways >> i & 1)
			text_buf_addf(&b, "%s%s", b.len > 0 ? " " : "", tp_path_name(i));
	}
	return json_string(buf);
}

static void sent_add(json_t *o, const struct tp_trace_record *rec)
{
	json_object_set_new(o, "sent_from", io_json_addr(&rec->sent_from));
	json_object_set_new(o, "sent_to", io_json_addr(&rec->sent_to));
	json_object_set_new(o, "sent_octets", io_json_u64(rec->sent_len));
	json_object_set_new(o, "next_hop", io_json_mac(rec->mac));
	json_object_set_new(o, "sent_port", io_json_u64(rec->tx_port));
}

static json_t *record_json(const struct io_relay *r, const struct tp_trace_record *rec, uint64_t n)
{
	static const char *const verdicts[] = {"dropped", "sent", "to control", "not ours"};
	const struct tp_drop_text *why = rec->verdict == 0 ? tp_drop_text(rec->reason) : NULL;
	json_t *o = json_object();

	json_object_set_new(o, "n", io_json_u64(n));
	json_object_set_new(o, "time_ns", io_json_u64(rec->time_ns));
	json_object_set_new(o, "worker", io_json_u64(rec->worker));
	json_object_set_new(o, "port", io_json_u64(rec->rx_port));
	json_object_set_new(o, "from", io_json_addr(&rec->from));
	json_object_set_new(o, "to", io_json_addr(&rec->to));
	json_object_set_new(o, "octets", io_json_u64(rec->len));
	json_object_set_new(o, "message", message_json(r, rec));
	json_object_set_new(o, "key", key_json(r, rec));
	json_object_set_new(o, "way", ways_json(rec->ways));
	json_object_set_new(o, "result",
		json_string(rec->verdict < TP_ARRAY_LEN(verdicts) ? verdicts[rec->verdict] : "?"));
	if (why != NULL) {
		json_object_set_new(o, "reason", json_string(why->name));
		json_object_set_new(o, "next", json_string(why->remedy));
	}
	if (rec->sent_len != 0)
		sent_add(o, rec);
	json_object_set_new(o, "classify_cycles", io_json_u64(rec->laps[0]));
	json_object_set_new(o, "lookup_cycles", io_json_u64(rec->laps[1]));
	json_object_set_new(o, "rewrite_cycles", io_json_u64(rec->laps[2]));
	json_object_set_new(o, "cycles", io_json_u64(rec->cycles));
	json_object_set_new(o, "lost", io_json_u64(rec->lost));
	return o;
}

enum ctl_step io_view_trace_read(void *ctx, struct ctl_call *call)
{
	const struct io_relay *r = ctx;
	const struct io_trace *t = &r->plane.link.trace;
	uint64_t n = ctl_call_number(call, "after");

	// Those that others have written over are gone.
	if (t->n_records > IO_TRACE_KEPT && n < t->n_records - IO_TRACE_KEPT)
		n = t->n_records - IO_TRACE_KEPT;
	call->result = json_array();
	for (; n < t->n_records; n++)
		json_array_append_new(
			call->result, record_json(r, &t->records[n % IO_TRACE_KEPT], n + 1));
	return CTL_DONE;
}
