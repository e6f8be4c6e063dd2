// SPDX-License-Identifier: BSD-3-Clause
#include "handlers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <log/log.h>
#include <text/addr.h>
#include <text/buf.h>
#include <text/time.h>

#include <proc/clock.h>

#define DEFAULT_S 3600u
#define LONGEST_S (3650ull * 86400u)

static const char *const kinds[] = {
	[TURN_BAN_NONE] = "none",
	[TURN_BAN_USER] = "user",
	[TURN_BAN_CREDENTIAL] = "credential",
	[TURN_BAN_PREFIX] = "prefix",
};

// "90", "90s", "15m", "1h", "7d": seconds; 0: none of these.
static uint64_t duration_parse(const char *s)
{
	static const struct {
		char unit;
		uint64_t s;
	} units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end;
	uint64_t n;

	if (s[0] < '1' || s[0] > '9' || strlen(s) > 9)
		return 0;
	n = strtoull(s, &end, 10);
	for (size_t i = 0; i < TP_ARRAY_LEN(units); i++) {
		if (end[0] == units[i].unit && (end[0] == '\0' || end[1] == '\0'))
			return n * units[i].s;
	}
	return 0;
}

const struct turn_realm_conf *operator_realm_named(const struct operator_desk *op, const char *name)
{
	const struct settings *s = op->sources.settings;

	for (size_t i = 0; i < s->n_realms; i++) {
		if (name == NULL || strcmp(s->realms[i].name, name) == 0)
			return &s->realms[i];
	}
	return NULL;
}

enum ctl_step operator_realm_missing(struct ctl_call *call)
{
	return ctl_call_fail(call, "not_found", "relayctl -j status lists realms",
		"there is no realm %.64s", ctl_call_text(call, "realm"));
}

// Digits alone, or digits in front of the separator: the USERNAME of a time-limited credential.
static bool is_credential(const struct turn_realm_conf *realm, const char *text)
{
	size_t n = strspn(text, "0123456789");

	return (realm->n_secrets > 0 || realm->keys_looked_up) && n > 0 &&
	       (text[n] == '\0' || text[n] == realm->separator);
}

// With a port, in brackets, or with bits behind the prefix: a ban of a user named so would shut
// nobody out.
static bool is_like_address(const char *text)
{
	struct tp_addr addr;
	char ip[TEXT_ADDR_SIZE];

	snprintf(ip, sizeof(ip), "%.*s", (int)strcspn(text, "/"), text);
	return text_ip_parse(ip, &addr) == 0 || text_addr_parse(text, &addr) == 0;
}

static bool subject_read(
	const struct turn_realm_conf *realm, const char *text, struct turn_ban *ban)
{
	size_t len = strlen(text);

	ban->realm_id = realm->id;
	if (text_cidr_parse(text, &ban->prefix) == 0) {
		ban->kind = TURN_BAN_PREFIX;
		ban->realm_id = 0;
		return true;
	}
	ban->kind = is_credential(realm, text) ? TURN_BAN_CREDENTIAL : TURN_BAN_USER;
	if (len == 0 || len > sizeof(ban->name) || is_like_address(text))
		return false;
	ban->name_len = (uint16_t)len;
	memcpy(ban->name, text, len);
	return true;
}

static json_t *subject_json(const struct turn_ban *ban)
{
	char buf[TEXT_ADDR_SIZE];

	return ban->kind == TURN_BAN_PREFIX ? json_string(text_cidr_format(&ban->prefix, buf))
					    : operator_json_text(ban->name, ban->name_len);
}

static json_t *ban_json(const struct operator_desk *op, const struct turn_ban *ban)
{
	const struct settings *s = op->sources.settings;
	const char *realm = NULL;
	char text[TEXT_TIME_SIZE];

	for (size_t i = 0; i < s->n_realms && ban->kind != TURN_BAN_PREFIX; i++) {
		if (s->realms[i].id == ban->realm_id)
			realm = s->realms[i].name;
	}
	return json_pack("{s:o, s:s, s:o, s:s}", "subject", subject_json(ban), "kind",
		kinds[ban->kind], "realm", realm != NULL ? json_string(realm) : json_null(),
		"until", text_time_format(ban->until_s, text));
}

