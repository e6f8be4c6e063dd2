// SPDX-License-Identifier: BSD-3-Clause
// The command line, and what the process ends with (docs/dataplane.md).
#pragma once

#include <stdbool.h>

#define EXIT_STOPPED 0 // by SIGTERM or SIGINT
#define EXIT_FAILED  1 // could not start, or could not go on; the log says why
#define EXIT_USAGE   2
#define EXIT_CONFIG  3 // the configuration has mistakes
#define EXIT_BUSY    4 // this instance runs already, or the interface is another's

struct options {
	const char *config;    // NULL: defaults
	const char *instance;  // NULL: the configuration's
	const char *interface; // NULL: that of the default route
};

// True: go on. False: end with *status, everything has been said.
bool options_parse(struct options *o, int argc, char **argv, int *status);
