// SPDX-License-Identifier: BSD-3-Clause
// Limits of a user or a realm: the number in use, and the bound.
#include "handlers.h"

#include <string.h>

#include <proc/clock.h>

// Null: no limit.
static json_t *bound_json(uint64_t bound)
{
	return bound != 0 ? operator_json_u64(bound) : json_null();
}

static void view_put(json_t *o, const struct turn_user_view *v)
{
	json_object_set_new(o, "allocations", operator_json_u64(v->allocations));
	json_object_set_new(o, "allocations_max", bound_json(v->allocations_max));
	json_object_set_new(o, "connections", operator_json_u64(v->connections));
	json_object_set_new(o, "connections_max", bound_json(v->connections_max));
	json_object_set_new(o, "cap_bits_per_s", bound_json(v->cap.bits_per_s));
	json_object_set_new(o, "cap_packets_per_s", bound_json(v->cap.packets_per_s));
}

// Octets counted of the user in the present period.
static uint64_t octets_of(const struct operator_desk *op, uint16_t realm_id,
	enum turn_identity_kind kind, const char *name)
{
	struct turn_budget_view view;
	uint32_t cursor = 0;

	while (turn_budget_next(op->sources.turn, proc_wall_s(), &cursor, &view)) {
		const struct turn_budget_record *r = &view.record;

		if (r->realm_id == realm_id && r->kind == kind && r->name_len == strlen(name) &&
			memcmp(r->name, name, r->name_len) == 0)
			return r->octets;
	}
	return 0;
}

static json_t *user_json(const struct operator_desk *op, const struct turn_realm_conf *realm,
	const char *name, const struct turn_user_view *v)
{
	json_t *o = json_object();

	json_object_set_new(o, "user", operator_json_text(name, strlen(name)));
	json_object_set_new(o, "realm", json_string(realm->name));
	json_object_set_new(o, "kind", json_string(operator_identity_name(v->kind)));
	view_put(o, v);
	json_object_set_new(o, "ports", operator_json_u64(v->ports));
	json_object_set_new(o, "ports_max", bound_json(v->ports_max));
	json_object_set_new(o, "entries", operator_json_u64(v->entries));
	json_object_set_new(
		o, "octets", operator_json_u64(octets_of(op, realm->id, v->kind, name)));
	json_object_set_new(o, "budget", bound_json(realm->budget.octets));
	return o;
}

enum ctl_step operator_user_show(void *ctx, struct ctl_call *call)
{
	static const enum turn_identity_kind kinds[] = {
		TURN_IDENTITY_STATIC, TURN_IDENTITY_DIRECTORY, TURN_IDENTITY_REST};
	const struct operator_desk *op = ctx;
	const struct turn_realm_conf *realm =
		operator_realm_named(op, ctl_call_text(call, "realm"));
	const char *name = ctl_call_text(call, "user");

	if (realm == NULL)
		return operator_realm_missing(call);
	call->result = json_array();
	for (size_t i = 0; i < TP_ARRAY_LEN(kinds); i++) {
		struct turn_user_view view;

		if (turn_user_find(
			    op->sources.turn, realm->id, kinds[i], name, strlen(name), &view) == 0)
			json_array_append_new(call->result, user_json(op, realm, name, &view));
	}
	return CTL_DONE;
}

enum ctl_step operator_realm_list(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	const struct settings *s = op->sources.settings;

	call->result = json_array();
	for (size_t i = 0; i < s->n_realms; i++) {
		const struct turn_realm_counters *c =
			turn_get_realm_counters(op->sources.turn, s->realms[i].id);
		struct turn_user_view view;
		json_t *o;

		if (c == NULL || turn_realm_find(op->sources.turn, s->realms[i].id, &view) != 0)
			continue;
		o = json_pack("{s:s, s:o, s:o, s:o}", "realm", s->realms[i].name, "requests",
			operator_json_u64(c->requests), "refused", operator_json_u64(c->refused),
			"budget", bound_json(s->realms[i].budget.octets));
		view_put(o, &view);
		json_array_append_new(call->result, o);
	}
	return CTL_DONE;
}
