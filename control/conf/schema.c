// SPDX-License-Identifier: BSD-3-Clause
#include "schema.h"

#include <turnpike/limits.h>
#include <turnpike/stun.h>

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

static const struct rule user_rules[] = {
	{.key = "name",
		.type = RULE_TEXT,
		RULE_AT(struct draft_user, name),
		.required = true,
		.example = "alice",
		.text = "User name, up to 508 octets."},
	{.key = "password_file",
		.type = RULE_PATH,
		RULE_AT(struct draft_user, password_file),
		.example = "alice.password",
		.text = "File that holds the password in one line. Not readable by others: "
			"mode 0640 or less."},
	{.key = "key_file",
		.type = RULE_PATH,
		RULE_AT(struct draft_user, key_file),
		.example = "alice.key",
		.text = "Instead of the password: file that holds the long-term key, MD5 of "
			"`name:realm:password`, as 32 hexadecimal digits."},
	{.key = NULL},
};

static const struct section user_section = {
	.rules = user_rules,
	.size = sizeof(struct draft_user),
	.text = "Users with a password of their own (long-term credentials).",
};

static const struct rule secret_rules[] = {
	{.key = "id",
		.type = RULE_TEXT,
		RULE_AT(struct draft_secret, id),
		.required = true,
		.example = "2026-11",
		.text = "Name of the secret in logs and counters."},
	{.key = "secret_file",
		.type = RULE_PATH,
		RULE_AT(struct draft_secret, secret_file),
		.required = true,
		.example = "rest.secret",
		.text = "File that holds the secret in one line. Not readable by others."},
	{.key = NULL},
};

static const struct section secret_section = {
	.rules = secret_rules,
	.size = sizeof(struct draft_secret),
	.text = "Secrets shared with the application that mints time-limited credentials (REST). "
		"The "
		"first is used to mint; all are accepted, so a secret is rotated by putting the "
		"new "
		"one first and removing the old one when its last credential has expired.",
};

static const struct rule peers_rules[] = {
	{.key = "allow",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_peers, allow),
		.item = RULE_CIDR,
		.example = "[10.20.0.0/16]",
		.text = "Prefixes that clients may reach although they are not public."},
	{.key = "deny",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_peers, deny),
		.item = RULE_CIDR,
		.example = "[198.18.0.0/15]",
		.text = "Prefixes that clients may not reach."},
	{.key = NULL},
};

static const struct section peers_section = {
	.rules = peers_rules,
	.size = sizeof(struct conf_peers),
	.text = "Which peers clients may reach. Everything that is not public unicast is denied "
		"unless "
		"`allow` names it: private, shared, link-local, documentation, transition and "
		"cloud "
		"metadata addresses. The most specific prefix decides, `deny` before `allow` where "
		"both are equally specific; a wide `allow` such as `0.0.0.0/0` opens no special "
		"range, which has to be named itself. Some can't be opened at all: unspecified, "
		"loopback, multicast and broadcast addresses, IPv6 addresses that hold a denied "
		"IPv4 "
		"address, and the relay's own addresses beyond its live relayed ports.",
};

static const struct rule limits_rules[] = {
	{.key = "allocations",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, allocations),
		.min = 1,
		.max = 4u << 20,
		.initial = "16384",
		.text = "Allocations at a time."},
	{.key = "entries",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, entries),
		.min = 16,
		.max = TP_ENTRIES_MAX,
		.initial_text = "8 × `allocations`",
		.text = "Entries of the packet path's table: one per allocation and permission, "
			"two "
			"per channel."},
	{.key = "user_quota",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, user_quota),
		.max = UINT32_MAX,
		.initial = "0",
		.text = "Allocations of one user; 0: no limit."},
	{.key = "max_lifetime",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, max_lifetime_s),
		.min = 1,
		.max = 86400,
		.initial = "3600",
		.unit = "s",
		.text = "Longest lifetime of an allocation that a client may ask for."},
	{.key = "default_lifetime",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, default_lifetime_s),
		.min = 1,
		.max = 86400,
		.initial = "600",
		.unit = "s",
		.text = "Lifetime of an allocation whose client asks for none."},
	{.key = "permission_lifetime",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, permission_lifetime_s),
		.min = 1,
		.max = 86400,
		.initial = "300",
		.unit = "s",
		.text = "Life of a permission. RFC 8656 says 300, and clients count on it."},
	{.key = "channel_lifetime",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, channel_lifetime_s),
		.min = 1,
		.max = 86400,
		.initial = "600",
		.unit = "s",
		.text = "Life of a channel. RFC 8656 says 600, and clients count on it."},
	{.key = "nonce_lifetime",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, nonce_lifetime_s),
		.min = 1,
		.max = 3600,
		.initial = "600",
		.unit = "s",
		.text = "Age at which a nonce is stale."},
	{.key = "first_contact_rate",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, first_contact_rate),
		.max = UINT32_MAX,
		.initial = "200",
		.unit = "packets/s",
		.text = "Requests of strangers (no allocation, no nonce of ours) that one source "
			"prefix, /32 or /64, gets through; 0: no limit."},
	{.key = NULL},
};

