// SPDX-License-Identifier: BSD-3-Clause
// relaybench core --instructions: instructions per packet inside the packet path, counted by
// callgrind. No other program on the machine changes them.
#pragma once

#include <bench/host.h>
#include "options.h"

// The command of a run under callgrind; not for people.
#define BENCH_COUNT_COMMAND "core-count"

// Counts and reports; returns the exit status.
int bench_instructions(struct bench_host *h, const struct bench_options *o);

// Sends packets of one cell through the packet path. argv: the command, then a directory for the
// tables and numbers as bench_instructions writes them. Returns the exit status.
int bench_count_main(int argc, char **argv);
