// SPDX-License-Identifier: BSD-3-Clause
// The command line (docs/operating.md).
#pragma once

#include <process/process.h>
#include <proc/start.h>

enum process_action {
	PROCESS_ACTION_SERVE,
	PROCESS_ACTION_CHECK,
	PROCESS_ACTION_REMOVE, // the files of the segment
	PROCESS_ACTION_PLAN,   // capacity and cost of a configuration
};

// True: go on with *action. False: end with *status, everything has been said.
bool process_options_parse(
	struct process_options *o, enum process_action *action, int argc, char **argv, int *status);

// The request for the configuration that the options name.
struct conf_request process_options_request(const struct process_options *o);