static const struct section limits_section = {
	.rules = limits_rules,
	.size = sizeof(struct conf_limits),
	.text = "How much, and how long.",
};

static const struct rule protocol_rules[] = {
	{.key = "channel_max",
		.type = RULE_U16,
		RULE_AT(struct conf_protocol, channel_max),
		.min = TP_CHANNEL_MAX,
		.max = TP_CHANNEL_MAX_COMPAT,
		.initial = "0x4fff",
		.text = "Highest channel number. RFC 8656 ends at 0x4fff; some old clients bind up "
			"to "
			"0x7fff."},
	{.key = "permission_follows_channel",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, permission_follows_channel),
		.initial = "false",
		.text = "A live channel keeps its permission alive, for clients that send nothing "
			"but "
			"ChannelBind. Deviates from RFC 8656, as coturn does."},
	{.key = "software",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, software),
		.initial = "false",
		.text = "Send the SOFTWARE attribute."},
	{.key = "secure_stun",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, secure_stun),
		.initial = "false",
		.text = "Binding requests need credentials too."},
	{.key = NULL},
};

static const struct section protocol_section = {
	.rules = protocol_rules,
	.size = sizeof(struct conf_protocol),
	.text = "Where the protocol leaves a choice.",
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
		.text = "Where the files of the shared tables live. Both processes need the same."},
	{.key = "numa",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_segment, numa),
		.choices = numa,
		.initial = "ports",
		.text = "NUMA nodes of files made anew: those of the `ports`, or `none`."},
	{.key = NULL},
};

static const struct section segment_section = {
	.rules = segment_rules,
	.size = sizeof(struct conf_segment),
	.text = "The memory that both processes share.",
};

static const struct rule control_rules[] = {
	{.key = "socket",
		.type = RULE_PATH,
		RULE_AT(struct conf_control, socket),
		.initial_text = "`control.sock` in `runtime_directory`",
		.text = "Operator socket of `relayctl`, mode 0660."},
	{.key = "group",
		.type = RULE_TEXT,
		RULE_AT(struct conf_control, group),
		.initial = "turnpike",
		.text = "Group of the operator socket and of the shared files. With "
			"`turnpike-control "
			"--user` it must exist: the data plane reads the tables by it."},
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
		.initial = "turnpike",
		.text = "Realm of the long-term credentials; usually a domain name. Keys of "
			"`key_file` "
			"and `users_file` hold for one realm only."},
	{.key = "dataplane",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.dataplane),
		.for_dataplane = true,
		.section = &schema_dataplane},
	{.key = "listeners",
		.type = RULE_LIST,
		RULE_AT_LIST(struct draft, listeners),
		.for_dataplane = true,
		.section = &schema_listener,
		.required = true,
		.example = "[{address: 192.0.2.10}]"},
	{.key = "relay",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.relay),
		.for_dataplane = true,
		.section = &schema_relay},
	{.key = "users",
		.type = RULE_LIST,
		RULE_AT_LIST(struct draft, users),
		.section = &user_section},
	{.key = "users_file",
		.type = RULE_PATH,
		RULE_AT(struct draft, users_file),
		.example = "users",
		.text = "More users, one per line: name, `:`, the key as in `key_file`. Empty "
			"lines and "
			"lines that begin with `#` are skipped. Not readable by others."},
	{.key = "secrets",
		.type = RULE_LIST,
		RULE_AT_LIST(struct draft, secrets),
		.section = &secret_section},
	{.key = "peers",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.peers),
		.section = &peers_section},
	{.key = "limits",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.limits),
		.section = &limits_section},
	{.key = "protocol",
		.type = RULE_MAP,
		RULE_AT(struct draft, conf.protocol),
		.section = &protocol_section},
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

const struct section schema_top = {
	.rules = top_rules,
	.size = sizeof(struct draft),
	.text = "",
};

size_t rule_size(enum rule_type type)
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
		[RULE_PORTS] = 2 * sizeof(uint16_t),
		[RULE_LIST] = 0,
	};

	return sizes[type];
}
