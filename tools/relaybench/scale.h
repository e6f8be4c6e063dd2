// SPDX-License-Identifier: BSD-3-Clause
// What several workers gain over one on the same replay, beside what testpmd gains with as many
// cores: receive queues of their own, one table.
#pragma once

#include "ground.h"
#include "options.h"

// The whole command. An exit status.
int bench_scale(struct bench_ground *g, const struct bench_options *o);
