// SPDX-License-Identifier: BSD-3-Clause
// The command line (docs/dataplane.md).
#pragma once

#include <stdbool.h>

struct options {
	const char *config;    // NULL: defaults
	const char *instance;  // NULL: the configuration's
	const char *interface; // NULL: that of the default route
	const char *user;      // NULL: stays the one it is
	bool allow_root;
	bool no_sandbox;
	bool no_huge_pages; // as dataplane.hugepages: never
};

// False: end with *status; the reason has been printed.
bool plane_options_parse(struct options *o, int argc, char **argv, int *status);
