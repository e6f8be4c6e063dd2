// SPDX-License-Identifier: BSD-3-Clause
// `trace start CLIENT`: shows the records of <turnpike/trace.h> as they come.
#pragma once

#include <jansson.h>

#include "options.h"

// Reads from `fd` until the trace ends; SIGINT and SIGTERM end it. `result` is the control
// process's answer. RCTL_EXIT_*, after messages on stderr.
int rctl_trace_run(int fd, const json_t *result, enum rctl_style style);
