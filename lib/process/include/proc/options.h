// SPDX-License-Identifier: BSD-3-Clause
// The command line of a program: each has a table of its own options, and all read it alike.
#pragma once

#include <getopt.h>
#include <stdbool.h>

struct proc_program {
	const char *name;    // "turnpike-edge"
	const char *help;    // printed by --help, which is 'h' in `longs`
	const char *version; // a line, printed by --version, 'V' likewise
	const char *shorts;  // as of getopt_long(3)
	const struct option *longs;
	// Takes one option, whose argument is in optarg. False: it is unknown, or wrong.
	bool (*take)(void *ctx, int c);
};

// Reads all options. False: the process ends with *status; a message, the help or the version was
// printed. True: *status is PROC_EXIT_USAGE, for mistakes that the caller finds.
bool proc_options_read(const struct proc_program *p, void *ctx, int argc, char **argv, int *status);
