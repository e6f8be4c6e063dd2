// SPDX-License-Identifier: BSD-3-Clause
#include "handlers.h"

#include <text/time.h>

#include <proc/clock.h>

static json_t *time_json(uint64_t unix_s)
{
	char text[TEXT_TIME_SIZE];

	return unix_s == 0 ? json_null() : json_string(text_time_format(unix_s, text));
}

static const char *state_of(const struct turn_secret *secret, uint64_t wall_s)
{
	if (secret == NULL)
		return "removed";
	if (wall_s < secret->not_before_s)
		return "not yet";
	return secret->not_after_s != 0 && wall_s > secret->not_after_s ? "over" : "in force";
}

static json_t *secret_json(const char *realm, const struct turn_secret_view *view, uint64_t wall_s)
{
	static const char *const hmacs[] = {
		[TURN_HMAC_SHA1] = "sha1",
		[TURN_HMAC_SHA256] = "sha256",
		[TURN_HMAC_ANY] = "any",
	};
	const struct turn_secret *secret = view->secret;

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "realm", realm, "id",
		view->name, "state", state_of(secret, wall_s), "hmac",
		secret != NULL ? json_string(hmacs[secret->hmac]) : json_null(), "not_before",
		time_json(secret != NULL ? secret->not_before_s : 0), "not_after",
		time_json(secret != NULL ? secret->not_after_s : 0), "requests",
		operator_json_u64(view->requests), "last_used", time_json(view->last_s),
		"allocations", operator_json_u64(view->n_allocations));
}

// One in force, or one that follows without a gap, carries on.
static uint64_t later(uint64_t end_s, uint64_t not_before_s, uint64_t not_after_s)
{
	if (end_s == UINT64_MAX || not_before_s > end_s + 1)
		return end_s;
	if (not_after_s == 0)
		return UINT64_MAX;
	return not_after_s > end_s ? not_after_s : end_s;
}

static uint64_t carry_on(const struct turn_realm_conf *realm, uint64_t end_s)
{
	for (size_t i = 0; i < realm->n_secrets; i++)
		end_s = later(end_s, realm->secrets[i].not_before_s, realm->secrets[i].not_after_s);
	for (size_t i = 0; i < realm->n_token_keys; i++)
		end_s = later(
			end_s, realm->token_keys[i].not_before_s, realm->token_keys[i].not_after_s);
	return end_s;
}

bool operator_credentials_end(const struct turn_realm_conf *realm, uint64_t wall_s, uint64_t *end_s)
{
	uint64_t before;

	if (realm->n_users > 0 || realm->directory || realm->keys_looked_up)
		return false;
	*end_s = wall_s;
	// They stand in any order.
	do {
		before = *end_s;
		*end_s = carry_on(realm, before);
	} while (*end_s != before);
	return *end_s != UINT64_MAX;
}

enum ctl_step operator_secret_list(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	const struct settings *settings = op->sources.settings;
	uint64_t wall_s = proc_wall_s();

	call->result = json_array();
	for (size_t i = 0; i < settings->n_realms; i++) {
		const struct turn_realm_conf *realm = &settings->realms[i];
		struct turn_secret_view view;
		size_t cursor = 0;

		while (turn_secret_next(op->sources.turn, realm->id, &cursor, &view))
			json_array_append_new(
				call->result, secret_json(realm->name, &view, wall_s));
	}
	return CTL_DONE;
}
