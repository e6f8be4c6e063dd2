// SPDX-License-Identifier: BSD-3-Clause
// Logs of both processes: one line per event on stderr, as text or JSON, UTC RFC 3339.
//
//   log_event(LOG_EV_AUTH_FAILED, LOG_FIELDS(log_allocation(ref), log_str("user", name)));
//
//   2026-11-02T09:14:03.512907Z info auth_failed allocation=1f user="a \"b\""
//   {"time":"2026-11-02T09:14:03.512907Z","level":"info","process":"control","instance":"default",
//    "event":"auth_failed","allocation":"1f","user":"a \"b\""}
//
// Every event has a rate of its own (<log/event.h>): lines beyond it are counted, and the count is
// on the event's next line (suppressed=N) or, if none comes, on a log_suppressed line of log_tick.
// Of lines with a field "client" (log_addr), one prefix, /32 or /64, has about a third of the rate
// at most.
//
// Threads: every function may be called by any thread at any time but for log_init and log_fini,
// which are called while there is one. A poll-mode worker never calls any of them. Nothing here may
// be called from a signal handler. The logger keeps no memory but static; a line is one write(2),
// never waits for the reader of stderr, and is counted when lost.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <log/event.h>
#include <turnpike/addr.h>

struct log_env {
	void *ctx;
	// One line with its '\n', under the logger's lock: must not log. False: the line is lost.
	bool (*write)(void *ctx, const char *line, size_t len);
	uint64_t (*wall_ns)(void *ctx); // since 1970, for the time stamp
	uint64_t (*now_ns)(void *ctx);	// CLOCK_BOOTTIME, for the rates
};

struct log_settings {
	enum log_format format;
	enum log_level level;
	const char *process;	   // "control", "dataplane": borrowed until log_fini
	const char *instance;	   // likewise
	const struct log_env *env; // NULL: stderr and the system's clocks; members may be NULL too
};

// Before log_init lines go to stderr as text with level info.
void log_init(const struct log_settings *s);
// Reports suppressed and lost lines, then resets the state of log_init.
void log_fini(void);

void log_level_set(enum log_level level);
enum log_level log_level_get(void);

// Whether a line of this event would be written as far as the level goes.
bool log_enabled(enum log_event_id id);

enum log_type {
	LOG_TYPE_END,
	LOG_TYPE_TEXT,
	LOG_TYPE_U64,
	LOG_TYPE_I64,
	LOG_TYPE_BOOL,
	LOG_TYPE_ADDR,
	LOG_TYPE_IP,
	LOG_TYPE_ID,
	LOG_TYPE_ERRNO,
};

// Made by the functions below; the memory a field points to is borrowed during log_event only.
struct log_field {
	const char *key; // a constant of the program: lower-case letters and '_'
	enum log_type type;
	union {
		uint64_t u64;
		int64_t i64;
		struct {
			const void *data;
			size_t len;
		};
	};
};

#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {.type = LOG_TYPE_END}})

// `fields` may be NULL.
void log_event(enum log_event_id id, const struct log_field *fields);

// Must be called about once per second: reports the suppressed lines of events that fell silent.
void log_tick(void);

// Text from anywhere, hostile or not, of any length: escaped, and cut after 256 bytes.
struct log_field log_text(const char *key, const void *data, size_t len);
struct log_field log_str(const char *key, const char *s); // NULL: "-"
struct log_field log_u64(const char *key, uint64_t v);
struct log_field log_i64(const char *key, int64_t v);
struct log_field log_bool(const char *key, bool v);
struct log_field log_addr(const char *key, const struct tp_addr *a); // with port
struct log_field log_ip(const char *key, const struct tp_addr *a);   // without
// The allocation's id, hexadecimal as everywhere else it is shown.
struct log_field log_allocation(uint64_t id);
// error="No such file or directory"; takes positive and negative values.
struct log_field log_errno(int err);
