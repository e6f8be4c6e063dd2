// SPDX-License-Identifier: BSD-3-Clause
// Files of packets in libpcap's format (Ethernet, microseconds).
#pragma once

#include <stdio.h>

#include <traffic/traffic.h>
#include <traffic/distribution.h>

// Writes `n` frames of picked flows. 0 or a negative errno.
int bench_capture_write(const char *path, const struct bench_traffic *t,
	struct bench_distribution *distribution, uint32_t n);

// The same piece by piece: the file's head, then frame i. 0 or -EIO.
int bench_capture_begin(FILE *f);
int bench_capture_put(FILE *f, uint32_t i, const uint8_t *frame, size_t len);
