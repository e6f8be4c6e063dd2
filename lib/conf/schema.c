// SPDX-License-Identifier: BSD-3-Clause
#include "schema.h"

static const struct rule_choice formats[] = {
	{.name = "text", .value = LOG_FORMAT_TEXT},
	{.name = "json", .value = LOG_FORMAT_JSON},
	{.name = NULL},
};

static const struct rule_choice levels[] = {
	{.name = "error", .value = LOG_LEVEL_ERROR},
	{.name = "warning", .value = LOG_LEVEL_WARNING},
	{.name = "info", .value = LOG_LEVEL_INFO},
	{.name = "debug", .value = LOG_LEVEL_DEBUG},
	{.name = NULL},
};

static const struct rule log_rules[] = {
	{.key = "format",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_log, format),
		.choices = formats,
		.initial = "text",
		.text = "Form of the lines on stderr."},
	{.key = "level",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_log, level),
		.choices = levels,
		.initial = "info",
		.text = "Least weight of what is logged; `relayctl log level` changes it live."},
	{.key = NULL},
};

static const struct section log_section = {
	.rules = log_rules,
	.size = sizeof(struct conf_log),
	.text = "Logs go to stderr. `docs/events.md` lists the events.",
};

static const struct rule_choice numa[] = {
	{.name = "ports", .value = CONF_NUMA_PORTS},
	{.name = "none", .value = CONF_NUMA_NONE},
	{.name = NULL},
};

static const struct rule segment_rules[] = {
	{.key = "directory",
		.type = RULE_PATH,
		RULE_AT(struct conf_segment, directory),
		.initial_text = "a hugetlbfs mount outside `/run` and `/tmp`, else `/dev/shm`",
		.example = "/dev/hugepages",
		.text = "Where the files of the shared tables live. All need the same."},
	{.key = "numa",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_segment, numa),
		.choices = numa,
		.initial = "ports",
		.text = "NUMA nodes of files made anew: those of the `ports`, or `none`."},
	{.key = "group",
		.type = RULE_TEXT,
		RULE_AT(struct conf_segment, group),
		.initial = "turnpike-files",
		.text = "Group of `runtime_directory` and of the shared files that the edge has "
			"part in. The users of control process, data plane and edge are its only "
			"members; operators never "
			"are. Processes of different users need it. The tables, their keys and the "
			"data plane's socket are of the group `turnpike-tables` where there is "
			"one, which the edge is not in."},
	{.key = NULL},
};

static const struct section segment_section = {
	.rules = segment_rules,
	.size = sizeof(struct conf_segment),
	.text = "The memory that control process, data plane and edge share.",
};

static const struct rule control_rules[] = {
	{.key = "socket",
		.type = RULE_PATH,
		RULE_AT(struct conf_control, socket),
		.initial_text = "`control.sock` in `runtime_directory`",
		.text = "Operator socket of `relayctl`, mode 0660."},
	{.key = "state_directory",
		.type = RULE_PATH,
		RULE_AT(struct conf_control, state_directory),
		.initial_text = "`runtime_directory`",
		.example = "/var/lib/turnpike",
		.text = "Directory of the files of bans and budgets, `bans` and `budgets`, which "
			"the user of turnpike-control writes. Choose one that outlives a reboot "
			"where these shall."},
	{.key = "group",
		.type = RULE_TEXT,
		RULE_AT(struct conf_control, group),
		.initial = "turnpike",
		.text = "Group of the operator socket: its members may use `relayctl`. It is not "
			"the "
			"group of the shared files (`segment.group`)."},
	{.key = NULL},
};

static const struct section control_section = {
	.rules = control_rules,
	.size = sizeof(struct conf_control),
	.text = "The operator's door.",
};

