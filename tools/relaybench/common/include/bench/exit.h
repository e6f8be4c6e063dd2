// SPDX-License-Identifier: BSD-3-Clause
// Exit statuses of every command.
#pragma once

#define BENCH_EXIT_OK	 0
#define BENCH_EXIT_WRONG 1 // a packet was lost or is wrong, or the machine refused something
#define BENCH_EXIT_USAGE 2
