// SPDX-License-Identifier: BSD-3-Clause
#include <ctl/command.h>

#include <string.h>

#define LEN(a)	   (sizeof(a) / sizeof((a)[0]))
#define ARGS(a)	   .arguments = a, .n_arguments = LEN(a)
#define COLUMNS(a) .columns = a, .n_columns = LEN(a)

#define COLUMN(key, title, format)                                                                 \
	{                                                                                          \
		key, title, CTL_FORMAT_##format, NULL, 0                                           \
	}
#define TABLE(key, title, rows)                                                                    \
	{                                                                                          \
		key, title, CTL_FORMAT_ROWS, rows, LEN(rows)                                       \
	}

static const struct ctl_argument allocation_id[] = {
	{"id", CTL_ARGUMENT_TEXT, true, NULL, "as shown by `allocation list` and in the log"},
};

static const struct ctl_argument list_arguments[] = {
	{"user", CTL_ARGUMENT_TEXT, false, NULL, "only those of this user name"},
	{"client", CTL_ARGUMENT_TEXT, false, NULL, "only those of this client IP address"},
	{"limit", CTL_ARGUMENT_NUMBER, false, NULL, "at most so many"},
};

static const struct ctl_argument top_arguments[] = {
	{"hot", CTL_ARGUMENT_NUMBER, false, NULL,
		"how many of the busiest allocations, at most 64 (default 10)"},
};

static const struct ctl_argument trace_arguments[] = {
	{"client", CTL_ARGUMENT_TEXT, true, NULL, "its IP address, with or without a port"},
	{"packets", CTL_ARGUMENT_NUMBER, false, NULL, "at most so many (default 20; also -n)"},
	{"seconds", CTL_ARGUMENT_NUMBER, false, NULL, "at most so long (default 60)"},
};

static const struct ctl_argument capture_arguments[] = {
	{"allocation", CTL_ARGUMENT_TEXT, true, NULL,
		"its id, its relayed address with the port, or its client's"},
	{"write", CTL_ARGUMENT_TEXT, false, NULL,
		"the file, mode 0600; default or -: standard output (also -w)"},
	{"packets", CTL_ARGUMENT_NUMBER, false, NULL,
		"at most so many frames (default 10000; also -n and -c)"},
	{"seconds", CTL_ARGUMENT_NUMBER, false, NULL, "at most so long (default 60)"},
	{"snaplen", CTL_ARGUMENT_NUMBER, false, NULL,
		"octets of each frame at most (default all of it)"},
};

static const struct ctl_argument drop_arguments[] = {
	{"reasons", CTL_ARGUMENT_TEXT, false, "seen|all", "seen (default) leaves zeros out"},
};

static const struct ctl_argument mint_arguments[] = {
	{"user", CTL_ARGUMENT_TEXT, true, NULL,
		"whom the credential is for: part of its user name"},
	{"ttl", CTL_ARGUMENT_NUMBER, false, NULL, "seconds it is valid (default 86400)"},
};

static const struct ctl_argument ban_arguments[] = {
	{"subject", CTL_ARGUMENT_TEXT, true, NULL,
		"a user name, the user name of a time-limited credential, or a client's address or "
		"prefix"},
	{"for", CTL_ARGUMENT_TEXT, false, NULL, "90s, 15m, 1h (default), 7d"},
	{"realm", CTL_ARGUMENT_TEXT, false, NULL, "of the user (default: that of the file)"},
};

static const struct ctl_argument unban_arguments[] = {
	{"subject", CTL_ARGUMENT_TEXT, true, NULL, "as shown by `ban list`"},
	{"realm", CTL_ARGUMENT_TEXT, false, NULL, "of the user (default: that of the file)"},
};

static const struct ctl_argument budget_show_arguments[] = {
	{"user", CTL_ARGUMENT_TEXT, false, NULL, "only those of this name"},
	{"realm", CTL_ARGUMENT_TEXT, false, NULL, "only those of this realm"},
};

static const struct ctl_argument budget_reset_arguments[] = {
	{"user", CTL_ARGUMENT_TEXT, true, NULL, "as shown by `budget show`"},
	{"realm", CTL_ARGUMENT_TEXT, false, NULL, "of the user (default: that of the file)"},
};

