// SPDX-License-Identifier: BSD-3-Clause
#include "views.h"

#include <errno.h>
#include <string.h>

#include <conf/conf.h>
#include <log/log.h>
#include <text/addr.h>
#include <text/buf.h>

#include "clock.h"

#define TTL_DEFAULT_S 86400u
#define TTL_MAX_S     (365u * 86400u)
#define NAME_MAX_LEN  256u

// One address once, IPv4 first: most clients try them in turn.
static json_t *uris_make(const struct io_relay *r)
{
	static const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	const struct turn_conf *t = &r->settings->turn;
	json_t *list = json_array();

	for (size_t f = 0; f < TP_ARRAY_LEN(families); f++) {
		for (size_t i = 0; i < t->n_listeners; i++) {
			char buf[TEXT_ADDR_SIZE];

			if (t->listeners[i].advertised.family != families[f])
				continue;
			json_array_append_new(
				list, json_sprintf("turn:%s?transport=udp",
					      text_addr_format(&t->listeners[i].advertised, buf)));
		}
	}
	return list;
}

enum ctl_step io_view_credential_mint(void *ctx, struct ctl_call *call)
{
	struct io_relay *r = ctx;
	const char *user = ctl_call_text(call, "user");
	uint64_t ttl_s = ctl_call_number(call, "ttl");
	char username[TURN_USERNAME_MAX + 1];
	char password[64];
	int rc;

	if (json_object_get(call->arguments, "ttl") == NULL)
		ttl_s = TTL_DEFAULT_S;
	if (ttl_s == 0 || ttl_s > TTL_MAX_S)
		return ctl_call_fail(call, "usage", "give 1 to 31536000 seconds",
			"credential mint: ttl is out of range");
	if (strlen(user) > NAME_MAX_LEN || !text_is_printable(user, strlen(user)))
		return ctl_call_fail(call, "usage",
			"give at most 256 octets of text without control characters",
			"credential mint: user is no user name");
	rc = turn_mint_credential(&r->settings->turn, user, io_wall_s() + ttl_s, username,
		sizeof(username), password, sizeof(password));
	if (rc == -ENOENT)
		return ctl_call_fail(call, "refused", "add secrets: to the configuration",
			"no shared secret is configured");
	if (rc < 0)
		return ctl_call_fail(
			call, "internal", "report it", "credential mint: %s", strerror(-rc));
	io_operator_log(LOG_EV_OPERATOR_COMMAND, call,
		LOG_FIELDS(log_str("user", username), log_u64("ttl_s", ttl_s)));
	call->result = json_pack("{s:s, s:s, s:o, s:o}", "username", username, "password", password,
		"ttl", io_json_u64(ttl_s), "uris", uris_make(r));
	explicit_bzero(password, sizeof(password));
	return CTL_DONE;
}

static json_t *mistakes_json(const struct conf_errors *errs)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errs->len; i++) {
		const struct conf_error *e = &errs->items[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:s, s:s, s:s}", "severity",
						    e->warning ? "warning" : "error", "file",
						    e->file, "line", (int)e->line, "key", e->key,
						    "problem", e->problem, "remedy", e->remedy));
	}
	return list;
}

enum ctl_step io_view_config_check(void *ctx, struct ctl_call *call)
{
	const struct io_relay *r = ctx;
	struct conf_request request = {.role = CONF_FOR_CONTROL,
		.path = r->options.config,
		.instance = r->options.instance};
	struct conf_errors errs = {0};
	struct conf *conf = NULL;
	int rc;

	// The daemon may read what the operator may not.
	if (ctl_call_text(call, "file") != NULL)
		return ctl_call_fail(call, "usage", "relayctl config check FILE reads it itself",
			"the daemon checks no file but its own");
	if (request.path == NULL)
		return ctl_call_fail(call, "refused", "start turnpike-control with --config FILE",
			"the daemon runs without a configuration file");
	rc = conf_load(&request, &conf, &errs);
	conf_free(conf);
	if (rc == -ENOMEM)
		return ctl_call_fail(call, "internal", "is there memory left?", "out of memory");
	call->result = mistakes_json(&errs);
	conf_errors_fini(&errs);
	return CTL_DONE;
}

enum ctl_step io_view_log_level(void *ctx, struct ctl_call *call)
{
	const char *name = ctl_call_text(call, "level");
	enum log_level level;

	(void)ctx;
	if (name != NULL && log_level_parse(name, &level) == 0) {
		io_operator_log(LOG_EV_LOG_LEVEL_CHANGED, call,
			LOG_FIELDS(log_str("from", log_level_name(log_level_get())),
				log_str("to", name)));
		log_level_set(level);
	}
	call->result = json_pack("{s:s}", "level", log_level_name(log_level_get()));
	return CTL_DONE;
}
