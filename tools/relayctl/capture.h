// SPDX-License-Identifier: BSD-3-Clause
// `capture ALLOCATION`: the reader of <turnpike/capture.h>, which writes the received frames as
// pcapng.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "options.h"

// `path` NULL or "-": standard output, unless that is a terminal: false after a message.
bool rctl_capture_may_write(const char *path);
// Reads from `fd` until the capture ends; SIGINT and SIGTERM end it. The file is made, or written
// over, when the capture runs. `result` is the control process's answer. RCTL_EXIT_*, after
// messages on stderr.
int rctl_capture_run(int fd, const char *path, const json_t *result, uint32_t snaplen);
