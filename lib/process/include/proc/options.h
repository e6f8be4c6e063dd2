// SPDX-License-Identifier: BSD-3-Clause
// The command line of a program: each has a table of its own options, and all read it alike.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Further than --help and --version, which every program has.
#define PROC_OPTIONS_MAX 16u

// An option takes an argument if it has `text` or `take`.
struct proc_option {
	const char *name;  // without its "--"
	const char **text; // gets the argument, which lives as long as argv
	bool *flag;	   // becomes true
	// Puts the argument into `into`. False: it is wrong, and a line said why.
	bool (*take)(void *into, const char *argument);
	void *into;
};

struct proc_program {
	const char *name;    // "turnpike-edge"
	const char *help;    // printed by --help
	const char *version; // a line, printed by --version
	const struct proc_option *options;
	size_t n_options;
};

// Reads all options. False: the process ends with *status; a message, the help or the version was
// printed. True: *status is PROC_EXIT_USAGE, for mistakes that the caller finds.
bool proc_options_read(const struct proc_program *p, int argc, char **argv, int *status);
