// SPDX-License-Identifier: BSD-3-Clause
// The gain of several workers over one on the same replay, beside testpmd's gain with as many
// cores: receive queues of their own, one table.
#pragma once

#include <bench/host.h>
#include "options.h"

// The whole command. An exit status.
int bench_scale(struct bench_host *g, const struct bench_options *o);
