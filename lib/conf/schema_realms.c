// SPDX-License-Identifier: BSD-3-Clause
// Options of users, secrets and peers, and of further realms.
#include "schema.h"

static const struct rule user_rules[] = {
	{.key = "name",
		.type = RULE_TEXT,
		RULE_AT(struct draft_user, name),
		.prepared = true,
		.required = true,
		.example = "alice",
		.text = "User name, up to 508 bytes. Names, realms and passwords are prepared by "
			"the "
			"OpaqueString profile (RFC 8265): clients send the same."},
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
			"`name:realm:password`, each prepared, as 32 hexadecimal digits."},
	{.key = NULL},
};

const struct section conf_schema_user = {
	.rules = user_rules,
	.size = sizeof(struct draft_user),
	.text = "Users with a password of their own (long-term credentials).",
};

static const struct rule_choice hmacs[] = {
	{.name = "sha1", .value = CONF_HMAC_SHA1},
	{.name = "sha256", .value = CONF_HMAC_SHA256},
	{.name = "any", .value = CONF_HMAC_ANY},
	{.name = NULL},
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
	{.key = "hmac",
		.type = RULE_CHOICE,
		RULE_AT(struct draft_secret, hmac),
		.choices = hmacs,
		.initial = "sha1",
		.text = "How the application makes passwords: `sha1` as everywhere, "
			"base64(HMAC-SHA1(secret, user name)); `sha256`, the same with "
			"HMAC-SHA256; `any` takes both."},
	{.key = "not_before",
		.type = RULE_TIME,
		RULE_AT(struct draft_secret, not_before_s),
		.example = "2026-11-29T07:20:00Z",
		.text = "The secret is not used earlier."},
	{.key = "not_after",
		.type = RULE_TIME,
		RULE_AT(struct draft_secret, not_after_s),
		.example = "2026-12-31",
		.text = "The secret is not used later; calls go on."},
	{.key = NULL},
};

const struct section conf_schema_secret = {
	.rules = secret_rules,
	.size = sizeof(struct draft_secret),
	.text = "Secrets shared with the application that mints time-limited credentials (REST). "
		"The "
		"first in force is used to mint; all in force are accepted, so a secret is rotated "
		"by putting the new one first and removing the old one when `relayctl secret list` "
		"shows that it is used no longer.",
};

#define PEERS_ALLOW                                                                                \
	{                                                                                          \
		.key = "allow", .type = RULE_LIST, RULE_AT_LIST(struct conf_peers, allow),         \
		.item = RULE_SCOPE, .example = "[10.20.0.0/16, \"10.30.0.5:5000-6000\"]",          \
		.text = "Prefixes that clients may reach although they are not public, with "      \
			"ports or "                                                                \
			"without."                                                                 \
	}
#define PEERS_DENY                                                                                 \
	{                                                                                          \
		.key = "deny", .type = RULE_LIST, RULE_AT_LIST(struct conf_peers, deny),           \
		.item = RULE_SCOPE, .example = "[198.18.0.0/15, \"0.0.0.0/0:25\", \"[::/0]:25\"]", \
		.text = "Prefixes that clients may not reach, with ports or without."              \
	}

#define PEERS_DRY_RUN                                                                              \
	{                                                                                          \
		.key = "dry_run", .type = RULE_BOOL, RULE_AT(struct conf_peers, dry_run),          \
		.initial = "false",                                                                \
		.text = "`deny` is tried: peers that it would deny are counted "                   \
			"(`permissions_would_deny`), logged (`peer_would_be_denied`) and let "     \
			"through, as if there was no `deny`. All other denials hold."              \
	}

static const struct rule realm_peers_rules[] = {
	PEERS_ALLOW, PEERS_DENY, PEERS_DRY_RUN, {.key = NULL}};

static const struct rule peers_rules[] = {
	PEERS_ALLOW,
	PEERS_DENY,
	PEERS_DRY_RUN,
	{.key = "local",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_peers, local),
		.item = RULE_PLACE,
		.example = "[\"192.0.2.10:20000-20999\"]",
		.text = "Ports of a media server on this host's own addresses, those of the "
			"relay, that clients may reach: the kernel hands packets over, and "
			"answers come back. Everything else on these addresses stays closed. A "
			"change takes effect when the data plane starts."},
	{.key = NULL},
};

const struct section conf_schema_peers = {
	.rules = peers_rules,
	.size = sizeof(struct conf_peers),
	.text = "Which peers clients may reach. Everything that is not public unicast is denied "
		"unless "
		"`allow` names it: private, shared, link-local, documentation, transition and "
		"cloud "
		"metadata addresses. A rule with ports holds for these alone; one with all, "
		"1-65535, is one without ports. The most specific "
		"prefix decides; where two are equally specific, the one with ports, then `deny` "
		"before `allow`; a wide `allow` such as `0.0.0.0/0` opens no special "
		"range, which has to be named itself. Some can't be opened at all: unspecified, "
		"loopback, multicast and broadcast addresses, IPv6 addresses that hold a denied "
		"IPv4 "
		"address, other addresses of this host, and the relay's own addresses beyond its "
		"live relayed ports.",
};

