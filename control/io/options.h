// SPDX-License-Identifier: BSD-3-Clause
// The command line, and what the process ends with (docs/operating.md).
#pragma once

#include "relay.h"

#define IO_EXIT_STOPPED 0 // by SIGTERM or SIGINT
#define IO_EXIT_FAILED	1 // could not start, or could not go on; the log says why
#define IO_EXIT_USAGE	2
#define IO_EXIT_CONFIG	3 // the configuration has mistakes
#define IO_EXIT_BUSY	4 // this instance runs already, or its tables are in use by another version

enum io_action {
	IO_ACTION_SERVE,
	IO_ACTION_CHECK,
	IO_ACTION_REMOVE, // the files of the segment
	IO_ACTION_PLAN,	  // what a configuration has room for and takes
};

// True: go on with *action. False: end with *status, everything has been said.
bool io_options_parse(
	struct io_options *o, enum io_action *action, int argc, char **argv, int *status);
