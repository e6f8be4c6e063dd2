// SPDX-License-Identifier: BSD-3-Clause
// Connection strings of "key=value" pairs between blanks, as coturn takes them for Redis.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct connection_pair {
	const char *key;
	char *value; // into the copy
};

struct connection {
	char *copy; // wiped and freed by connection_fini
	size_t len;
	struct connection_pair pairs[16];
	unsigned n;
	const char *problem; // where parsing fails: constant text without a value
};

// `known`: the keys that may be there, ends with NULL. False: `problem` says why.
bool connection_parse(struct connection *c, const char *text, size_t len, const char *const *known);
// The value of a key, or `initial`.
const char *connection_get(const struct connection *c, const char *key, const char *initial);
void connection_fini(struct connection *c);
