// SPDX-License-Identifier: BSD-3-Clause
#include <ctl/command.h>

#include <string.h>

#define LEN(a)	   (sizeof(a) / sizeof((a)[0]))
#define ARGS(a)	   .arguments = a, .n_arguments = LEN(a)
#define COLUMNS(a) .columns = a, .n_columns = LEN(a)

static const struct ctl_argument allocation_id[] = {
	{"id", CTL_ARGUMENT_TEXT, true, NULL, "as shown by `allocation list` and in the log"},
};

static const struct ctl_argument list_arguments[] = {
	{"user", CTL_ARGUMENT_TEXT, false, NULL, "only those of this user name"},
	{"client", CTL_ARGUMENT_TEXT, false, NULL, "only those of this client IP address"},
	{"limit", CTL_ARGUMENT_NUMBER, false, NULL, "at most so many"},
};

static const struct ctl_argument drop_arguments[] = {
	{"reasons", CTL_ARGUMENT_TEXT, false, "seen|all", "seen (default) leaves zeros out"},
};

static const struct ctl_argument mint_arguments[] = {
	{"name", CTL_ARGUMENT_TEXT, true, NULL,
		"whom the credential is for: part of its user name"},
	{"ttl", CTL_ARGUMENT_NUMBER, false, NULL, "seconds it is valid (default 86400)"},
};

static const struct ctl_argument check_arguments[] = {
	{"file", CTL_ARGUMENT_TEXT, false, NULL,
		"the file to check, without a daemon; default: the one the daemon runs with"},
};

static const struct ctl_argument level_arguments[] = {
	{"level", CTL_ARGUMENT_TEXT, false, "error|warning|info|debug",
		"the new level; without it the level is shown"},
};

static const struct ctl_column status_columns[] = {
	{"verdict", "verdict", CTL_FORMAT_TEXT},
	{"instance", "instance", CTL_FORMAT_TEXT},
	{"realm", "realm", CTL_FORMAT_TEXT},
	{"version", "version", CTL_FORMAT_TEXT},
	{"control.pid", "control pid", CTL_FORMAT_COUNT},
	{"control.uptime_s", "control up", CTL_FORMAT_SECONDS},
	{"dataplane.running", "data plane runs", CTL_FORMAT_YES_NO},
	{"dataplane.pid", "data plane pid", CTL_FORMAT_COUNT},
	{"dataplane.uptime_s", "data plane up", CTL_FORMAT_SECONDS},
	{"dataplane.workers", "workers", CTL_FORMAT_COUNT},
	{"dataplane.busy", "busy", CTL_FORMAT_PERCENT},
	{"allocations.live", "allocations", CTL_FORMAT_COUNT},
	{"allocations.limit", "of at most", CTL_FORMAT_COUNT},
	{"allocations.opened", "opened since start", CTL_FORMAT_COUNT},
	{"traffic.packets_per_s", "packets relayed/s", CTL_FORMAT_COUNT},
	{"traffic.octets_per_s", "relayed per second", CTL_FORMAT_OCTETS},
	{"traffic.packets", "packets relayed", CTL_FORMAT_COUNT},
	{"traffic.octets", "relayed", CTL_FORMAT_OCTETS},
	{"traffic.drops_per_s", "drops/s", CTL_FORMAT_COUNT},
	{"segment.entries_used", "table entries", CTL_FORMAT_COUNT},
	{"segment.entries", "of at most", CTL_FORMAT_COUNT},
	{"segment.grace_max_ns", "longest grace period", CTL_FORMAT_NS},
	{"warnings", "warnings", CTL_FORMAT_ROWS},
	{"what", "what", CTL_FORMAT_CELL},
	{"next", "next", CTL_FORMAT_CELL},
};

static const struct ctl_column allocation_columns[] = {
	{"id", "id", CTL_FORMAT_TEXT},
	{"user", "user", CTL_FORMAT_TEXT},
	{"client", "client", CTL_FORMAT_TEXT},
	{"relayed", "relayed", CTL_FORMAT_TEXT},
	{"age_s", "age", CTL_FORMAT_SECONDS},
	{"expires_s", "expires in", CTL_FORMAT_SECONDS},
	{"permissions", "permissions", CTL_FORMAT_COUNT},
	{"channels", "channels", CTL_FORMAT_COUNT},
	{"packets_to_peer", "to peer", CTL_FORMAT_COUNT},
	{"packets_to_client", "to client", CTL_FORMAT_COUNT},
};

static const struct ctl_column allocation_show_columns[] = {
	{"id", "id", CTL_FORMAT_TEXT},
	{"user", "user", CTL_FORMAT_TEXT},
	{"client", "client", CTL_FORMAT_TEXT},
	{"listener", "listener", CTL_FORMAT_TEXT},
	{"relayed", "relayed", CTL_FORMAT_TEXT},
	{"advertised", "advertised as", CTL_FORMAT_TEXT},
	{"age_s", "age", CTL_FORMAT_SECONDS},
	{"expires_s", "expires in", CTL_FORMAT_SECONDS},
	{"packets_to_peer", "packets to peers", CTL_FORMAT_COUNT},
	{"octets_to_peer", "octets to peers", CTL_FORMAT_OCTETS},
	{"packets_to_client", "packets to client", CTL_FORMAT_COUNT},
	{"octets_to_client", "octets to client", CTL_FORMAT_OCTETS},
	{"peers", "permissions and channels", CTL_FORMAT_ROWS},
	{"peer", "peer", CTL_FORMAT_CELL},
	{"channel", "channel", CTL_FORMAT_CELL},
	{"expires_s", "expires in (s)", CTL_FORMAT_CELL},
	{"packets_to_peer", "to peer", CTL_FORMAT_CELL},
	{"packets_to_client", "to client", CTL_FORMAT_CELL},
};

