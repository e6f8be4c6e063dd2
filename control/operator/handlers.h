// SPDX-License-Identifier: BSD-3-Clause
// The operator's commands: each reads the relay (the handlers' ctx) and answers with JSON.
#pragma once

#include <log/log.h>

#include <operator/operator.h>

enum ctl_step operator_status(void *ctx, struct ctl_call *call);
enum ctl_step operator_allocation_list(void *ctx, struct ctl_call *call);
enum ctl_step operator_allocation_show(void *ctx, struct ctl_call *call);
enum ctl_step operator_allocation_kill(void *ctx, struct ctl_call *call);
enum ctl_step operator_worker_show(void *ctx, struct ctl_call *call);
enum ctl_step operator_top(void *ctx, struct ctl_call *call);
enum ctl_step operator_trace_start(void *ctx, struct ctl_call *call);
enum ctl_step operator_trace_stop(void *ctx, struct ctl_call *call);
enum ctl_step operator_capture(void *ctx, struct ctl_call *call);
enum ctl_step operator_drop_show(void *ctx, struct ctl_call *call);
enum ctl_step operator_port_show(void *ctx, struct ctl_call *call);
enum ctl_step operator_nexthop_list(void *ctx, struct ctl_call *call);
enum ctl_step operator_counter_show(void *ctx, struct ctl_call *call);
enum ctl_step operator_credential_mint(void *ctx, struct ctl_call *call);
enum ctl_step operator_secret_list(void *ctx, struct ctl_call *call);
enum ctl_step operator_ban_add(void *ctx, struct ctl_call *call);
enum ctl_step operator_ban_remove(void *ctx, struct ctl_call *call);
enum ctl_step operator_ban_list(void *ctx, struct ctl_call *call);
enum ctl_step operator_budget_show(void *ctx, struct ctl_call *call);
enum ctl_step operator_budget_reset(void *ctx, struct ctl_call *call);
enum ctl_step operator_user_show(void *ctx, struct ctl_call *call);
enum ctl_step operator_realm_list(void *ctx, struct ctl_call *call);
enum ctl_step operator_policy_explain(void *ctx, struct ctl_call *call);
enum ctl_step operator_config_check(void *ctx, struct ctl_call *call);
enum ctl_step operator_config_reload(void *ctx, struct ctl_call *call);
enum ctl_step operator_log_level(void *ctx, struct ctl_call *call);

// Logs the change of an operator's command: the command, its sender, and `fields` (NULL: none).
void operator_log(
	enum log_event_id event, const struct ctl_call *call, const struct log_field *fields);

// New references, NULL without memory.
json_t *operator_json_u64(uint64_t v);
json_t *operator_json_addr(const struct tp_addr *a); // with port
json_t *operator_json_ip(const struct tp_addr *a);
json_t *operator_json_mac(const uint8_t mac[6]);
// Text that others chose: invalid UTF-8 is replaced.
json_t *operator_json_text(const void *data, size_t len);

// Cycles per packet of a worker; null with too few packets.
json_t *operator_json_cycles(const struct operator_worker_rates *rates);

// The transport of its client. A new reference, NULL without memory.
json_t *operator_transport_json(
	const struct operator_desk *op, const struct turn_allocation_record *rec);

// By its id, a relayed address with the port or the client's. How many there are; the first is in
// `view`.
unsigned operator_allocation_find(
	const struct operator_desk *op, const char *text, struct turn_allocation_view *view);

// The realm of that name, NULL: the file's own; NULL: there is none.
const struct turn_realm_conf *operator_realm_named(
	const struct operator_desk *op, const char *name);
// The answer where there is none of the argument "realm".
enum ctl_step operator_realm_missing(struct ctl_call *call);

// The text of an enum turn_identity_kind.
const char *operator_identity_name(unsigned kind);

// Bans, and logs it. 0 or a negative errno: -EIO where it holds but is not kept.
int operator_ban(struct operator_desk *op, const struct ctl_call *call, const struct turn_ban *ban);

// No data plane has made its files yet.
enum ctl_step operator_no_dataplane(struct ctl_call *call);

// Until then, from the wall clock; negative: it is over.
int64_t operator_days_left(uint64_t expires_s);
// Whether a time will come, or has come, from which nobody has a valid credential of the realm: the
// end of the last of its secrets and keys, or now where none is in force. False: it has users that
// have no end, or that stand elsewhere.
bool operator_credentials_end(
	const struct turn_realm_conf *realm, uint64_t wall_s, uint64_t *end_s);
// Appends a warning; `next`: the remedy.
void operator_warn(json_t *list, const char *next, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
// The age of a time that the data plane keeps.
uint64_t operator_age_ns(const _Atomic uint64_t *then, uint64_t now_ns);
// The losses of `status`, the cause of the others first, appended to `list`. True: all packets are
// lost.
bool operator_losses_collect(const struct operator_desk *op, uint64_t now_ns, json_t *list);
// Everything else that needs attention, likewise.
void operator_warnings_collect(const struct operator_desk *op, uint64_t now_ns, json_t *list);
