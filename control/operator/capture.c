// SPDX-License-Identifier: BSD-3-Clause
// Finds the allocation and passes the reader's socket on; the data plane sends the frames to it
// directly.
#include "handlers.h"

#include <string.h>

#define FRAMES_USUAL  10000u
#define SECONDS_USUAL 60u

static json_t *ports_json(const struct operator_desk *op)
{
	json_t *ports = json_array();

	for (uint32_t i = 0;
		op->sources.link->state.file.base != NULL && i < op->sources.link->state.n_ports;
		i++) {
		// The data plane's words: not ours to believe terminated.
		const struct tp_port *p = &op->sources.link->state.header->ports[i];
		bool named = p->interface[0] != '\0';

		json_array_append_new(
			ports, named ? operator_json_text(p->interface,
					       strnlen(p->interface, sizeof(p->interface)))
				     : operator_json_text(
					       p->device, strnlen(p->device, sizeof(p->device))));
	}
	return ports;
}

static void request_fill(const struct operator_desk *op, const struct turn_allocation_record *rec,
	struct tp_capture_request *request)
{
	request->client = rec->client.remote;
	request->connection = rec->client.connection;
	request->listener = tables_shm(op->sources.tables)->locals[rec->client.listener_id].addr;
	for (unsigned i = 0; i < TURN_RELAY_SLOTS && i < TP_ARRAY_LEN(request->relayed); i++) {
		if (rec->relay[i].expires_s != 0)
			request->relayed[request->n_relayed++] = rec->relay[i].local;
	}
}

// Whether the bounds make sense; else the call has failed.
static bool bounds_read(struct ctl_call *call, struct tp_capture_request *request)
{
	uint64_t frames = ctl_call_number(call, "packets");
	uint64_t seconds = ctl_call_number(call, "seconds");
	uint64_t snaplen = ctl_call_number(call, "snaplen");

	if (frames > TP_CAPTURE_FRAMES_MAX || seconds > TP_CAPTURE_SECONDS_MAX) {
		ctl_call_fail(call, "usage", "ask for less", "at most %u packets, %u seconds",
			TP_CAPTURE_FRAMES_MAX, TP_CAPTURE_SECONDS_MAX);
		return false;
	}
	request->ask.count = frames == 0 ? FRAMES_USUAL : (uint32_t)frames;
	request->ask.seconds = seconds == 0 ? SECONDS_USUAL : (uint32_t)seconds;
	request->snaplen = snaplen > UINT16_MAX ? 0 : (uint32_t)snaplen;
	return true;
}

enum ctl_step operator_capture(void *ctx, struct ctl_call *call)
{
	struct operator_desk *op = ctx;
	const char *name = ctl_call_text(call, "allocation");
	struct tp_capture_request request = {
		.ask = {.magic = TP_CAPTURE_REQUEST_MAGIC,
			.number = (uint32_t)(call->now_ns / TP_NS_PER_MS) | 1}};
	struct turn_allocation_view view;
	unsigned n;
	uint64_t id;

	if (!bounds_read(call, &request))
		return CTL_DONE;
	if (call->fd < 0)
		return ctl_call_fail(call, "usage", "use relayctl",
			"capture needs a socket to write to, sent with the request");
	n = operator_allocation_find(op, name, &view);
	if (n == 0)
		return ctl_call_fail(call, "not_found", "relayctl allocation list",
			"there is no allocation %.64s", name);
	if (n > 1)
		return ctl_call_fail(call, "ambiguous",
			"name one by its id: relayctl allocation list",
			"%u allocations have the address %.64s", n, name);
	id = operator_allocation_id(view.record, view.ref);
	request_fill(op, view.record, &request);
	if (link_socket_capture(&op->sources.link->socket, &request, call->fd, view.ref) < 0)
		return ctl_call_fail(call, "no_dataplane",
			"start turnpike-dataplane with the same configuration, of the same version",
			"turnpike-dataplane does not take the request");
	operator_log(LOG_EV_OPERATOR_COMMAND, call, LOG_FIELDS(log_allocation(id)));
	call->result = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "allocation",
		json_sprintf("%llx", (unsigned long long)id), "packets",
		operator_json_u64(request.ask.count), "seconds",
		operator_json_u64(request.ask.seconds), "ports", ports_json(op), "client",
		operator_json_addr(&request.client), "listener",
		operator_json_addr(&request.listener), "transport",
		operator_transport_json(op, view.record));
	return CTL_DONE;
}
