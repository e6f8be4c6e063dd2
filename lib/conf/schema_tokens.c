// SPDX-License-Identifier: BSD-3-Clause
// Options of third-party authorization.
#include "schema.h"

static const struct rule_choice algorithms[] = {
	{.name = "A256GCM", .value = CONF_TOKEN_A256GCM},
	{.name = "A128GCM", .value = CONF_TOKEN_A128GCM},
	{.name = NULL},
};

static const struct rule key_rules[] = {
	{.key = "id",
		.type = RULE_TEXT,
		RULE_AT(struct draft_token_key, id),
		.required = true,
		.example = "2026-11",
		.text = "Id of the key, `kid`: the user name of clients with a token under it."},
	{.key = "key_file",
		.type = RULE_PATH,
		RULE_AT(struct draft_token_key, key_file),
		.required = true,
		.example = "token.key",
		.text = "File that holds the key in one line, in base64: 32 bytes, or 16 for "
			"`A128GCM`. A shorter one is filled up with zeros, as coturn does, and "
			"warned of. Not readable by others."},
	{.key = "algorithm",
		.type = RULE_CHOICE,
		RULE_AT(struct draft_token_key, algorithm),
		.choices = algorithms,
		.initial = "A256GCM",
		.text = "How the authorization server encrypts tokens."},
	{.key = "not_before",
		.type = RULE_TIME,
		RULE_AT(struct draft_token_key, not_before_s),
		.example = "2026-11-29T07:20:00Z",
		.text = "The key is not used earlier."},
	{.key = "not_after",
		.type = RULE_TIME,
		RULE_AT(struct draft_token_key, not_after_s),
		.example = "2026-12-31",
		.text = "The key is not used later; calls go on until their tokens end."},
	{.key = NULL},
};

static const struct section key_section = {
	.rules = key_rules,
	.size = sizeof(struct draft_token_key),
	.text = "Keys shared with the authorization server. All are accepted: to rotate, add the "
		"new one, and remove the old one when its last token has ended.",
};

static const struct rule tokens_rules[] = {
	{.key = "server_name",
		.type = RULE_TEXT,
		RULE_AT(struct draft_tokens, server_name),
		.example = "turn.example.org",
		.text = "Name of this server as the authorization server knows it: clients are "
			"told it by THIRD-PARTY-AUTHORIZATION, and tokens are made for it."},
	{.key = "keys",
		.type = RULE_LIST,
		RULE_AT_LIST(struct draft_tokens, keys),
		.section = &key_section},
	{.key = NULL},
};

const struct section conf_schema_tokens = {
	.rules = tokens_rules,
	.size = sizeof(struct draft_tokens),
	.text = "Third-party authorization (RFC 7635): clients bring a self-contained token of an "
		"authorization server. A call ends with its token.",
};
