// SPDX-License-Identifier: BSD-3-Clause
#include "handlers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <conf/conf.h>
#include <log/log.h>
#include <text/addr.h>
#include <text/buf.h>

#include <proc/clock.h>

#define TTL_DEFAULT_S 86400u
#define TTL_MAX_S     (365u * 86400u)
#define NAME_MAX_LEN  256u
#define PASSWORD_SIZE 64u

// NULL: clients know it by its address alone.
static const char *first_name(const struct conf_listener *listener)
{
	for (size_t i = 0; i < listener->n_names; i++) {
		if (listener->names[i][0] != '*')
			return listener->names[i];
	}
	return NULL;
}

// RFC 7065. A certificate is for a name rather than for an address.
static json_t *uri_make(const struct conf_listener *listener, const struct turn_listener *l)
{
	bool secure = l->transport == TP_TRANSPORT_TLS || l->transport == TP_TRANSPORT_DTLS;
	const char *scheme = secure ? "turns" : "turn";
	const char *transport = l->transport == TP_TRANSPORT_TCP || l->transport == TP_TRANSPORT_TLS
					? "tcp"
					: "udp";
	const char *name = first_name(listener);
	char buf[TEXT_ADDR_SIZE];

	if (name != NULL)
		return json_sprintf("%s:%s:%u?transport=%s", scheme, name,
			(unsigned)tp_addr_port(&l->advertised), transport);
	return json_sprintf(
		"%s:%s?transport=%s", scheme, text_addr_format(&l->advertised, buf), transport);
}

// A mapped address or a name may be that of several listeners.
static void uri_add(json_t *list, json_t *uri)
{
	json_t *other;
	size_t i;

	json_array_foreach(list, i, other)
	{
		if (json_equal(other, uri)) {
			json_decref(uri);
			return;
		}
	}
	json_array_append_new(list, uri);
}

// Of the listeners that take the file's own realm and clients themselves. IPv4 first: most clients
// try them in turn.
static json_t *uris_make(const struct operator_desk *op)
{
	static const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	const struct settings *s = op->sources.settings;
	json_t *list = json_array();

	for (size_t f = 0; f < TP_ARRAY_LEN(families); f++) {
		for (size_t i = 0; i < s->turn.n_listeners; i++) {
			const struct conf_listener *listener = &s->conf->listeners[i];
			const struct turn_listener *l = &s->turn.listeners[i];

			if (l->advertised.family == families[f] && l->realm == 0 &&
				listener->n_proxies == 0)
				uri_add(list, uri_make(listener, l));
		}
	}
	return list;
}

static int mint(const struct operator_desk *op, const char *user, uint64_t expiry_s,
	char username[TURN_USERNAME_MAX + 1], char password[PASSWORD_SIZE])
{
	struct turn_realm_conf realm = op->sources.settings->realms[0];

	realm.secrets = turn_secret_to_mint(&realm, proc_wall_s());
	realm.n_secrets = realm.secrets != NULL;
	return turn_mint_credential(
		&realm, user, expiry_s, username, TURN_USERNAME_MAX + 1, password, PASSWORD_SIZE);
}

enum ctl_step operator_credential_mint(void *ctx, struct ctl_call *call)
{
	struct operator_desk *op = ctx;
	const char *user = ctl_call_text(call, "user");
	uint64_t ttl_s = ctl_call_number(call, "ttl");
	char username[TURN_USERNAME_MAX + 1];
	char password[PASSWORD_SIZE];
	int rc;

