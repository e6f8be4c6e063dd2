// SPDX-License-Identifier: BSD-3-Clause
// One log line as text or JSON.
#pragma once

#include <log/log.h>
#include <text/buf.h>

// A pipe takes lines up to this size whole (PIPE_BUF is 4096).
#define LINE_SIZE 4000u

struct line_head {
	enum log_format format;
	uint64_t wall_ns;
	const char *process; // NULL: left out, as instance
	const char *instance;
	const struct log_event_info *event;
	uint64_t suppressed; // 0: left out
};

// Writes the line with its '\n' to buf (LINE_SIZE octets) and returns its length. Fields that do
// not fit any more are left out and truncated=true says so.
size_t log_line_format(char *buf, const struct line_head *head, const struct log_field *fields);
