// SPDX-License-Identifier: BSD-3-Clause
// The line that comes before a failed start.
#pragma once

#include <log/event.h>
#include <proc/start.h>
#include <steer/claim.h>

// Logs the fault as `event`. PROC_EXIT_* for `err`.
int plane_refuse(enum log_event_id event, int err, const struct steer_fault *f);
