// SPDX-License-Identifier: BSD-3-Clause
// relaybench core: the matrix of what is to be measured, gone through.
#pragma once

#include "ground.h"
#include "result.h"

// Measures and reports; answers the exit status.
int bench_core(struct bench_ground *g, const struct bench_options *o);
