// SPDX-License-Identifier: BSD-3-Clause
// The table of every option: it reads the file, gives the defaults and makes the option page.
#pragma once

#include <conf/conf.h>

enum rule_type {
	RULE_BOOL,
	RULE_U16,
	RULE_U32,
	RULE_CHOICE, // an enum
	RULE_TEXT,   // const char *
	RULE_PATH,   // const char *, relative to the file's directory
	RULE_IP,     // struct tp_addr
	RULE_CIDR,   // struct text_cidr
	RULE_SCOPE,  // struct text_scope
	RULE_PORTS,  // two uint16_t: low, high
	RULE_PLACE,  // struct conf_place
	RULE_TIME,   // uint64_t, Unix seconds
	RULE_MAP,    // a section's struct, in place
	RULE_LIST,   // pointer and count; of a section's structs, or of single values
};

struct rule_choice {
	const char *name;
	int value;
};

struct rule {
	const char *key;
	enum rule_type type;
	size_t offset;			   // in the section's struct
	size_t n_offset;		   // LIST: of the count
	enum rule_type item;		   // LIST without a section: type of its values
	bool required;			   // LIST: not empty either
	bool for_dataplane;		   // top level: the data plane and the edge read it
	bool for_edge;			   // top level: the edge reads it, too
	bool prepared;			   // TEXT: by OpaqueString (RFC 8265 4.2)
	uint32_t min, max;		   // U16, U32
	const char *initial;		   // default, as written in the file; NULL: none
	const char *initial_text;	   // instead of it on the page
	const char *unit;		   // on the page
	const char *example;		   // for remedies: "10.0.0.1"
	const struct rule_choice *choices; // CHOICE, ends with a name of NULL
	const struct section *section;
	const char *text; // for the page
};

struct section {
	const struct rule *rules; // ends with a key of NULL
	size_t size;		  // of the struct
	const char *text;	  // for the page
};

// Target of the table while reading; settled into the struct conf afterwards.
struct draft_listener {
	enum conf_transport transport;
	struct tp_addr ip;
	uint16_t port; // 0: the transport's default
	const char *certificate;
	const char *client_ca;
	const struct text_cidr *proxies;
	size_t n_proxies;
	const char **names;
	size_t n_names;
	struct draft_backend *backends;
	size_t n_backends;
	struct conf_websocket websocket;
	const char *realm; // NULL: the file's own
};

struct draft_backend {
	struct conf_backend conf; // the address without its port
	uint16_t port;
};

struct draft_user {
	const char *name;
	const char *password_file;
	const char *key_file;
};

struct draft_secret {
	const char *id;
	const char *secret_file;
	enum conf_hmac hmac;
	uint64_t not_before_s;
	uint64_t not_after_s;
};

struct draft_token_key {
	const char *id;
	const char *key_file;
	enum conf_token_algorithm algorithm;
	uint64_t not_before_s;
	uint64_t not_after_s;
};

struct draft_tokens {
	const char *server_name;
	struct draft_token_key *keys;
	size_t n_keys;
};

// Users, secrets and tokens of one realm.
struct draft_credentials {
	struct draft_user *users;
	size_t n_users;
	const char *users_file;
	struct draft_secret *secrets;
	size_t n_secrets;
	struct draft_tokens tokens;
};

struct draft_realm {
	struct conf_realm conf;
	struct draft_credentials own;
};

struct draft {
	struct conf conf;
	struct draft_listener *listeners;
	size_t n_listeners;
	struct draft_credentials own;
	struct draft_realm *realms;
	size_t n_realms;
};

#define DEVICE_MAX    511u // with its arguments
#define USER_NAME_MAX 508u // RFC 8489 14.3: fewer than 509 octets
#define REALM_MAX     127u // RFC 8489 14.9: fewer than 128 characters

extern const struct section conf_schema_top;
extern const struct section conf_schema_dataplane;
extern const struct section conf_schema_listener;
extern const struct section conf_schema_backend;
extern const struct section conf_schema_websocket;
extern const struct section conf_schema_relay;
extern const struct section conf_schema_edge;
extern const struct section conf_schema_directory;
extern const struct section conf_schema_realm;
extern const struct section conf_schema_user;
extern const struct section conf_schema_secret;
extern const struct section conf_schema_tokens;
extern const struct section conf_schema_peers;
extern const struct section conf_schema_budget;
extern const struct section conf_schema_limits;
extern const struct section conf_schema_protocol;
extern const struct section conf_schema_caps;
extern const struct section conf_schema_realm_caps;
extern const struct section conf_schema_policy;

// Where a rule's value goes.
#define RULE_AT(type, member) .offset = offsetof(type, member)
#define RULE_AT_LIST(type, items)                                                                  \
	.offset = offsetof(type, items), .n_offset = offsetof(type, n_##items)

#define RULE_AT_OWN(type, items)                                                                   \
	.offset = offsetof(type, own.items), .n_offset = offsetof(type, own.n_##items)

// Size of one value; 0 for MAP and LIST.
size_t conf_rule_size(enum rule_type type);
