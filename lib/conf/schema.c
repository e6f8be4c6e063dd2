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
		.text = "Allocations of one user: each relayed address counts, so one of both "
			"families is two, and so does a port reserved by EVEN-PORT; one that moves "
			"or waits for its client counts as before. 0: no limit."},
	{.key = "secret_quota",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, secret_quota),
		.max = UINT32_MAX,
		.initial = "0",
		.text = "Allocations of all time-limited credentials of one secret that have a "
			"time and no name, each of which is a user of its own; 0: no limit."},
	{.key = "allocate_rate",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, allocate_rate),
		.max = 1000000,
		.initial = "0",
		.unit = "requests/s",
		.text = "Allocate requests of one user; more are refused with 486. 0: no limit."},
	{.key = "allocate_burst",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, allocate_burst),
		.max = 1000000,
		.initial = "20",
		.text = "Allocate requests of one user at once, beyond the rate."},
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
	{.key = "credential_lifetime",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, credential_lifetime_s),
		.max = UINT32_MAX,
		.initial = "2678400",
		.unit = "s",
		.text = "Longest remaining validity of a time-limited credential. A later time is "
			"refused, since it is a mistake (a time in milliseconds) or a credential "
			"for ever; 0: no limit."},
	{.key = "first_contact_rate",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, first_contact_rate),
		.max = UINT32_MAX,
		.initial = "200",
		.unit = "packets/s",
		.text = "Requests of strangers (no allocation, no nonce of ours) that one source "
			"prefix, /32 or /64, gets through, as far as the packet path does not "
			"answer them, and ClientHellos of DTLS; ten times as many requests with "
			"our nonce of one address; 0: no limit."},
	{.key = "user_connections",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, user_connections),
		.max = UINT32_MAX,
		.initial = "1024",
		.text = "Connections of one user with peers by TCP allocations, at most 64 of each "
			"allocation; more are refused with 486. 0: no limit."},
	{.key = "user_ports",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, user_ports),
		.max = UINT32_MAX,
		.initial = "0",
		.text = "Relayed ports that one user holds: in use, reserved by EVEN-PORT, and at "
			"rest for 60 s after use; more are refused with 486. 0: no limit but that "
			"an eighth of the ports is kept from one user alone (508). Ports at rest "
			"from before a restart of turnpike-control count for nobody."},
	{.key = "realm_allocations",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, realm_allocations),
		.max = 4u << 20,
		.initial = "0",
		.text = "Allocations of all users of the file's own realm, counted as for "
			"`user_quota`; more are refused with 508. 0: as many as the relay has."},
	{.key = "realm_connections",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, realm_connections),
		.max = UINT32_MAX,
		.initial = "0",
		.text = "Connections with peers by TCP allocations of all users of the file's own "
			"realm; 0: no limit."},
	{.key = "peer_rate",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, peer_rate),
		.max = 1000000,
		.initial = "16",
		.unit = "peers/s",
		.text = "New peers of one allocation, by CreatePermission and ChannelBind, and "
			"each Connect; more are refused with 508. Renewing one that is there costs "
			"nothing. 0: no limit."},
	{.key = "peer_burst",
		.type = RULE_U32,
		RULE_AT(struct conf_limits, peer_burst),
		.min = 1,
		.max = 1000000,
		.initial = "512",
		.text = "New peers of one allocation at once, beyond the rate: many times the "
			"peers that a browser tries."},
	{.key = "budget",
		.type = RULE_MAP,
		RULE_AT(struct conf_limits, budget),
		.section = &conf_schema_budget},
	{.key = "caps",
		.type = RULE_MAP,
		RULE_AT(struct conf_limits, caps),
		.section = &conf_schema_caps},
	{.key = NULL},
};

static const struct section limits_section = {
	.rules = limits_rules,
	.size = sizeof(struct conf_limits),
	.text = "How much, and how long.",
};

static const struct rule_choice families[] = {
	{.name = "ipv4", .value = CONF_FAMILY_IPV4},
	{.name = "ipv6", .value = CONF_FAMILY_IPV6},
	{.name = "keep", .value = CONF_FAMILY_KEEP},
	{.name = NULL},
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
	{.key = "default_family",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_protocol, default_family),
		.choices = families,
		.initial = "ipv4",
		.text = "Family of the relayed address where a client names none. `keep`: the one "
			"that the client comes by, where the relay has it. RFC 8656 says `ipv4`."},
	{.key = "permission_follows_channel",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, permission_follows_channel),
		.initial = "true",
		.text = "A live channel keeps its permission alive, for clients that send nothing "
			"but ChannelBind. Deviates from RFC 8656, as coturn does; false is "
			"strict."},
	{.key = "heal_black_holes",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, heal_black_holes),
		.initial = "true",
		.text = "Where packets of more than 1,280 bytes are repeated with growing waits "
			"and "
			"never arrive, tell their sender by ICMP to send shorter ones."},
	{.key = "software",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, software),
		.initial = "false",
		.text = "Send the SOFTWARE attribute. Answers of the packet path (Binding, the "
			"first 401) have none."},
	{.key = "secure_stun",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, secure_stun),
		.initial = "false",
		.text = "Binding requests need credentials too."},
	{.key = "draining",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, draining),
		.initial = "false",
		.text = "Make no allocations any more: clients are sent to `alternate_servers`, or "
			"refused with 508. Calls go on."},
	{.key = "alternate_servers",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_protocol, alternate_servers),
		.item = RULE_PLACE,
		.example = "[\"192.0.2.20:3478\"]",
		.text = "Other relays, with the same users, to which clients are sent in turn "
			"(300) "
			"while this one is draining or full, those of their own address family. "
			"Clients of TLS are refused with 508 instead: they would look for an "
			"address "
			"in the certificate."},
	{.key = "nat_discovery",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, nat_discovery),
		.initial = "false",
		.text = "Tell clients how their NAT behaves (RFC 5780): answers may leave by "
			"another listener than the one asked. Wants UDP listeners at two addresses "
			"of a family, with the same two ports each. The control process then "
			"answers "
			"all Binding requests, within `limits.first_contact_rate`."},
	{.key = "mobility",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, mobility),
		.initial = "true",
		.text = "Give mobility tickets (RFC 8016) to clients that ask for one: their "
			"allocation follows them to another address, port or transport. Until it "
			"expires it stays when its connection to the edge ends. Switched off, it "
			"ends those that wait, and moves that are not finished are given up."},
	{.key = "sha256",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, sha256),
		.initial = "true",
		.text = "Offer SHA-256 passwords (RFC 8489) beside MD5. Where a user has only an "
			"MD5 key none are offered."},
	{.key = "userhash",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, userhash),
		.initial = "true",
		.text = "Offer clients to send USERHASH (RFC 8489) instead of the user name. Where "
			"there are secrets or a directory it is not offered."},
	{.key = "credential_separator",
		.type = RULE_TEXT,
		RULE_AT(struct conf_protocol, credential_separator),
		.initial = ":",
		.text = "Character between time and name in the user name of a time-limited "
			"credential."},
	{.key = "end_with_credential",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, end_with_credential),
		.initial = "false",
		.text = "A call ends when its time-limited credential does. Else the credential "
			"is needed to begin a call, which may then go on."},
	{.key = "tcp_relay",
		.type = RULE_BOOL,
		RULE_AT(struct conf_protocol, tcp_relay),
		.initial = "true",
		.text = "Offer TCP allocations (RFC 6062) to clients that come by TCP or TLS."},
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
