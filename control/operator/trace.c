// SPDX-License-Identifier: BSD-3-Clause
// The records go from the data plane straight to the operator: this hands the reader's socket on.
#include "handlers.h"

#include <text/addr.h>
#include <turnpike/trace.h>

#define PACKETS_USUAL 20u
#define SECONDS_USUAL 60u

static bool client_read(const char *text, struct tp_addr *out)
{
	return text_addr_parse(text, out) == 0 || text_ip_parse(text, out) == 0;
}

// The packets that arrive at these are messages of clients; all others are datagrams of peers.
static json_t *listeners_json(const struct operator_desk *op)
{
	json_t *listeners = json_array();

	for (size_t i = 0; i < op->sources.settings->n_locals; i++) {
		const struct tables_local *l = &op->sources.settings->locals[i];

		if (l->role == TP_ROLE_LISTENER)
			json_array_append_new(listeners, operator_json_addr(&l->addr));
	}
	return listeners;
}

static enum ctl_step request_send(
	struct operator_desk *op, struct ctl_call *call, const struct tp_trace_request *request)
{
	if (link_socket_ask(&op->sources.link->socket, request, sizeof(*request), call->fd) < 0)
		return ctl_call_fail(call, "no_dataplane",
			"start turnpike-dataplane with the same configuration, of the same version",
			"turnpike-dataplane does not take the request");
	if (request->ask.count > 0)
		operator_log(LOG_EV_OPERATOR_COMMAND, call,
			LOG_FIELDS(log_addr("client", &request->client)));
	else
		operator_log(LOG_EV_OPERATOR_COMMAND, call, NULL);
	call->result =
		json_pack("{s:o, s:o, s:o, s:o}", "trace", operator_json_u64(request->ask.number),
			"packets", operator_json_u64(request->ask.count), "seconds",
			operator_json_u64(request->ask.seconds), "listeners", listeners_json(op));
	return CTL_DONE;
}

enum ctl_step operator_trace_start(void *ctx, struct ctl_call *call)
{
	struct operator_desk *op = ctx;
	uint64_t packets = ctl_call_number(call, "packets");
	uint64_t seconds = ctl_call_number(call, "seconds");
	struct tp_trace_request request = {
		.ask = {.magic = TP_TRACE_REQUEST_MAGIC,
			.number = (uint32_t)(call->now_ns / TP_NS_PER_MS) | 1}};

	if (!client_read(ctl_call_text(call, "client"), &request.client))
		return ctl_call_fail(call, "usage", "give an IP address, with or without a port",
			"client is no address");
	if (packets > TP_TRACE_PACKETS_MAX || seconds > TP_TRACE_SECONDS_MAX)
		return ctl_call_fail(call, "usage", "ask for less",
			"at most %u packets, %u seconds", TP_TRACE_PACKETS_MAX,
			TP_TRACE_SECONDS_MAX);
	if (call->fd < 0)
		return ctl_call_fail(call, "usage", "use relayctl",
			"trace start needs a socket to write to, sent with the request");
	request.ask.count = packets == 0 ? PACKETS_USUAL : (uint32_t)packets;
	request.ask.seconds = seconds == 0 ? SECONDS_USUAL : (uint32_t)seconds;
	return request_send(op, call, &request);
}

enum ctl_step operator_trace_stop(void *ctx, struct ctl_call *call)
{
	const struct tp_trace_request request = {.ask = {.magic = TP_TRACE_REQUEST_MAGIC}};

	return request_send(ctx, call, &request);
}
