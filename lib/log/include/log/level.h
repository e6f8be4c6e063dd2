// SPDX-License-Identifier: BSD-3-Clause
// Names of log levels and formats, shared by the logger and the configuration.
#pragma once

// A line is written if its event's level is at most the current one.
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
};

// "error", "warning", "info", "debug".
const char *log_level_name(enum log_level level);
// 0 or -EINVAL.
int log_level_parse(const char *name, enum log_level *out);
