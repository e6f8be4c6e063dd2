// SPDX-License-Identifier: BSD-3-Clause
// relaybench core: goes through the matrix of cells to measure.
#pragma once

// The whole command. argv[0] is its name; returns the exit status.
int bench_core_main(int argc, char **argv);
