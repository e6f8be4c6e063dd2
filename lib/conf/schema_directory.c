// SPDX-License-Identifier: BSD-3-Clause
// Options of the directory: databases of users.
#include "schema.h"

static const struct rule_choice types[] = {
	{.name = "sqlite", .value = CONF_SOURCE_SQLITE},
	{.name = "postgresql", .value = CONF_SOURCE_POSTGRESQL},
	{.name = "redis", .value = CONF_SOURCE_REDIS},
	{.name = "http", .value = CONF_SOURCE_HTTP},
	{.name = NULL},
};

static const struct rule source_rules[] = {
	{.key = "name",
		.type = RULE_TEXT,
		RULE_AT(struct conf_source, name),
		.required = true,
		.example = "main",
		.text = "Name of the source in logs and in `relayctl -j status`, up to 31 bytes."},
	{.key = "type",
		.type = RULE_CHOICE,
		RULE_AT(struct conf_source, type),
		.choices = types,
		.required = true,
		.example = "sqlite",
		.text = "`sqlite` and `postgresql` have coturn's tables, `redis` its keys; `http` "
			"asks a server of yours."},
	{.key = "realms",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_source, realms),
		.prepared = true,
		.item = RULE_TEXT,
		.example = "[example.org]",
		.text = "Realms whose users the source knows; without it: all that no other source "
			"names."},
	{.key = "path",
		.type = RULE_PATH,
		RULE_AT(struct conf_source, path),
		.example = "/var/lib/turn/turndb",
		.text = "`sqlite`: the file, opened for reading only."},
	{.key = "connection_file",
		.type = RULE_PATH,
		RULE_AT(struct conf_source, connection_file),
		.example = "users.connection",
		.text = "`postgresql` and `redis`: file with the connection string in one line, as "
			"coturn takes it (`host=db.example.org dbname=turn user=turn "
			"password=...`). Readable by the group `turnpike-directory`, not by "
			"others."},
	{.key = "url",
		.type = RULE_TEXT,
		RULE_AT(struct conf_source, url),
		.example = "https://accounts.example.org/turn",
		.text = "`http`: where questions are posted."},
	{.key = "bearer_file",
		.type = RULE_PATH,
		RULE_AT(struct conf_source, bearer_file),
		.example = "accounts.bearer",
		.text = "`http`: file with the bearer token in one line, not readable by others."},
	{.key = "ca_file",
		.type = RULE_PATH,
		RULE_AT(struct conf_source, ca_file),
		.example = "accounts-ca.pem",
		.text = "`http`: authorities that may sign the server's certificate, instead of "
			"the "
			"system's."},
	{.key = "certificate",
		.type = RULE_PATH,
		RULE_AT(struct conf_source, certificate),
		.example = "directory.pem",
		.text = "`http`: certificate with which we show who asks."},
	{.key = "key_file",
		.type = RULE_PATH,
		RULE_AT(struct conf_source, key_file),
		.example = "directory.key",
		.text = "`http`: key of `certificate`, not readable by others."},
	{.key = "secrets",
		.type = RULE_BOOL,
		RULE_AT(struct conf_source, secrets),
		.initial = "false",
		.text = "Secrets of time-limited credentials are in it, too: coturn's table "
			"`turn_secret`, in Redis the set `turn/realm/REALM/secret`. Read every "
			"`life`; "
			"while the database is away the last ones stay. Not of `http`."},
	{.key = "token_keys",
		.type = RULE_BOOL,
		RULE_AT(struct conf_source, token_keys),
		.initial = "false",
		.text = "The same for keys of tokens: table `oauth_key`, in Redis "
			"`turn/oauth/kid/ID`, for realms with `tokens.server_name`. A row holds "
			"for "
			"its realm, or for all where it names none."},
	{.key = "timeout",
		.type = RULE_U32,
		RULE_AT(struct conf_source, timeout_ms),
		.min = 10,
		.max = 5000,
		.initial = "2000",
		.unit = "ms",
		.text = "Longest time of one question; then the user gets 500."},
	{.key = "life",
		.type = RULE_U32,
		RULE_AT(struct conf_source, life_s),
		.max = 3600,
		.initial = "60",
		.unit = "s",
		.text = "A key is kept for so long before it is asked for again."},
	{.key = "negative_life",
		.type = RULE_U32,
		RULE_AT(struct conf_source, negative_life_s),
		.max = 300,
		.initial = "5",
		.unit = "s",
		.text = "The same for the answer that there is no such user."},
	{.key = "connections",
		.type = RULE_U32,
		RULE_AT(struct conf_source, connections),
		.min = 1,
		.max = 16,
		.initial = "2",
		.text = "Questions asked at the same time, each over a connection of its own."},
	{.key = "queue",
		.type = RULE_U32,
		RULE_AT(struct conf_source, queue),
		.min = 1,
		.max = 1024,
		.initial = "256",
		.text = "Questions that may wait; more are answered at once with 500."},
	{.key = NULL},
};

static const struct section source_section = {
	.rules = source_rules,
	.size = sizeof(struct conf_source),
	.text = "Databases that know users. Each is asked by threads of its own: a slow one delays "
		"nobody else's users.",
};

static const struct rule directory_rules[] = {
	{.key = "sources",
		.type = RULE_LIST,
		RULE_AT_LIST(struct conf_directory, sources),
		.section = &source_section},
	{.key = NULL},
};

const struct section conf_schema_directory = {
	.rules = directory_rules,
	.size = sizeof(struct conf_directory),
	.text = "Users in databases, looked up by the process turnpike-directory. Without "
		"`sources` "
		"it is not needed.",
};