static void ban_log(
	enum log_event_id event, const struct ctl_call *call, const struct turn_ban *ban)
{
	char buf[TEXT_ADDR_SIZE], text[TEXT_TIME_SIZE];

	operator_log(event, call,
		LOG_FIELDS(log_str("kind", kinds[ban->kind]),
			ban->kind == TURN_BAN_PREFIX
				? log_str("subject", text_cidr_format(&ban->prefix, buf))
				: log_text("subject", ban->name, ban->name_len),
			log_str("until", text_time_format(ban->until_s, text))));
}

static enum ctl_step subject_refuse(struct ctl_call *call)
{
	return ctl_call_fail(call, "usage",
		"give a user name, the user name of a time-limited credential, an address without "
		"a port, or a prefix without bits behind it",
		"%s: invalid subject", call->command->name);
}

static enum ctl_step outcome(
	struct operator_desk *op, struct ctl_call *call, const struct turn_ban *ban, int rc)
{
	switch (rc) {
	case 0:
		call->result = ban_json(op, ban);
		return CTL_DONE;
	case -ENOENT:
		return ctl_call_fail(call, "not_found", "relayctl ban list",
			"there is no such ban in the realm");
	case -ENOSPC:
		return ctl_call_fail(call, "refused", "lift others, or ban a wider prefix",
			"there are %u bans, or %u of prefixes", TURN_BANS_MAX,
			TURN_BAN_PREFIXES_MAX);
	case -EIO:
		return ctl_call_fail(call, "internal", "see bans_not_kept in the log",
			"it holds, but is not kept over a restart");
	default:
		return ctl_call_fail(call, "internal", "report it", "ban: %s", strerror(-rc));
	}
}

int operator_ban(struct operator_desk *op, const struct ctl_call *call, const struct turn_ban *ban)
{
	int rc = op->ban != NULL ? op->ban(op->reload_ctx, ban, false) : -ENOSYS;

	if (rc == 0 || rc == -EIO)
		ban_log(LOG_EV_BAN_ADDED, call, ban);
	return rc;
}

enum ctl_step operator_ban_add(void *ctx, struct ctl_call *call)
{
	struct operator_desk *op = ctx;
	const struct turn_realm_conf *realm =
		operator_realm_named(op, ctl_call_text(call, "realm"));
	const char *length = ctl_call_text(call, "for");
	uint64_t length_s = length != NULL ? duration_parse(length) : DEFAULT_S;
	struct turn_ban ban = {0};

	if (realm == NULL)
		return operator_realm_missing(call);
	if (length_s == 0 || length_s > LONGEST_S)
		return ctl_call_fail(call, "usage", "give a time such as 90s, 15m, 1h or 7d",
			"ban add: invalid time %.32s", length);
	if (!subject_read(realm, ctl_call_text(call, "subject"), &ban))
		return subject_refuse(call);
	ban.until_s = proc_wall_s() + length_s;
	return outcome(op, call, &ban, operator_ban(op, call, &ban));
}

enum ctl_step operator_ban_remove(void *ctx, struct ctl_call *call)
{
	struct operator_desk *op = ctx;
	const struct turn_realm_conf *realm =
		operator_realm_named(op, ctl_call_text(call, "realm"));
	struct turn_ban ban = {0};
	int rc;

	if (realm == NULL)
		return operator_realm_missing(call);
	if (!subject_read(realm, ctl_call_text(call, "subject"), &ban))
		return subject_refuse(call);
	rc = op->ban != NULL ? op->ban(op->reload_ctx, &ban, true) : -ENOSYS;
	// The credential of a token looks like the name of a user.
	if (rc == -ENOENT && ban.kind == TURN_BAN_USER) {
		ban.kind = TURN_BAN_CREDENTIAL;
		rc = op->ban(op->reload_ctx, &ban, true);
	}
	ban.until_s = proc_wall_s();
	if (rc == 0 || rc == -EIO)
		ban_log(LOG_EV_BAN_REMOVED, call, &ban);
	return outcome(op, call, &ban, rc);
}

enum ctl_step operator_ban_list(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	struct turn_ban ban;
	uint32_t cursor = 0;

	call->result = json_array();
	while (turn_ban_next(op->sources.turn, &cursor, &ban))
		json_array_append_new(call->result, ban_json(op, &ban));
	return CTL_DONE;
}
