// SPDX-License-Identifier: BSD-3-Clause
// The machine's throughput of random cache lines: the price of a table that is larger than the
// caches.
#pragma once

#include <stddef.h>

// Counter cycles per line when lines of `base` are read at random, none waiting for another. The
// best of a few short runs. The memory must be aligned to a line.
double bench_lines_cycles(const void *base, size_t size);
