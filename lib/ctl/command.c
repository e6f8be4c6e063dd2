// SPDX-License-Identifier: BSD-3-Clause
#include <ctl/command.h>

#include <string.h>

#include "columns.h"

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
