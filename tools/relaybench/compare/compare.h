// SPDX-License-Identifier: BSD-3-Clause
// relaybench compare: the program in compare/, which drives relaybench load.
#pragma once

// argv[0] is the command's name; returns the exit code, or becomes that program.
int bench_compare(int argc, char **argv);