static const struct rule policy_rules[] = {
	{.key = "name",
		.type = RULE_TEXT,
		RULE_AT(struct conf_policy, name),
		.required = true,
		.example = "staff",
		.text = "Name of the policy, for `relayctl policy explain`."},
	{.key = "users",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_policy, users),
		.item = RULE_TEXT,
		.prepared = true,
		.required = true,
		.example = "[alice, bob]",
		.text = "Its users, by their exact names; of time-limited credentials the name "
			"behind the time. The kind of user does not matter: a name holds for a "
			"user with a password and for a time-limited credential, and the users "
			"of all tokens under a key have its `id` as name, the `kid`."},
	PEERS_ALLOW,
	PEERS_DENY,
	PEERS_DRY_RUN,
	{.key = NULL},
};

const struct section conf_schema_policy = {
	.rules = policy_rules,
	.size = sizeof(struct conf_policy),
	.text = "Peer policies for some users of the realm, instead of `peers` as a whole; "
		"`peers.local` holds for all.",
};

static const struct section realm_peers = {
	.rules = realm_peers_rules,
	.size = sizeof(struct conf_peers),
	.text = "As the file's own `peers`, for clients of the realm; `peers.local` holds for "
		"all realms.",
};

static const struct rule realm_rules[] = {
	{.key = "name",
		.type = RULE_TEXT,
		RULE_AT(struct draft_realm, conf.name),
		.prepared = true,
		.required = true,
		.example = "business.example.org",
		.text = "Name of the realm, as clients are told it."},
	{.key = "origins",
		.type = RULE_LIST,
		.offset = offsetof(struct draft_realm, conf.origins),
		.n_offset = offsetof(struct draft_realm, conf.n_origins),
		.item = RULE_TEXT,
		.example = "[\"https://meet.example.org\"]",
		.text = "Values of the attribute ORIGIN that choose the realm on any listener. "
			"Clients choose them: they keep realms apart by mistake, not by force."},
	{.key = "users",
		.type = RULE_LIST,
		RULE_AT_OWN(struct draft_realm, users),
		.section = &conf_schema_user},
	{.key = "users_file",
		.type = RULE_PATH,
		RULE_AT(struct draft_realm, own.users_file),
		.example = "business.users",
		.text = "As the file's own `users_file`."},
	{.key = "secrets",
		.type = RULE_LIST,
		RULE_AT_OWN(struct draft_realm, secrets),
		.section = &conf_schema_secret},
	{.key = "tokens",
		.type = RULE_MAP,
		RULE_AT(struct draft_realm, own.tokens),
		.section = &conf_schema_tokens},
	{.key = "peers",
		.type = RULE_MAP,
		RULE_AT(struct draft_realm, conf.peers),
		.section = &realm_peers},
	{.key = "policies",
		.type = RULE_LIST,
		.offset = offsetof(struct draft_realm, conf.policies),
		.n_offset = offsetof(struct draft_realm, conf.n_policies),
		.section = &conf_schema_policy},
	{.key = "allocations",
		.type = RULE_U32,
		RULE_AT(struct draft_realm, conf.allocations),
		.max = 4u << 20,
		.initial = "0",
		.text = "Allocations of all its users, counted as for `user_quota`; more are "
			"refused with 508. 0: as many as the relay has."},
	{.key = "connections",
		.type = RULE_U32,
		RULE_AT(struct draft_realm, conf.connections),
		.max = UINT32_MAX,
		.initial = "0",
		.text = "Connections with peers by TCP allocations of all its users; 0: no limit."},
	{.key = "user_ports",
		.type = RULE_U32,
		RULE_AT(struct draft_realm, conf.user_ports),
		.max = UINT32_MAX,
		.initial = "0",
		.text = "As `limits.user_ports`."},
	{.key = "user_quota",
		.type = RULE_U32,
		RULE_AT(struct draft_realm, conf.user_quota),
		.max = UINT32_MAX,
		.initial = "0",
		.text = "As `limits.user_quota`."},
	{.key = "secret_quota",
		.type = RULE_U32,
		RULE_AT(struct draft_realm, conf.secret_quota),
		.max = UINT32_MAX,
		.initial = "0",
		.text = "As `limits.secret_quota`."},
	{.key = "allocate_rate",
		.type = RULE_U32,
		RULE_AT(struct draft_realm, conf.allocate_rate),
		.max = 1000000,
		.initial = "0",
		.unit = "requests/s",
		.text = "As `limits.allocate_rate`."},
	{.key = "allocate_burst",
		.type = RULE_U32,
		RULE_AT(struct draft_realm, conf.allocate_burst),
		.max = 1000000,
		.initial = "20",
		.text = "As `limits.allocate_burst`."},
	{.key = "port_rate",
		.type = RULE_U32,
		RULE_AT(struct draft_realm, conf.port_rate),
		.max = 1000000,
		.initial = "16",
		.unit = "ports/s",
		.text = "As `limits.port_rate`."},
	{.key = "budget",
		.type = RULE_MAP,
		RULE_AT(struct draft_realm, conf.budget),
		.section = &conf_schema_budget},
	{.key = "caps",
		.type = RULE_MAP,
		RULE_AT(struct draft_realm, conf.caps),
		.section = &conf_schema_realm_caps},
	{.key = NULL},
};

const struct section conf_schema_realm = {
	.rules = realm_rules,
	.size = sizeof(struct draft_realm),
	.text = "Further realms beside `realm`, each with users, secrets, peers and limits of its "
		"own: "
		"business and social traffic kept apart. Nothing of the file's own realm holds for "
		"them. A database of users serves a realm by `directory.sources[].realms`.",
};
