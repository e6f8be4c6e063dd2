// SPDX-License-Identifier: BSD-3-Clause
#include "views.h"

#include <stdio.h>

#include <text/addr.h>
#include <text/buf.h>

const struct ctl_handler io_handlers[] = {
	{"status", io_view_status},
	{"allocation list", io_view_allocation_list},
	{"allocation show", io_view_allocation_show},
	{"allocation kill", io_view_allocation_kill},
	{"worker show", io_view_worker_show},
	{"top", io_view_top},
	{"trace start", io_view_trace_start},
	{"trace read", io_view_trace_read},
	{"trace stop", io_view_trace_stop},
	{"capture", io_view_capture},
	{"drop show", io_view_drop_show},
	{"port show", io_view_port_show},
	{"nexthop list", io_view_nexthop_list},
	{"counter show", io_view_counter_show},
	{"credential mint", io_view_credential_mint},
	{"config check", io_view_config_check},
	{"log level", io_view_log_level},
};
const size_t io_n_handlers = TP_ARRAY_LEN(io_handlers);

void io_operator_log(
	enum log_event_id event, const struct ctl_call *call, const struct log_field *fields)
{
	struct log_field all[8] = {log_str("command", call->command->name),
		log_u64("uid", call->uid), log_i64("pid", call->pid)};

	for (size_t i = 3; fields != NULL && i + 1 < TP_ARRAY_LEN(all); i++) {
		all[i] = *fields++;
		if (all[i].type == LOG_TYPE_END)
			break;
	}
	log_event(event, all);
}

json_t *io_json_u64(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

json_t *io_json_addr(const struct tp_addr *a)
{
	char buf[TEXT_ADDR_SIZE];

	return json_string(text_addr_format(a, buf));
}

json_t *io_json_ip(const struct tp_addr *a)
{
	char buf[TEXT_ADDR_SIZE];

	return json_string(text_ip_format(a, buf));
}

json_t *io_json_mac(const uint8_t mac[6])
{
	return json_sprintf(
		"%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

json_t *io_json_text(const void *data, size_t len)
{
	char buf[4 * TURN_USERNAME_MAX];
	struct text_buf b;
	const char *s = data;

	text_buf_init(&b, buf, sizeof(buf));
	for (size_t i = 0; i < len;) {
		unsigned long code;
		size_t n = text_utf8_next(s + i, len - i, &code);

		// JSON in C strings ends at a zero octet.
		if (n == 0 || code == 0)
			text_buf_add(&b, "\xef\xbf\xbd");
		else
			text_buf_addf(&b, "%.*s", (int)n, s + i);
		i += n == 0 ? 1 : n;
	}
	return json_string(buf);
}

enum ctl_step io_view_no_dataplane(struct ctl_call *call)
{
	return ctl_call_fail(call, "no_dataplane",
		"start turnpike-dataplane with the same configuration",
		"turnpike-dataplane has not started yet");
}
