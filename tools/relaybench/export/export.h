// SPDX-License-Identifier: BSD-3-Clause
// relaybench export: the packets of a load, or of the replay benchmark, for other generators.
#pragma once

// argv[0] is the command's name; returns the exit code.
int export_main(int argc, char **argv);
