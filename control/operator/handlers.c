// SPDX-License-Identifier: BSD-3-Clause
#include "handlers.h"

#include <stdio.h>

#include <text/addr.h>
#include <text/buf.h>

const struct ctl_handler operator_handlers[] = {
	{"status", operator_status},
	{"allocation list", operator_allocation_list},
	{"allocation show", operator_allocation_show},
	{"allocation kill", operator_allocation_kill},
	{"worker show", operator_worker_show},
	{"top", operator_top},
	{"trace start", operator_trace_start},
	{"trace stop", operator_trace_stop},
	{"capture", operator_capture},
	{"drop show", operator_drop_show},
	{"port show", operator_port_show},
	{"nexthop list", operator_nexthop_list},
	{"counter show", operator_counter_show},
	{"credential mint", operator_credential_mint},
	{"secret list", operator_secret_list},
	{"ban add", operator_ban_add},
	{"ban remove", operator_ban_remove},
	{"ban list", operator_ban_list},
	{"budget show", operator_budget_show},
	{"budget reset", operator_budget_reset},
	{"user show", operator_user_show},
	{"realm list", operator_realm_list},
	{"policy explain", operator_policy_explain},
	{"config check", operator_config_check},
	{"config reload", operator_config_reload},
	{"log level", operator_log_level},
};
const size_t operator_n_handlers = TP_ARRAY_LEN(operator_handlers);

void operator_log(
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

json_t *operator_json_u64(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

json_t *operator_json_cycles(const struct operator_worker_rates *rates)
{
	return rates->cycles_per_packet == 0 ? json_null()
					     : operator_json_u64(rates->cycles_per_packet);
}

json_t *operator_json_addr(const struct tp_addr *a)
{
	char buf[TEXT_ADDR_SIZE];

	return json_string(text_addr_format(a, buf));
}

json_t *operator_json_ip(const struct tp_addr *a)
{
	char buf[TEXT_ADDR_SIZE];

	return json_string(text_ip_format(a, buf));
}

json_t *operator_json_mac(const uint8_t mac[6])
{
	return json_sprintf(
		"%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

json_t *operator_json_text(const void *data, size_t len)
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

uint64_t operator_age_ns(const _Atomic uint64_t *then, uint64_t now_ns)
{
	uint64_t then_ns = operator_load(then);

	return now_ns > then_ns ? now_ns - then_ns : 0;
}

enum ctl_step operator_no_dataplane(struct ctl_call *call)
{
	return ctl_call_fail(call, "no_dataplane",
		"start turnpike-dataplane with the same configuration",
		"turnpike-dataplane has not started yet");
}
