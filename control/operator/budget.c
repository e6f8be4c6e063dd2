// SPDX-License-Identifier: BSD-3-Clause
#include "handlers.h"

#include <string.h>

#include <log/log.h>
#include <text/time.h>

#include <proc/clock.h>

#define PART	 128u  // users of one answer
#define STEP_MAX 4096u // looked at for one answer

const char *operator_identity_name(unsigned kind)
{
	static const char *const names[] = {
		[TURN_IDENTITY_UNKNOWN] = "unknown",
		[TURN_IDENTITY_STATIC] = "static",
		[TURN_IDENTITY_DIRECTORY] = "directory",
		[TURN_IDENTITY_REST] = "time-limited",
		[TURN_IDENTITY_TOKEN] = "token",
	};

	return kind < TP_ARRAY_LEN(names) ? names[kind] : names[TURN_IDENTITY_UNKNOWN];
}

static const char *realm_name(const struct operator_desk *op, uint16_t id)
{
	const struct settings *s = op->sources.settings;

	for (size_t i = 0; i < s->n_realms; i++) {
		if (s->realms[i].id == id)
			return s->realms[i].name;
	}
	return "";
}

static json_t *budget_json(const struct operator_desk *op, const struct turn_budget_view *v)
{
	const struct turn_budget_record *r = &v->record;
	char since[TEXT_TIME_SIZE], until[TEXT_TIME_SIZE];

	return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:s}", "user",
		operator_json_text(r->name, r->name_len), "realm", realm_name(op, r->realm_id),
		"kind", operator_identity_name(r->kind), "octets", operator_json_u64(r->octets),
		"budget", v->limit != 0 ? operator_json_u64(v->limit) : json_null(), "used",
		v->limit != 0 ? json_real((double)r->octets / (double)v->limit) : json_null(),
		"since", text_time_format(r->since_s, since), "until",
		text_time_format(v->until_s, until));
}

static bool is_asked_for(
	const struct turn_budget_view *v, const char *user, const struct turn_realm_conf *realm)
{
	const struct turn_budget_record *r = &v->record;

	return (realm == NULL || realm->id == r->realm_id) &&
	       (user == NULL ||
		       (strlen(user) == r->name_len && memcmp(user, r->name, r->name_len) == 0));
}

enum ctl_step operator_budget_show(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	const char *user = ctl_call_text(call, "user"), *name = ctl_call_text(call, "realm");
	const struct turn_realm_conf *realm = name != NULL ? operator_realm_named(op, name) : NULL;
	uint64_t wall_s = proc_wall_s();
	uint32_t cursor = (uint32_t)call->cursor;
	struct turn_budget_view view;
	bool more = true;

	if (name != NULL && realm == NULL)
		return operator_realm_missing(call);
	call->result = json_array();
	for (unsigned i = 0; i < STEP_MAX && more && json_array_size(call->result) < PART; i++) {
		more = turn_budget_next(op->sources.turn, wall_s, &cursor, &view);
		if (more && is_asked_for(&view, user, realm))
			json_array_append_new(call->result, budget_json(op, &view));
	}
	call->cursor = cursor;
	return more ? CTL_MORE : CTL_DONE;
}

enum ctl_step operator_budget_reset(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	const struct turn_realm_conf *realm =
		operator_realm_named(op, ctl_call_text(call, "realm"));
	const char *user = ctl_call_text(call, "user");
	int n;

	if (realm == NULL)
		return operator_realm_missing(call);
	n = op->budget_reset != NULL ? op->budget_reset(op->reload_ctx, realm->id, user) : 0;
	if (n == 0)
		return ctl_call_fail(call, "not_found", "relayctl budget show",
			"no bytes are counted for a user %.64s of the realm", user);
	operator_log(LOG_EV_BUDGET_RESET, call,
		LOG_FIELDS(log_str("user", user), log_str("realm", realm->name)));
	if (n < 0)
		return ctl_call_fail(call, "internal", "see budgets_not_kept in the log",
			"it holds, but is not kept over a restart");
	call->result =
		json_pack("{s:s, s:s, s:i}", "user", user, "realm", realm->name, "budgets", n);
	return CTL_DONE;
}