static const struct ctl_argument user_arguments[] = {
	{"user", CTL_ARGUMENT_TEXT, true, NULL,
		"its name; of a time-limited credential the part behind the time"},
	{"realm", CTL_ARGUMENT_TEXT, false, NULL, "of the user (default: that of the file)"},
};

static const struct ctl_argument explain_arguments[] = {
	{"address", CTL_ARGUMENT_TEXT, true, NULL, "of the peer, with or without a port"},
	{"realm", CTL_ARGUMENT_TEXT, false, NULL, "of the client (default: that of the file)"},
	{"user", CTL_ARGUMENT_TEXT, false, NULL, "whose policy counts, where it has one"},
};

static const struct ctl_argument check_arguments[] = {
	{"file", CTL_ARGUMENT_TEXT, false, NULL,
		"the file to check, without a daemon; default: the one the daemon runs with"},
};

static const struct ctl_argument reload_arguments[] = {
	{"dry-run", CTL_ARGUMENT_FLAG, false, NULL, "show the difference, change nothing"},
};

static const struct ctl_argument level_arguments[] = {
	{"level", CTL_ARGUMENT_TEXT, false, "error|warning|info|debug",
		"the new level; without it the level is shown"},
};

static const struct ctl_column warning_columns[] = {
	COLUMN("what", "warning", TEXT),
	COLUMN("next", "next", TEXT),
};

