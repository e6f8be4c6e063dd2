// SPDX-License-Identifier: BSD-3-Clause
// The mistakes of a configuration: text, place and remedy.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct conf_error {
	bool warning;	     // the configuration is usable all the same
	const char *file;    // "" for a configuration in memory
	unsigned line;	     // from 1; 0: the file as a whole
	const char *key;     // "relay.ports", "listeners[2].port"; "" for the file as a whole
	const char *problem; // escaped: safe to print
	const char *remedy;
};

// Zero-initialise, pass along, read, conf_errors_fini. Sorted by file and line once loaded.
struct conf_errors {
	struct conf_error *items;
	size_t len;
	size_t n_errors; // without the warnings
	size_t capacity;
	bool out_of_memory; // then something is missing from the list
};

void conf_errors_fini(struct conf_errors *e);

// "turnpike.yaml:12: relay.ports: 70000 is no port; give a number from 1 to 65535". Returns buf,
// always terminated.
const char *conf_error_format(const struct conf_error *e, char *buf, size_t size);
