// SPDX-License-Identifier: BSD-3-Clause
// One database of users, whichever kind it is. A source is opened by the thread that asks it, asks
// one question at a time, and may block for the time-out of its configuration. It connects at the
// first question and again after a failure; it caches nothing.
//
// Threads: each source is one thread's. Nothing is kept of a question, and no key of an answer.
#pragma once

#include <conf/conf.h>
#include <turnpike/lookup.h>

struct source;

struct source_question {
	enum tp_lookup_by by;
	const char *realm; // not terminated, any bytes
	size_t realm_len;
	const uint8_t *name;
	size_t name_len;
	uint16_t wanted; // BY_REALM: TP_LOOKUP_SECRETS, TP_LOOKUP_TOKEN_KEYS, or both
};

#define SOURCE_PROBLEM_MAX 160u

struct source_answer {
	enum tp_lookup_status status;
	enum tp_lookup_algorithm algorithm; // FOUND
	uint8_t key_len;
	uint8_t key[TP_LOOKUP_KEY_MAX];
	bool has_life; // the source named one; else the configuration's holds
	uint32_t life_s;
	// FAILED: the fault, without a secret. `again`: the same question may succeed soon.
	char problem[SOURCE_PROBLEM_MAX];
	bool again;
	bool answered; // FAILED: the source works, but its answer about this name is of no use
};

// One kind of database; the functions of source_open, source_ask, source_keys and source_close.
struct source_kind {
	struct source *(*open)(const struct conf_source *conf);
	void (*ask)(struct source *s, const struct source_question *q, struct source_answer *a);
	// Adds all keys that are wanted; FOUND, or FAILED. NULL: it has users alone.
	void (*keys)(struct source *s, const struct source_question *q, struct tp_lookup_keys *keys,
		struct source_answer *a);
	void (*close)(struct source *s);
};

extern const struct source_kind source_sqlite;
extern const struct source_kind source_postgresql;
extern const struct source_kind source_redis;
extern const struct source_kind source_http;

// Once, before any thread: starts the libraries.
void source_init(void);

// `conf` is borrowed for the life of the source. NULL with errno ENOMEM.
struct source *source_open(const struct conf_source *conf);
void source_ask(struct source *s, const struct source_question *q, struct source_answer *a);
// The keys of a realm: FOUND with `keys`, of which `n` and `skipped` and the items are filled in,
// or FAILED. The caller wipes them.
void source_keys(struct source *s, const struct source_question *q, struct tp_lookup_keys *keys,
	struct source_answer *a);
// NULL is fine.
void source_close(struct source *s);

// ---- for the kinds ----------------------------------------------------------------------------

struct source {
	const struct source_kind *kind;
	const struct conf_source *conf;
};

// The answer that the source can't tell; `again` as in the answer.
void source_fail(struct source_answer *a, bool again, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
// The same of one name, where the source answers.
void source_fail_name(struct source_answer *a, const char *problem);
// The key as coturn's turnadmin -k prints it: 32 or 64 hexadecimal digits.
// Blanks behind it are no part of it.
void source_found_hex(struct source_answer *a, const char *hex, size_t len);
// False, with the answer made: databases know their users by name alone.
bool source_by_name(const struct source_question *q, struct source_answer *a);

// A column of a row; not terminated.
struct source_text {
	const char *s;
	size_t len;
};

// A row of coturn's table oauth_key.
struct source_token_row {
	struct source_text id;	      // kid
	struct source_text key;	      // ikm_key, base64
	struct source_text timestamp; // Unix seconds
	struct source_text lifetime;  // seconds from there; 0: for ever
	struct source_text algorithm; // as_rs_alg
};

// Both count rows that are no key, or for which there is no room, as skipped.
void source_secret_add(struct tp_lookup_keys *keys, struct source_text value);
void source_token_key_add(struct tp_lookup_keys *keys, const struct source_token_row *row);
