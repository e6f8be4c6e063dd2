// SPDX-License-Identifier: BSD-3-Clause
// The difference between two configurations, by key, for a reload: which of them can be put into
// force at once, and which need a restart.
#pragma once

#include <conf/conf.h>

#define SETTINGS_CHANGES_MAX 64u

// The process that brings a change into force. The control process takes over its own part by its
// own reload in any case.
enum settings_reach {
	SETTINGS_CONTROL,
	SETTINGS_EDGE,	     // by its reload
	SETTINGS_EDGE_START, // turnpike-edge, at its next start; a reload is not refused for it
	SETTINGS_DIRECTORY,  // by its reload
};

struct settings_change {
	const char *key; // of the configuration
	char text[128];	 // "60 to 120", "10.0.0.2 added"; holds no secret
	bool restart;	 // takes effect at a start of the control process only
	enum settings_reach reach;
};

struct settings_diff {
	unsigned n; // may exceed SETTINGS_CHANGES_MAX: the rest is only counted
	unsigned n_restart;
	struct settings_change changes[SETTINGS_CHANGES_MAX];
};

// 0 or -ENOMEM.
int settings_diff(struct settings_diff *d, const struct conf *from, const struct conf *to);
// Adds a restart where caps are new and the tables, with `n_limits` slots, have no room for them.
void settings_diff_room(
	struct settings_diff *d, const struct conf *from, const struct conf *to, uint32_t n_limits);
// Writes the changes, or those alone that need a restart, as one line of text, cut to size.
const char *settings_diff_format(
	const struct settings_diff *d, bool restart_only, char *text, size_t size);
