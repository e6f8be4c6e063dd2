// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stdbool.h>

#define OPTIONS_ARGUMENTS_MAX 32u

struct options {
	const char *config;    // NULL: defaults
	const char *interface; // NULL: that of the default route
	const char *instance;  // NULL: the configuration's
	const char *programs;  // directory of the processes' programs; NULL: beside this one
	bool allow_root;
	// Further arguments of each process, NULL-terminated.
	const char *control[OPTIONS_ARGUMENTS_MAX];
	const char *dataplane[OPTIONS_ARGUMENTS_MAX];
	const char *edge[OPTIONS_ARGUMENTS_MAX];
	const char *directory[OPTIONS_ARGUMENTS_MAX];
};

// False: end with *status; a message or the help was printed.
bool options_read(struct options *o, int argc, char **argv, int *status);