static const struct rule top_rules[] = {
	{.key = "instance",
		.type = RULE_TEXT,
		RULE_AT(struct draft, conf.instance),
		.for_dataplane = true,
		.initial = "default",
		.text = "Name that tells several relays of one host apart: letters, digits, `-` "
			"and "
			"`_`. `--instance` overrides it."},
	{.key = "runtime_directory",
		.type = RULE_PATH,
		RULE_AT(struct draft, conf.runtime_directory),
		.for_dataplane = true,
		.initial_text = "`/run/turnpike/INSTANCE`",
		.text = "Where the sockets of this instance live."},
	{.key = "realm",
		.type = RULE_TEXT,
		RULE_AT(struct draft, conf.realm),
		.prepared = true,
		.initial = "turnpike",
		.text = "Realm of the long-term credentials; usually a domain name. Keys of "
			"`key_file` "
			"and `users_file` hold for one realm only."},
	{.key = "dataplane",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.dataplane),
		.for_dataplane = true,
		.section = &conf_schema_dataplane},
	{.key = "listeners",
		.type = RULE_LIST,
		RULE_AT_LIST(struct draft, listeners),
		.for_dataplane = true,
		.section = &conf_schema_listener,
		.required = true,
		.example = "[{address: 192.0.2.10}]"},
	{.key = "relay",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.relay),
		.for_dataplane = true,
		.section = &conf_schema_relay},
	{.key = "edge",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.edge),
		.for_edge = true,
		.section = &conf_schema_edge},
	{.key = "users",
		.type = RULE_LIST,
		RULE_AT_OWN(struct draft, users),
		.section = &conf_schema_user},
	{.key = "users_file",
		.type = RULE_PATH,
		RULE_AT(struct draft, own.users_file),
		.example = "users",
		.text = "More users, one per line: name, `:`, the key as in `key_file`. Empty "
			"lines and "
			"lines that begin with `#` are skipped. Not readable by others."},
	{.key = "secrets",
		.type = RULE_LIST,
		RULE_AT_OWN(struct draft, secrets),
		.section = &conf_schema_secret},
	{.key = "tokens",
		.type = RULE_MAP,
		RULE_AT(struct draft, own.tokens),
		.section = &conf_schema_tokens},
	{.key = "realms",
		.type = RULE_LIST,
		RULE_AT_LIST(struct draft, realms),
		.section = &conf_schema_realm},
	{.key = "directory",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.directory),
		.section = &conf_schema_directory},
	{.key = "peers",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.peers),
		.for_dataplane = true,
		.section = &conf_schema_peers},
	{.key = "policies",
		.type = RULE_LIST,
		.offset = offsetof(struct draft, conf.policies),
		.n_offset = offsetof(struct draft, conf.n_policies),
		.section = &conf_schema_policy},
	{.key = "limits",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.limits),
		.section = &conf_schema_limits},
	{.key = "protocol",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.protocol),
		.section = &conf_schema_protocol},
	{.key = "log",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.log),
		.for_dataplane = true,
		.section = &log_section},
	{.key = "segment",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.segment),
		.for_dataplane = true,
		.section = &segment_section},
	{.key = "control",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.control),
		.for_dataplane = true,
		.section = &control_section},
	{.key = NULL},
};

const struct section conf_schema_top = {
	.rules = top_rules,
	.size = sizeof(struct draft),
	.text = "",
};

size_t conf_rule_size(enum rule_type type)
{
	static const size_t sizes[] = {
		[RULE_BOOL] = sizeof(bool),
		[RULE_U16] = sizeof(uint16_t),
		[RULE_U32] = sizeof(uint32_t),
		[RULE_CHOICE] = sizeof(int),
		[RULE_TEXT] = sizeof(char *),
		[RULE_PATH] = sizeof(char *),
		[RULE_IP] = sizeof(struct tp_addr),
		[RULE_CIDR] = sizeof(struct text_cidr),
		[RULE_SCOPE] = sizeof(struct text_scope),
		[RULE_PORTS] = 2 * sizeof(uint16_t),
		[RULE_TIME] = sizeof(uint64_t),
		[RULE_PLACE] = sizeof(struct conf_place),
		[RULE_LIST] = 0,
	};

	return sizes[type];
}
