// SPDX-License-Identifier: BSD-3-Clause
// The server's processes as the kernel accounts for them.
#pragma once

#include <jansson.h>

#include "options.h"

struct streams_server {
	uint64_t cpu_ns;	     // that their threads have run
	uint64_t user_ns, kernel_ns; // the same in ticks of 10 ms, ended threads included
	uint64_t resident, proportional, private_dirty; // bytes
};

// Sums over o->pids. 0, or -ESRCH after a message on stderr.
int streams_server_read(const struct streams_options *o, struct streams_server *s);

// CPU time between two readings, in all and for each of `n`. NULL without memory.
json_t *streams_server_cpu(
	const struct streams_server *before, const struct streams_server *after, uint64_t n);

// utime and stime, in ticks, of a line of /proc/PID/stat, whose second field may contain anything.
bool streams_server_ticks(const char *line, uint64_t *user, uint64_t *kernel);
