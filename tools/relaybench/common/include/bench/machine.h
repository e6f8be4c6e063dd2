// SPDX-License-Identifier: BSD-3-Clause
// The machine as the report describes it: enough to judge a figure, without its name.
#pragma once

#include <jansson.h>

// A new object: cpu, cores, tsc_ghz, kernel, memory, version of DPDK. NULL without memory.
json_t *bench_machine_describe(void);
