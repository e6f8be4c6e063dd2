// SPDX-License-Identifier: BSD-3-Clause
// relaybench load: a population of TURN clients against any server.
#pragma once

// argv[0] is the command's name; returns the exit code.
int load_main(int argc, char **argv);
