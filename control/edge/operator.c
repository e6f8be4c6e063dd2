// SPDX-License-Identifier: BSD-3-Clause
// The commands of operators that this process answers.
#include "edge.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <log/log.h>
#include <proc/clock.h>

#define OPERATORS_MAX 16u
#define PATIENCE_NS   (10 * TP_NS_PER_S)
#define IDLE_NS	      (600 * TP_NS_PER_S)
#define DAY_S	      86400
#define WARN_DAYS     14

// ---- edge show ----------------------------------------------------------------------------------

static void counter_add(
	json_t *list, const char *prefix, const char *name, uint64_t v, const char *text)
{
	char key[64];

	snprintf(key, sizeof(key), "%s%s", prefix, name);
	json_array_append_new(list,
		json_pack("{s:s,s:I,s:s}", "counter", key, "value", (json_int_t)v, "text", text));
}

static json_t *counters_json(struct edge *e)
{
	json_t *list = json_array();
	struct edge_link_counters link = {0};
	struct edge_relay_counters relay;
	struct serve_counters c;

	edge_relay_counters_read(e->relay, &relay);
	serve_counters_read(e->serve, &c);
	edge_link_counters_add(e->link, &link);
#define RELAY_ADD(name, text) counter_add(list, "relay_", #name, relay.name, text);
	EDGE_RELAY_COUNTERS(RELAY_ADD)
#undef RELAY_ADD
#define SERVE_COUNTER_ADD(name, text) counter_add(list, "", #name, c.name, text);
	SERVE_COUNTERS(SERVE_COUNTER_ADD)
#undef SERVE_COUNTER_ADD
#define SERVE_CLOSE_ADD(name, text)                                                                \
	counter_add(list, "closed_", #name, c.closed[SERVE_CLOSE_##name], text);
	SERVE_CLOSES(SERVE_CLOSE_ADD)
#undef SERVE_CLOSE_ADD
#define ADMIT_ADD(name, text)                                                                      \
	counter_add(list, "refused_", #name, c.refused[ADMIT_REFUSED_##name], text);
	ADMIT_REFUSALS(ADMIT_ADD)
#undef ADMIT_ADD
#define LINK_ADD(name, text) counter_add(list, "link_", #name, link.name, text);
	EDGE_LINK_COUNTERS(LINK_ADD)
#undef LINK_ADD
	return list;
}

static enum ctl_step edge_show(void *ctx, struct ctl_call *call)
{
	struct edge *e = ctx;
	struct edge_link_up up = edge_link_is_up(e->link);

	call->result = json_pack("{s:s,s:i,s:I,s:b,s:b,s:i,s:i,s:i,s:o}", "version",
		TURNPIKE_VERSION, "pid", (int)getpid(), "uptime_s",
		(json_int_t)((call->now_ns - e->started_ns) / TP_NS_PER_S), "control", up.control,
		"dataplane", up.dataplane, "threads", (int)e->conf->edge.threads, "connections",
		(int)serve_connections(e->serve), "connections_max", (int)e->conf->edge.connections,
		"counters", counters_json(e));
	return CTL_DONE;
}

// ---- certificates -------------------------------------------------------------------------------

static enum ctl_step certificate_show(void *ctx, struct ctl_call *call)
{
	struct edge *e = ctx;
	char file[256] = "", when[32] = "";
	uint64_t expires_s = serve_expires_s(e->serve, file, sizeof(file));
	int64_t days = ((int64_t)expires_s - (int64_t)proc_wall_s()) / DAY_S;
	time_t t = (time_t)expires_s;
	struct tm tm;

	if (expires_s == 0)
		return ctl_call_fail(call, "not_found",
			"add a listener with transport: tls or dtls",
			"no listener has a certificate");
	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	call->result = json_pack("{s:s,s:s,s:I,s:s}", "file", file, "expires", when, "days",
		(json_int_t)days, "warning",
		expires_s <= proc_wall_s() ? "expired: renew it, then relayctl certificate reload"
		: days < WARN_DAYS	   ? "renew it, then relayctl certificate reload"
					   : "none");
	return CTL_DONE;
}

static enum ctl_step certificate_reload(void *ctx, struct ctl_call *call)
{
	struct edge *e = ctx;
	struct tls_error err;
	int rc = edge_reload(e, &err);

	log_event(LOG_EV_OPERATOR_COMMAND,
		LOG_FIELDS(log_str("command", call->command->name), log_u64("uid", call->uid),
			log_i64("pid", call->pid), log_bool("done", rc == 0)));
	return rc < 0 ? ctl_call_fail(call, "refused", err.remedy,
				"%s; the certificates before stay in use", err.problem)
		      : certificate_show(ctx, call);
}

static const struct ctl_handler handlers[] = {
	{"edge show", edge_show},
	{"certificate show", certificate_show},
	{"certificate reload", certificate_reload},
};

static void path_make(const struct edge *e, char path[2 * SHM_PATH_MAX], const char *suffix)
{
	snprintf(path, 2 * SHM_PATH_MAX, "%s/%s%s", e->place.run_directory, TP_EDGE_CTL_NAME,
		suffix);
}

int edge_operator_open(struct edge *e)
{
	char path[2 * SHM_PATH_MAX];
	const struct ctl_server_conf conf = {
		.path = path,
		.group = e->conf->control.group,
		.version = TURNPIKE_VERSION,
		.instance = e->conf->instance,
		.layout_version = TP_LAYOUT_VERSION,
		.handlers = handlers,
		.n_handlers = TP_ARRAY_LEN(handlers),
		.ctx = e,
		.max_clients = OPERATORS_MAX,
		.patience_ns = PATIENCE_NS,
		.idle_ns = IDLE_NS,
	};

	path_make(e, path, e->before.fd >= 0 ? TAKEOVER_LATER : "");
	return ctl_server_create(&conf, &e->ctl);
}

int edge_operator_rename(struct edge *e)
{
	char path[2 * SHM_PATH_MAX];

	path_make(e, path, "");
	return ctl_server_rename(e->ctl, path);
}