	if (json_object_get(call->arguments, "ttl") == NULL)
		ttl_s = TTL_DEFAULT_S;
	if (ttl_s == 0 || ttl_s > TTL_MAX_S)
		return ctl_call_fail(call, "usage", "give 1 to 31536000 seconds",
			"credential mint: ttl is out of range");
	if (op->sources.settings->turn.credential_lifetime_s > 0 &&
		ttl_s > op->sources.settings->turn.credential_lifetime_s)
		return ctl_call_fail(call, "usage",
			"give a shorter ttl or raise limits.credential_lifetime",
			"credential mint: ttl is longer than limits.credential_lifetime, %u s",
			op->sources.settings->turn.credential_lifetime_s);
	if (strlen(user) > NAME_MAX_LEN || !text_is_printable(user, strlen(user)))
		return ctl_call_fail(call, "usage",
			"give at most 256 bytes of text without control characters",
			"credential mint: invalid user name");
	rc = mint(op, user, proc_wall_s() + ttl_s, username, password);
	if (rc == -ENOENT)
		return ctl_call_fail(call, "refused", "add secrets: to the configuration",
			"no shared secret is configured and in force");
	if (rc < 0)
		return ctl_call_fail(
			call, "internal", "report it", "credential mint: %s", strerror(-rc));
	operator_log(LOG_EV_OPERATOR_COMMAND, call,
		LOG_FIELDS(log_str("user", username), log_u64("ttl_s", ttl_s)));
	call->result = json_pack("{s:s, s:s, s:o, s:o}", "username", username, "password", password,
		"ttl", operator_json_u64(ttl_s), "uris", uris_make(op));
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

// The filter of system calls forbids another look at the kernel: the mirror knows.
static bool mirror_has(void *ctx, const struct tp_addr *ip)
{
	return net_mirror_address_owner(ctx, ip) != 0;
}

enum ctl_step operator_config_check(void *ctx, struct ctl_call *call)
{
	const struct operator_desk *op = ctx;
	struct conf_request request = {
		.role = CONF_FOR_CONTROL, .path = op->config, .instance = op->instance};
	struct conf_errors errs = {0};
	struct conf *conf = NULL;
	int rc;

	// The daemon may read files that the operator may not.
	if (ctl_call_text(call, "file") != NULL)
		return ctl_call_fail(call, "usage", "relayctl config check FILE reads it itself",
			"the daemon checks no file but its own");
	if (request.path == NULL)
		return ctl_call_fail(call, "refused", "start turnpike-control with --config FILE",
			"the daemon runs without a configuration file");
	rc = conf_load(&request, &conf, &errs);
	if (rc == 0)
		conf_host_judge(conf, mirror_has, (void *)(uintptr_t)op->sources.mirror, &errs);
	conf_free(conf);
	if (rc == -ENOMEM)
		return ctl_call_fail(call, "internal", "is there memory left?", "out of memory");
	call->result = mistakes_json(&errs);
	conf_errors_fini(&errs);
	return CTL_DONE;
}

static const char *effect_of(const struct settings_change *c, bool dry_run)
{
	static const char *const elsewhere[] = {
		[SETTINGS_EDGE] = "SIGHUP to turnpike-edge",
		[SETTINGS_EDGE_START] = "restart of turnpike-edge",
		[SETTINGS_DIRECTORY] = "SIGHUP to turnpike-directory",
	};

	if (c->restart)
		return "restart";
	if (c->reach != SETTINGS_CONTROL)
		return elsewhere[c->reach];
	return dry_run ? "reload" : "in force";
}

static json_t *changes_json(const struct settings_diff *d, bool dry_run)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < d->n && i < SETTINGS_CHANGES_MAX; i++) {
		const struct settings_change *c = &d->changes[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "key", c->key, "change",
						    c->text, "effect", effect_of(c, dry_run)));
	}
	return list;
}

enum ctl_step operator_config_reload(void *ctx, struct ctl_call *call)
{
	struct operator_desk *op = ctx;
	bool dry_run = json_is_true(json_object_get(call->arguments, "dry-run"));
	struct operator_reload *r = malloc(sizeof(*r));
	enum ctl_step step = CTL_DONE;
	int rc;

	if (r == NULL)
		return ctl_call_fail(call, "internal", "free memory", "out of memory");
	rc = op->reload(op->reload_ctx, dry_run, r);
	if (rc < 0)
		step = ctl_call_fail(call, "refused", r->remedy, "%s", r->problem);
	else
		call->result = changes_json(&r->diff, dry_run);
	if (rc == 0 && !dry_run)
		operator_log(LOG_EV_OPERATOR_COMMAND, call, NULL);
	free(r);
	return step;
}

enum ctl_step operator_log_level(void *ctx, struct ctl_call *call)
{
	const char *name = ctl_call_text(call, "level");
	enum log_level level;

	(void)ctx;
	if (name != NULL && log_level_parse(name, &level) == 0) {
		operator_log(LOG_EV_LOG_LEVEL_CHANGED, call,
			LOG_FIELDS(log_str("from", log_level_name(log_level_get())),
				log_str("to", name)));
		log_level_set(level);
	}
	call->result = json_pack("{s:s}", "level", log_level_name(log_level_get()));
	return CTL_DONE;
}
