// SPDX-License-Identifier: BSD-3-Clause
// `capture ALLOCATION`: the reader of <turnpike/capture.h>, which writes what comes as pcapng.
#pragma once

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "options.h"

// The file, opened before anything is asked for: NULL after a message. `path` NULL or "-": standard
// output, unless that is a terminal.
FILE *rctl_capture_open(const char *path);
// Reads from `fd` until the capture ends; SIGINT and SIGTERM end it. `result` is the control
// process's answer. RCTL_EXIT_*, after messages on stderr.
int rctl_capture_run(int fd, FILE *out, const json_t *result, uint32_t snaplen);