static const struct ctl_column status_columns[] = {
	COLUMN("verdict", "verdict", TEXT),
	TABLE("warnings", "warnings", warning_columns),
	COLUMN("instance", "instance", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("version", "version", TEXT),
	COLUMN("control.pid", "control pid", NUMBER),
	COLUMN("control.uptime_s", "control up", SECONDS),
	COLUMN("dataplane.running", "data plane runs", YES_NO),
	COLUMN("dataplane.pid", "data plane pid", NUMBER),
	COLUMN("dataplane.uptime_s", "data plane up", SECONDS),
	COLUMN("dataplane.workers", "workers", COUNT),
	COLUMN("dataplane.busy", "busy", PERCENT),
	COLUMN("dataplane.cores_isolated", "cores isolated", YES_NO),
	COLUMN("dataplane.huge_pages", "huge pages", YES_NO),
	COLUMN("edge.running", "edge runs", YES_NO),
	COLUMN("edge.certificate_days", "certificate days", NUMBER),
	COLUMN("allocations.live", "allocations", COUNT),
	COLUMN("allocations.limit", "of at most", COUNT),
	COLUMN("allocations.opened", "opened since start", COUNT),
	COLUMN("traffic.packets_per_s", "packets relayed/s", COUNT),
	COLUMN("traffic.octets_per_s", "relayed per second", OCTETS),
	COLUMN("traffic.packets", "packets relayed", COUNT),
	COLUMN("traffic.octets", "relayed", OCTETS),
	COLUMN("traffic.drops_per_s", "drops/s", COUNT),
	COLUMN("segment.entries_used", "table entries", COUNT),
	COLUMN("segment.entries", "of at most", COUNT),
	COLUMN("segment.grace_open_ns", "grace period open", NS),
	COLUMN("segment.grace_max_ns", "longest grace period", NS),
};

static const struct ctl_column allocation_columns[] = {
	COLUMN("id", "id", TEXT),
	COLUMN("user", "user", TEXT),
	COLUMN("client", "client", TEXT),
	COLUMN("transport", "transport", TEXT),
	COLUMN("relayed", "relayed", TEXT),
	COLUMN("age_s", "age", SECONDS),
	COLUMN("expires_s", "expires in", SECONDS),
	COLUMN("permissions", "permissions", COUNT),
	COLUMN("channels", "channels", COUNT),
	COLUMN("packets_to_peer", "to peer", COUNT),
	COLUMN("packets_to_client", "to client", COUNT),
};

static const struct ctl_column peer_columns[] = {
	COLUMN("peer", "peer", TEXT),
	COLUMN("channel", "channel", TEXT),
	COLUMN("expires_s", "expires in", SECONDS),
	COLUMN("mtu", "MTU", NUMBER),
	COLUMN("mtu_by", "known by", TEXT),
	COLUMN("packets_to_peer", "to peer", COUNT),
	COLUMN("packets_to_client", "to client", COUNT),
};

static const struct ctl_column allocation_show_columns[] = {
	COLUMN("id", "id", TEXT),
	COLUMN("user", "user", TEXT),
	COLUMN("client", "client", TEXT),
	COLUMN("transport", "transport", TEXT),
	COLUMN("listener", "listener", TEXT),
	COLUMN("relayed", "relayed", TEXT),
	COLUMN("advertised", "advertised as", TEXT),
	COLUMN("age_s", "age", SECONDS),
	COLUMN("expires_s", "expires in", SECONDS),
	COLUMN("mtu", "MTU to client", NUMBER),
	COLUMN("mtu_by", "known by", TEXT),
	COLUMN("packets_to_peer", "packets to peers", COUNT),
	COLUMN("octets_to_peer", "octets to peers", OCTETS),
	COLUMN("packets_to_client", "packets to client", COUNT),
	COLUMN("octets_to_client", "octets to client", OCTETS),
	COLUMN("cap_marked", "marked by caps", COUNT),
	COLUMN("cap_dropped", "dropped by caps", COUNT),
	TABLE("peers", "permissions and channels", peer_columns),
};

static const struct ctl_column kill_columns[] = {
	COLUMN("id", "ended", TEXT),
	COLUMN("banned_until", "credential banned until", TEXT),
};

static const struct ctl_column worker_columns[] = {
	COLUMN("worker", "worker", NUMBER),
	COLUMN("lcore", "core", NUMBER),
	COLUMN("online", "online", YES_NO),
	COLUMN("age_ns", "loop age", NS),
	COLUMN("busy", "busy", PERCENT),
	COLUMN("rx_packets", "received", COUNT),
	COLUMN("tx_packets", "sent", COUNT),
	COLUMN("cycles_per_packet", "cycles/packet", COUNT),
	COLUMN("residence_p50_ns", "p50", NS),
	COLUMN("residence_p99_ns", "p99", NS),
	COLUMN("sleeps", "sleeps", COUNT),
	COLUMN("kicks", "kicks", COUNT),
	COLUMN("preempted", "preempted", COUNT),
	COLUMN("preempted_per_s", "in the last second", COUNT),
	COLUMN("grace_open_ns", "grace period open", NS),
};

static const struct ctl_column top_worker_columns[] = {
	COLUMN("worker", "worker", NUMBER),
	COLUMN("lcore", "core", NUMBER),
	COLUMN("busy", "busy", PERCENT),
	COLUMN("rx_packets_per_s", "received/s", COUNT),
	COLUMN("rx_bits_per_s", "bit/s", COUNT),
	COLUMN("tx_packets_per_s", "sent/s", COUNT),
	COLUMN("tx_bits_per_s", "bit/s", COUNT),
	COLUMN("cycles_per_packet", "cycles/packet", COUNT),
	COLUMN("preempted_per_s", "preempted/s", COUNT),
};

static const struct ctl_column top_drop_columns[] = {
	COLUMN("reason", "drop reason", TEXT),
	COLUMN("per_s", "per second", COUNT),
	COLUMN("next", "what to do", TEXT),
};

static const struct ctl_column top_hot_columns[] = {
	COLUMN("id", "allocation", TEXT),
	COLUMN("user", "user", TEXT),
	COLUMN("client", "client", TEXT),
	COLUMN("packets_per_s", "packets/s", COUNT),
	COLUMN("bits_per_s", "payload bit/s", COUNT),
	COLUMN("channels", "channels", COUNT),
};

static const struct ctl_column top_columns[] = {
	COLUMN("allocations", "allocations", COUNT),
	COLUMN("packets_per_s", "packets relayed/s", COUNT),
	COLUMN("bits_per_s", "payload bit/s", COUNT),
	COLUMN("drops_per_s", "drops/s", COUNT),
	TABLE("workers", "workers", top_worker_columns),
	TABLE("drops", "drops", top_drop_columns),
	TABLE("hot", "busiest allocations", top_hot_columns),
};

static const struct ctl_column trace_start_columns[] = {
	COLUMN("trace", "trace", NUMBER),
	COLUMN("packets", "packets at most", COUNT),
	COLUMN("seconds", "for at most", SECONDS),
};

static const struct ctl_column capture_columns[] = {
	COLUMN("allocation", "allocation", TEXT),
	COLUMN("packets", "packets at most", COUNT),
	COLUMN("seconds", "for at most", SECONDS),
};

static const struct ctl_column drop_columns[] = {
	COLUMN("reason", "reason", TEXT),
	COLUMN("packets", "packets", COUNT),
	COLUMN("per_s", "per second", COUNT),
	COLUMN("what", "what", TEXT),
	COLUMN("next", "what to do", TEXT),
};

static const struct ctl_column port_columns[] = {
	COLUMN("port", "port", NUMBER),
	COLUMN("interface", "interface", TEXT),
	COLUMN("device", "device", TEXT),
	COLUMN("link", "link", TEXT),
	COLUMN("mac", "MAC", TEXT),
	COLUMN("mtu", "MTU", NUMBER),
	COLUMN("queues", "queues", NUMBER),
	COLUMN("missed", "missed", NUMBER),
	COLUMN("missed_per_s", "missed per second", NUMBER),
	COLUMN("no_buffer", "no buffer", NUMBER),
	COLUMN("rx_errors", "faulty", NUMBER),
	COLUMN("tx_errors", "not sent", NUMBER),
	COLUMN("xdp", "XDP", TEXT),
	COLUMN("first_frame", "first frame", TEXT),
	COLUMN("unserved", "unserved", NUMBER),
	COLUMN("ring_full", "ring full", NUMBER),
	COLUMN("not_sent", "refused", NUMBER),
	COLUMN("fill_empty", "fill ring empty", NUMBER),
};

static const struct ctl_column nexthop_columns[] = {
	COLUMN("slot", "slot", NUMBER),
	COLUMN("address", "address", TEXT),
	COLUMN("interface", "interface", TEXT),
	COLUMN("mac", "MAC", TEXT),
	COLUMN("port", "port", TEXT),
	COLUMN("state", "state", TEXT),
	COLUMN("wanted", "wanted", YES_NO),
};

static const struct ctl_column mint_columns[] = {
	COLUMN("username", "username", TEXT),
	COLUMN("password", "password", TEXT),
	COLUMN("ttl", "valid for", SECONDS),
	COLUMN("uris", "URIs", TEXT),
};

static const struct ctl_column secret_columns[] = {
	COLUMN("realm", "realm", TEXT),
	COLUMN("id", "id", TEXT),
	COLUMN("state", "state", TEXT),
	COLUMN("hmac", "HMAC", TEXT),
	COLUMN("not_before", "not before", TEXT),
	COLUMN("not_after", "not after", TEXT),
	COLUMN("requests", "requests", COUNT),
	COLUMN("last_used", "last used", TEXT),
	COLUMN("allocations", "allocations", COUNT),
};

static const struct ctl_column ban_columns[] = {
	COLUMN("subject", "banned", TEXT),
	COLUMN("kind", "kind", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("until", "until", TEXT),
};

static const struct ctl_column budget_columns[] = {
	COLUMN("user", "user", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("kind", "kind", TEXT),
	COLUMN("octets", "relayed", OCTETS),
	COLUMN("budget", "of at most", OCTETS),
	COLUMN("used", "used", PERCENT),
	COLUMN("since", "since", TEXT),
	COLUMN("until", "until", TEXT),
};

static const struct ctl_column budget_reset_columns[] = {
	COLUMN("user", "user", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("budgets", "budgets begun anew", COUNT),
};

static const struct ctl_column user_columns[] = {
	COLUMN("user", "user", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("kind", "kind", TEXT),
	COLUMN("allocations", "allocations", COUNT),
	COLUMN("allocations_max", "of at most", COUNT),
	COLUMN("ports", "ports", COUNT),
	COLUMN("ports_max", "of at most", COUNT),
	COLUMN("connections", "TCP peers", COUNT),
	COLUMN("connections_max", "of at most", COUNT),
	COLUMN("entries", "table entries", COUNT),
	COLUMN("octets", "relayed", OCTETS),
	COLUMN("budget", "of at most", OCTETS),
	COLUMN("cap_bits_per_s", "cap bit/s", COUNT),
	COLUMN("cap_packets_per_s", "cap packets/s", COUNT),
};

static const struct ctl_column realm_columns[] = {
	COLUMN("realm", "realm", TEXT),
	COLUMN("requests", "requests", COUNT),
	COLUMN("refused", "refused", COUNT),
	COLUMN("allocations", "allocations", COUNT),
	COLUMN("allocations_max", "of at most", COUNT),
	COLUMN("connections", "TCP peers", COUNT),
	COLUMN("connections_max", "of at most", COUNT),
	COLUMN("budget", "budget of a user", OCTETS),
	COLUMN("cap_bits_per_s", "cap bit/s", COUNT),
	COLUMN("cap_packets_per_s", "cap packets/s", COUNT),
};

static const struct ctl_column explain_columns[] = {
	COLUMN("peer", "peer", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("policy", "policy of the user", TEXT),
	COLUMN("verdict", "verdict", TEXT),
	COLUMN("rule", "rule", TEXT),
	COLUMN("trial", "under trial", TEXT),
};

static const struct ctl_column check_columns[] = {
	COLUMN("severity", "severity", TEXT),
	COLUMN("file", "file", TEXT),
	COLUMN("line", "line", NUMBER),
	COLUMN("key", "key", TEXT),
	COLUMN("problem", "problem", TEXT),
	COLUMN("remedy", "remedy", TEXT),
};

static const struct ctl_column reload_columns[] = {
	COLUMN("key", "key", TEXT),
	COLUMN("change", "change", TEXT),
	COLUMN("effect", "takes effect by", TEXT),
};

static const struct ctl_column level_columns[] = {
	COLUMN("level", "level", TEXT),
};

static const struct ctl_column counter_columns[] = {
	COLUMN("counter", "counter", TEXT),
	COLUMN("value", "value", COUNT),
	COLUMN("text", "what", TEXT),
};

static const struct ctl_column edge_columns[] = {
	COLUMN("version", "version", TEXT),
	COLUMN("pid", "pid", NUMBER),
	COLUMN("uptime_s", "up", SECONDS),
	COLUMN("control", "control runs", YES_NO),
	COLUMN("dataplane", "data plane runs", YES_NO),
	COLUMN("threads", "threads", COUNT),
	COLUMN("connections", "connections", COUNT),
	COLUMN("connections_max", "of at most", COUNT),
	TABLE("counters", "counters", counter_columns),
};

static const struct ctl_column certificate_columns[] = {
	COLUMN("file", "expires first", TEXT),
	COLUMN("expires", "on", TEXT),
	COLUMN("days", "days", NUMBER),
	COLUMN("warning", "warning", TEXT),
};

static const struct ctl_command commands[] = {
	{.name = "status",
		.text = "Whether the relay is well, on one screen",
		.shape = CTL_SHAPE_OBJECT,
		COLUMNS(status_columns)},
	{.name = "allocation list",
		.text = "Live allocations",
		.shape = CTL_SHAPE_LIST,
		ARGS(list_arguments),
		COLUMNS(allocation_columns)},
	{.name = "allocation show",
		.text = "One allocation with its permissions and channels",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(allocation_id),
		COLUMNS(allocation_show_columns)},
	{.name = "allocation kill",
		.text = "End an allocation now, and ban its time-limited credential",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(allocation_id),
		COLUMNS(kill_columns)},
	{.name = "worker show",
		.text = "The data plane's workers: load, delay inside the relay",
		.shape = CTL_SHAPE_LIST,
		COLUMNS(worker_columns)},
	{.name = "top",
		.text = "Workers, rates and the busiest allocations, each second",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(top_arguments),
		COLUMNS(top_columns)},
	{.name = "trace start",
		.text = "Each packet of a client: what it is, looked up, its way, or why not",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(trace_arguments),
		COLUMNS(trace_start_columns)},
	{.name = "trace stop",
		.text = "End the trace",
		.shape = CTL_SHAPE_OBJECT,
		COLUMNS(trace_start_columns)},
	{.name = "capture",
		.text = "Write an allocation's packets, as received and as sent, as pcapng",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(capture_arguments),
		COLUMNS(capture_columns)},
	{.name = "drop show",
		.text = "Dropped packets by reason, and what to do about each",
		.shape = CTL_SHAPE_LIST,
		ARGS(drop_arguments),
		COLUMNS(drop_columns)},
	{.name = "port show",
		.text = "The data plane's ports, their links and what they lost",
		.shape = CTL_SHAPE_LIST,
		COLUMNS(port_columns)},
	{.name = "nexthop list",
		.text = "Gateways and on-link neighbours that packets go to",
		.shape = CTL_SHAPE_LIST,
		COLUMNS(nexthop_columns)},
	{.name = "credential mint",
		.text = "Make a time-limited user name and password",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(mint_arguments),
		COLUMNS(mint_columns)},
	{.name = "secret list",
		.text = "Secrets of time-limited credentials, and how much each is used",
		.shape = CTL_SHAPE_LIST,
		COLUMNS(secret_columns)},
	{.name = "ban add",
		.text = "Shut a user, credential or client prefix out for a time",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(ban_arguments),
		COLUMNS(ban_columns)},
	{.name = "ban remove",
		.text = "Lift a ban",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(unban_arguments),
		COLUMNS(ban_columns)},
	{.name = "ban list",
		.text = "Bans in force",
		.shape = CTL_SHAPE_LIST,
		COLUMNS(ban_columns)},
	{.name = "budget show",
		.text = "Bytes relayed for each user with a budget, in the present period",
		.shape = CTL_SHAPE_LIST,
		ARGS(budget_show_arguments),
		COLUMNS(budget_columns)},
	{.name = "budget reset",
		.text = "Have a user's budget begin anew",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(budget_reset_arguments),
		COLUMNS(budget_reset_columns)},
	{.name = "user show",
		.text = "What a user has of each limit, and may have",
		.shape = CTL_SHAPE_LIST,
		ARGS(user_arguments),
		COLUMNS(user_columns)},
	{.name = "realm list",
		.text = "What each realm has of its limits, and may have",
		.shape = CTL_SHAPE_LIST,
		COLUMNS(realm_columns)},
	{.name = "policy explain",
		.text = "Whether clients may reach a peer, and the rule that decides",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(explain_arguments),
		COLUMNS(explain_columns)},
	{.name = "config check",
		.text = "Every mistake of a configuration file, with its remedy",
		.shape = CTL_SHAPE_LIST,
		ARGS(check_arguments),
		COLUMNS(check_columns)},
	{.name = "config reload",
		.text = "Read the configuration again, as SIGHUP does, and show the difference",
		.shape = CTL_SHAPE_LIST,
		ARGS(reload_arguments),
		COLUMNS(reload_columns)},
	{.name = "log level",
		.text = "Show or change what is logged, until the next start",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(level_arguments),
		COLUMNS(level_columns)},
	{.name = "counter show",
		.text = "Counters of the TURN server and of the packet paths",
		.shape = CTL_SHAPE_LIST,
		COLUMNS(counter_columns)},
	{.name = "edge show",
		.text = "The process turnpike-edge: connections, and why they ended",
		.shape = CTL_SHAPE_OBJECT,
		COLUMNS(edge_columns),
		.edge = true},
	{.name = "certificate show",
		.text = "The certificate of tls listeners that expires first",
		.shape = CTL_SHAPE_OBJECT,
		COLUMNS(certificate_columns),
		.edge = true},
	{.name = "certificate reload",
		.text = "Read certificates and limits of turnpike-edge again, as SIGHUP does",
		.shape = CTL_SHAPE_OBJECT,
		COLUMNS(certificate_columns),
		.edge = true},
};

size_t ctl_command_count(void)
{
	return LEN(commands);
}

const struct ctl_command *ctl_command_at(size_t i)
{
	return i < LEN(commands) ? &commands[i] : NULL;
}

const struct ctl_command *ctl_command_find(const char *name)
{
	for (size_t i = 0; i < LEN(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}
