// SPDX-License-Identifier: BSD-3-Clause
// The operator's commands: each reads the relay (the handlers' ctx) and answers with JSON.
#pragma once

#include <log/log.h>

#include "relay.h"

enum ctl_step io_view_status(void *ctx, struct ctl_call *call);
enum ctl_step io_view_allocation_list(void *ctx, struct ctl_call *call);
enum ctl_step io_view_allocation_show(void *ctx, struct ctl_call *call);
enum ctl_step io_view_allocation_kill(void *ctx, struct ctl_call *call);
enum ctl_step io_view_worker_show(void *ctx, struct ctl_call *call);
enum ctl_step io_view_top(void *ctx, struct ctl_call *call);
enum ctl_step io_view_trace_start(void *ctx, struct ctl_call *call);
enum ctl_step io_view_trace_read(void *ctx, struct ctl_call *call);
enum ctl_step io_view_trace_stop(void *ctx, struct ctl_call *call);
enum ctl_step io_view_capture(void *ctx, struct ctl_call *call);
enum ctl_step io_view_drop_show(void *ctx, struct ctl_call *call);
enum ctl_step io_view_port_show(void *ctx, struct ctl_call *call);
enum ctl_step io_view_nexthop_list(void *ctx, struct ctl_call *call);
enum ctl_step io_view_counter_show(void *ctx, struct ctl_call *call);
enum ctl_step io_view_credential_mint(void *ctx, struct ctl_call *call);
enum ctl_step io_view_config_check(void *ctx, struct ctl_call *call);
enum ctl_step io_view_log_level(void *ctx, struct ctl_call *call);

// A line of what an operator's command has changed: the command, who sent it, and `fields` (NULL:
// none).
void io_operator_log(
	enum log_event_id event, const struct ctl_call *call, const struct log_field *fields);

// New references, NULL without memory.
json_t *io_json_u64(uint64_t v);
json_t *io_json_addr(const struct tp_addr *a); // with port
json_t *io_json_ip(const struct tp_addr *a);
json_t *io_json_mac(const uint8_t mac[6]);
// Text that others chose: what is no UTF-8 is replaced.
json_t *io_json_text(const void *data, size_t len);

// By its id, a relayed address with the port or the client's. How many there are; the first is in
// `view`.
unsigned io_allocation_find(
	const struct io_relay *r, const char *text, struct turn_allocation_view *view);

// No data plane has made its files yet.
enum ctl_step io_view_no_dataplane(struct ctl_call *call);

// The warnings of `status`, appended to `list`.
void io_warnings_collect(const struct io_relay *r, uint64_t now_ns, json_t *list);
