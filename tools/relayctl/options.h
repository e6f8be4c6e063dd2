// SPDX-License-Identifier: BSD-3-Clause
// The command line: one command, with options before, after or among its words.
#pragma once

#include <stdbool.h>

#define RCTL_EXIT_OK	    0
#define RCTL_EXIT_REFUSED   1
#define RCTL_EXIT_USAGE	    2
#define RCTL_EXIT_NO_DAEMON 3

enum rctl_style {
	RCTL_TABLE, // for people
	RCTL_JSON,
	RCTL_TSV,
};

struct rctl_options {
	enum rctl_style style;
	const char *instance; // NULL: not given
	const char *socket;   // a socket or its directory; NULL: not given
	const char *config;   // whose relay is meant; NULL: not given
	const char *batch;    // file of commands, "-" for stdin; NULL: one from the command line
	bool stop_on_error;
	bool echo;
	unsigned count;	       // of screens (top), of packets (trace, capture); 0: not given
	const char *write;     // capture's file; NULL: not given
	const char *page;      // "help", "version", "man", "completion": print it and leave
	const char *words[32]; // the command, NULL-terminated
};

// 0, or -EINVAL after a message on stderr.
int rctl_options_read(struct rctl_options *o, char **argv);
