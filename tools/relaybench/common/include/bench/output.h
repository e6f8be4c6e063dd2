// SPDX-License-Identifier: BSD-3-Clause
// A command's report as JSON: the common head, and the destination.
#pragma once

#include <stdbool.h>

#include <jansson.h>

// A new object: tool ("relaybench COMMAND"), version, command as given and machine, then the
// members of `body`, which is taken over (NULL for lack of memory). argv[0] is the command's name.
// NULL without memory.
json_t *bench_output_make(int argc, char **argv, json_t *body);

// Takes `report`, NULL for lack of memory, over. To `file` unless that is NULL, and to standard
// output with `print`. 0; -ENOMEM; -EIO after a message on stderr.
int bench_output_write(json_t *report, const char *file, bool print);