static const struct ctl_column kill_columns[] = {
	{"id", "ended", CTL_FORMAT_TEXT},
};

static const struct ctl_column worker_columns[] = {
	{"worker", "worker", CTL_FORMAT_COUNT},
	{"lcore", "core", CTL_FORMAT_COUNT},
	{"online", "online", CTL_FORMAT_YES_NO},
	{"age_ns", "loop age", CTL_FORMAT_NS},
	{"busy", "busy", CTL_FORMAT_PERCENT},
	{"rx_packets", "received", CTL_FORMAT_COUNT},
	{"tx_packets", "sent", CTL_FORMAT_COUNT},
	{"cycles_per_packet", "cycles/packet", CTL_FORMAT_COUNT},
	{"residence_p50_ns", "p50", CTL_FORMAT_NS},
	{"residence_p99_ns", "p99", CTL_FORMAT_NS},
	{"sleeps", "sleeps", CTL_FORMAT_COUNT},
	{"kicks", "kicks", CTL_FORMAT_COUNT},
	{"preempted", "preempted", CTL_FORMAT_COUNT},
};

static const struct ctl_column drop_columns[] = {
	{"reason", "reason", CTL_FORMAT_TEXT},
	{"packets", "packets", CTL_FORMAT_COUNT},
	{"per_s", "per second", CTL_FORMAT_COUNT},
	{"what", "what", CTL_FORMAT_TEXT},
	{"next", "what to do", CTL_FORMAT_TEXT},
};

static const struct ctl_column port_columns[] = {
	{"port", "port", CTL_FORMAT_COUNT},
	{"interface", "interface", CTL_FORMAT_TEXT},
	{"device", "device", CTL_FORMAT_TEXT},
	{"link", "link", CTL_FORMAT_TEXT},
	{"mac", "MAC", CTL_FORMAT_TEXT},
	{"mtu", "MTU", CTL_FORMAT_COUNT},
	{"queues", "queues", CTL_FORMAT_COUNT},
};

static const struct ctl_column nexthop_columns[] = {
	{"slot", "slot", CTL_FORMAT_COUNT},
	{"address", "address", CTL_FORMAT_TEXT},
	{"interface", "interface", CTL_FORMAT_TEXT},
	{"mac", "MAC", CTL_FORMAT_TEXT},
	{"port", "port", CTL_FORMAT_TEXT},
	{"state", "state", CTL_FORMAT_TEXT},
	{"wanted", "wanted", CTL_FORMAT_YES_NO},
};

static const struct ctl_column mint_columns[] = {
	{"username", "username", CTL_FORMAT_TEXT},
	{"password", "password", CTL_FORMAT_TEXT},
	{"ttl", "valid for", CTL_FORMAT_SECONDS},
	{"uris", "URIs", CTL_FORMAT_TEXT},
};

static const struct ctl_column check_columns[] = {
	{"severity", "severity", CTL_FORMAT_TEXT},
	{"file", "file", CTL_FORMAT_TEXT},
	{"line", "line", CTL_FORMAT_COUNT},
	{"key", "key", CTL_FORMAT_TEXT},
	{"problem", "problem", CTL_FORMAT_TEXT},
	{"remedy", "remedy", CTL_FORMAT_TEXT},
};

static const struct ctl_column level_columns[] = {
	{"level", "level", CTL_FORMAT_TEXT},
};

static const struct ctl_column counter_columns[] = {
	{"counter", "counter", CTL_FORMAT_TEXT},
	{"value", "value", CTL_FORMAT_COUNT},
	{"text", "what", CTL_FORMAT_TEXT},
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
		.text = "End an allocation now",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(allocation_id),
		COLUMNS(kill_columns)},
	{.name = "worker show",
		.text = "The data plane's workers: load, delay inside the relay",
		.shape = CTL_SHAPE_LIST,
		COLUMNS(worker_columns)},
	{.name = "drop show",
		.text = "Dropped packets by reason, and what to do about each",
		.shape = CTL_SHAPE_LIST,
		ARGS(drop_arguments),
		COLUMNS(drop_columns)},
	{.name = "port show",
		.text = "The data plane's ports and their links",
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
	{.name = "config check",
		.text = "Every mistake of a configuration file, with its remedy",
		.shape = CTL_SHAPE_LIST,
		ARGS(check_arguments),
		COLUMNS(check_columns)},
	{.name = "log level",
		.text = "Show or change what is logged, until the next start",
		.shape = CTL_SHAPE_OBJECT,
		ARGS(level_arguments),
		COLUMNS(level_columns)},
	{.name = "counter show",
		.text = "Counters of the TURN server and of the packet paths",
		.shape = CTL_SHAPE_LIST,
		COLUMNS(counter_columns)},
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
